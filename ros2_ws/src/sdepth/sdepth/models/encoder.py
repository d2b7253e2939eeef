"""Images to feature maps; the residual encoder has five, at strides 2 to 32."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

ARCHITECTURES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "resnet18": ((64, 64, 128, 256, 512), (2, 2, 2, 2)),
    "light": ((24, 32, 64, 112, 192), (1, 2, 2, 1)),
    "tiny": ((16, 24, 48, 80, 128), (1, 1, 1, 1)),
}
"""Channels per stride, and residual blocks per stage."""

MEAN, STD = 0.45, 0.225
"""Every network takes RGB in [0, 1] and normalises it itself (Godard et al. 2019)."""
Folds = tuple[tuple[str, str], ...]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut. Source: He et al. 2016, fig. 5 left."""

    FOLDS: Folds = (("conv1", "bn1"), ("conv2", "bn2"))

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        """Make a block; a 1x1 shortcut where the shape changes."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, channels, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.downsample(x), inplace=True)


class Encoder(nn.Module):
    """Interface of the encoders of depth networks.

    Attributes:
        channels: of the feature maps, fine to coarse.
        strides: likewise.
        mean: of the RGB normalisation, of values in [0, 1].
        std: likewise.
        FOLDS: convolutions and the normalisations that follow them, by name.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    mean: float = MEAN
    std: float = STD
    FOLDS: Folds = ()

    def first(self, blocks: int) -> list[nn.Module]:
        """Return the stem and the first ``blocks`` blocks, none where blocks is 0."""
        if blocks:
            raise NotImplementedError(f"{type(self).__name__} does not name its blocks")
        return []


class ResNetEncoder(Encoder):
    """ResNet without its classifier; parameter names are torchvision's and monodepth2's."""

    strides = (2, 4, 8, 16, 32)
    FOLDS = (("conv1", "bn1"),)

    def __init__(self, architecture: str, images: int = 1) -> None:
        """Make the encoder of ``images`` RGB images stacked along channels."""
        super().__init__()
        self.channels, blocks = ARCHITECTURES[architecture]
        c = self.channels
        self.conv1 = nn.Conv2d(3 * images, c[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(c[0])
        self.layer1 = self._stage(c[0], c[1], blocks[0], 1)
        self.layer2 = self._stage(c[1], c[2], blocks[1], 2)
        self.layer3 = self._stage(c[2], c[3], blocks[2], 2)
        self.layer4 = self._stage(c[3], c[4], blocks[3], 2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def _stage(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
        """Return ``blocks`` residual blocks, the first with ``stride``."""
        first = BasicBlock(channels_in, channels, stride)
        rest = (BasicBlock(channels, channels, 1) for _ in range(blocks - 1))
        return nn.Sequential(first, *rest)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return features at strides 2, 4, 8, 16, 32 of images (B, 3 N, H, W) in [0, 1]."""
        x = F.relu(self.bn1(self.conv1((image - MEAN) / STD)), inplace=True)
        features = [x, self.layer1(F.max_pool2d(x, 3, 2, 1))]
        for stage in (self.layer2, self.layer3, self.layer4):
            features.append(stage(features[-1]))
        return features
