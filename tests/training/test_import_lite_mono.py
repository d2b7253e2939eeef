"""Public Lite-Mono weights give the public network's answers in ours."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sdepth.checkpoint import load_depth, load_pose, read_card
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import CheckpointError
from sdepth.geometry.camera import Camera
from sdepth.models.depth_net import DepthNet
from sdepth.models.lite_mono import LITE_MONO, DilatedConv
from sdepth.models.pose_net import PoseNet
from sdepth.odometry.odometry import Odometry
from training.config import ModelConfig, TrainConfig
from training.losses.photometric import LossConfig
from training.networks import build_model
from training.weights.import_lite_mono import import_lite_mono

Weights = dict[str, Tensor]
NEAR, FAR = (1, 2, 3, 1, 2, 3, 2, 4, 6), (1, 2, 5, 1, 2, 5, 2, 4, 10)


def public_features(w: Weights, image: Tensor, third: tuple[int, ...]) -> list[Tensor]:
    """Return Lite-Mono's features by the public parameter names, step by step."""

    def norm(x: Tensor, name: str) -> Tensor:
        keys = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(w[f"{name}.{key}"] for key in keys))

    def conv(x: Tensor, name: str, stride: int) -> Tensor:
        return F.conv2d(x, w[f"{name}.conv.weight"], stride=stride, padding=1)

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def layer_norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        centred = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return centred * w[f"{name}.weight"] + w[f"{name}.bias"]

    def bottleneck(x: Tensor, name: str) -> Tensor:
        inner = F.gelu(linear(x, f"{name}.pwconv1"))
        return w[f"{name}.gamma"] * linear(inner, f"{name}.pwconv2")

    def dilated(x: Tensor, name: str, d: int) -> Tensor:
        weight = w[f"{name}.ddwconv.conv.weight"]
        y = F.conv2d(x, weight, padding=d, dilation=d, groups=len(weight))
        y = norm(y, f"{name}.bn1").permute(0, 2, 3, 1)
        return x + bottleneck(y, name).permute(0, 3, 1, 2)

    def attention(x: Tensor, name: str) -> Tensor:
        """x (B, N, C): each of 8 heads weighs its own channels against each other."""
        q, k, v = linear(x, f"{name}.qkv").chunk(3, -1)
        width, heads = x.shape[-1] // 8, []
        for h in range(8):
            part = slice(h * width, (h + 1) * width)
            a, b = (y[..., part] / y[..., part].norm(dim=1, keepdim=True) for y in (q, k))
            weights = (torch.einsum("bni,bnj->bij", a, b) * w[f"{name}.temperature"][h]).softmax(2)
            heads.append(torch.einsum("bij,bnj->bni", weights, v[..., part]))
        return linear(torch.cat(heads, -1), f"{name}.proj")

    def positions(height: int, width: int) -> Tensor:
        y, x = (2 * torch.pi * (torch.arange(n) + 1) / (n + 1e-6) for n in (height, width))
        waves = torch.empty(64, height, width)
        for i in range(32):
            wave = torch.cos if i % 2 else torch.sin
            slow = 10000 ** (2 * (i // 2) / 32)
            waves[i], waves[32 + i] = wave(y / slow)[:, None], wave(x / slow)[None]
        return waves

    def interaction(x: Tensor, name: str) -> Tensor:
        y = x
        if f"{name}.pos_embd.token_projection.weight" in w:
            projection = f"{name}.pos_embd.token_projection"
            place = positions(*x.shape[2:])[None]
            y = x + F.conv2d(place, w[f"{projection}.weight"], w[f"{projection}.bias"])
        y = y.flatten(2).permute(0, 2, 1)
        attended = attention(layer_norm(y, f"{name}.norm_xca"), f"{name}.xca")
        y = layer_norm(y + w[f"{name}.gamma_xca"] * attended, f"{name}.norm")
        return x + bottleneck(y, name).permute(0, 2, 1).reshape(x.shape)

    image = (image - 0.45) / 0.225
    small = [image]
    for _ in range(3):
        small.append(F.avg_pool2d(small[-1], 3, 2, 1))
    x = image
    for n in range(3):
        name = f"downsample_layers.0.{n}"
        x = F.gelu(norm(conv(x, name, 2 if n == 0 else 1), f"{name}.bn_gelu.bn"))
    x = conv(torch.cat([x, small[1]], 1), "stem2.0", 2)
    features: list[Tensor] = []
    for stage in range(3):
        if stage:
            joined = torch.cat([x, features[-1], small[stage + 1]], 1)
            x = conv(joined, f"downsample_layers.{stage}.0", 2)
        y = x
        dilations = third if stage == 2 else third[:3]
        for block, d in enumerate(dilations):
            y = dilated(y, f"stages.{stage}.{block}", d)
        features.append(interaction(y, f"stages.{stage}.{len(dilations)}"))
    return features


def public_disparity(
    encoder: Weights, w: Weights, image: Tensor, third: tuple[int, ...]
) -> Tensor:
    """Return Lite-Mono's finest disparity."""

    def conv(x: Tensor, name: str) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, w[f"{name}.conv.weight"], w[f"{name}.conv.bias"])

    def double(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    features = public_features(encoder, image, third)
    x = features[2]
    for n, i in enumerate((2, 1, 0)):
        x = double(F.elu(conv(x, f"decoder.{2 * n}.conv")))
        x = torch.cat([x, features[i - 1]], 1) if i else x
        x = F.elu(conv(x, f"decoder.{2 * n + 1}.conv"))
    return torch.sigmoid(double(conv(x, "decoder.6")))


def lively(net: DepthNet) -> None:
    """Give a network numbers that all matter: an untrained one's blocks are next to nothing."""
    generator = torch.Generator().manual_seed(0)
    for name, value in net.state_dict().items():
        noise = torch.rand(value.shape, generator=generator)
        if "gamma" in name:
            value.copy_(0.4 * noise)
        elif value.ndim == 1 or "temperature" in name:
            value.add_(0.1 * noise)
        elif name.startswith("decoder"):
            value.mul_(2)


def write_public(folder: Path, architecture: str, pose: bool = True) -> Path:
    """Write files with Lite-Mono's names, shapes and extras."""
    torch.manual_seed(0)
    net = DepthNet(architecture)
    lively(net)
    encoder = dict(net.encoder.state_dict())
    for name, module in net.encoder.named_modules():
        if isinstance(module, DilatedConv):
            encoder |= {
                f"{name}.norm.{k}": torch.ones(len(module.gamma)) for k in ("weight", "bias")
            }
            encoder[f"{name}.total_ops"] = torch.zeros(1, dtype=torch.float64)
    height, width = (320, 1024) if architecture.endswith("-1024") else (192, 640)
    extras = {
        "height": height,
        "width": width,
        "use_stereo": False,
        "total_params": torch.zeros(1),
    }
    folder.mkdir(exist_ok=True)
    torch.save({**encoder, **extras}, folder / "encoder.pth")
    torch.save(dict(net.decoder.state_dict(prefix="decoder.")), folder / "depth.pth")
    if pose:
        motion = PoseNet("resnet18").state_dict()
        parts = {"pose_encoder.pth": {}, "pose.pth": {}}
        for k, v in motion.items():
            parts["pose_encoder.pth" if k.startswith("encoder.") else "pose.pth"][k] = v
        for name, part in parts.items():
            torch.save(part, folder / name)
    return folder


@pytest.mark.parametrize(("architecture", "third"), [("lite-mono", NEAR), ("lite-mono-1024", FAR)])
def test_imported_depth_is_the_public_networks(
    tmp_path: Path, architecture: str, third: tuple[int, ...]
) -> None:
    folder = write_public(tmp_path / "public", architecture)
    import_lite_mono(folder, tmp_path / "ours.safetensors")
    net, card = load_depth(tmp_path / "ours.safetensors")
    encoder, decoder = (
        torch.load(folder / name, weights_only=True) for name in ("encoder.pth", "depth.pth")
    )
    image = torch.rand(2, 3, 64, 96)

    with torch.no_grad():
        ours, public = net(image, 1)[0], public_disparity(encoder, decoder, image, third)
        other = public_disparity(encoder, decoder, image, FAR if third == NEAR else NEAR)

    assert torch.allclose(ours, public, atol=1e-5)
    assert float(public.std()) > 1e-2
    assert float((public - other).abs().max()) > 1e-3
    assert (card.depth_architecture, card.metric) == (architecture, False)
    assert card.input_size == ((192, 640) if third == NEAR else (320, 1024))
    assert isinstance(load_pose(tmp_path / "ours.safetensors")[0], PoseNet)


@pytest.mark.parametrize("architecture", LITE_MONO)
def test_the_files_tell_which_network_it_is(tmp_path: Path, architecture: str) -> None:
    import_lite_mono(
        write_public(tmp_path / "public", architecture, False), tmp_path / "o.safetensors"
    )
    assert read_card(tmp_path / "o.safetensors").depth_architecture == architecture


def test_without_its_motion_network_depth_and_odometry_go_on(tmp_path: Path) -> None:
    path = tmp_path / "ours.safetensors"
    import_lite_mono(write_public(tmp_path / "public", "lite-mono-tiny", pose=False), path)
    camera = Camera(320.0, 320.0, 159.5, 47.5, 320, 96)
    image = np.random.default_rng(0).integers(0, 255, (96, 320, 3), np.uint8)

    depth = DepthEstimator(path, "cpu").predict(image, camera).depth
    odometry = Odometry(path, "cpu")
    states = [odometry.update(image, depth, camera, stamp) for stamp in (0, 100_000_000)]

    assert depth.shape == (96, 320)
    assert depth.min() > 0.1
    assert states[1].tracking == "ok"
    assert np.linalg.norm(states[1].T_world_cam[:3, 3]) < 0.01 * np.median(depth)
    with pytest.raises(CheckpointError, match="holds no pose network"):
        load_pose(path)


def test_training_goes_on_from_it_with_a_motion_network_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ours.safetensors"
    import_lite_mono(write_public(tmp_path / "public", "lite-mono-tiny", pose=False), path)
    start = ModelConfig(depth="lite-mono-tiny", pose="posecnn", init_from=str(path))
    model = build_model(TrainConfig(model=start, loss=LossConfig(scales=3)))
    known = load_depth(path)[0].state_dict()
    assert all(torch.equal(v, known[k]) for k, v in model.depth_net.state_dict().items())


def change(folder: Path, name: str, **entries: object) -> None:
    """Put entries into a .pth file."""
    torch.save(torch.load(folder / name, weights_only=True) | entries, folder / name)


DAMAGES = {
    "for images of 640x256; expected 640x192": lambda f: change(f, "encoder.pth", height=256),
    "not a lite-mono-tiny": lambda f: change(f, "depth.pth", extra=torch.ones(1)),
    r"not a Lite-Mono: stages of \(0, 0, 0\)": lambda f: torch.save({}, f / "encoder.pth"),
    "holds a list, expected named tensors": lambda f: torch.save([1], f / "depth.pth"),
    "not a checkpoint of tensors": lambda f: (f / "depth.pth").write_bytes(b"PK\x03\x04"),
    "missing; a public folder holds encoder.pth": lambda f: (f / "pose.pth").unlink(),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_damaged_or_other_files_are_refused(tmp_path: Path, message: str) -> None:
    folder = write_public(tmp_path / "public", "lite-mono-tiny")
    DAMAGES[message](folder)
    with pytest.raises(CheckpointError, match=message):
        import_lite_mono(folder, tmp_path / "ours.safetensors")
