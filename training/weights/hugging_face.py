"""Depth networks as Hugging Face keeps them: a folder of configuration and weights, as ONNX."""

from __future__ import annotations

import json
import os
import re
import warnings
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sdepth.card import AFFINE, KEEP, METRIC, STRETCH
from sdepth.engines.graph import OPSET
from sdepth.errors import CheckpointError, ConfigError
from sdepth.files import is_pickle
from training.weights.presets import Fields

_ZOE = "zoedepth"
KINDS = ("depth_anything", "dpt", _ZOE)
"""Values of model_type in config.json whose images and answers are known here."""
_NAMES = {2: "bilinear", 3: "bicubic"}  # as Pillow numbers them
_FILES = ("config.json", "preprocessor_config.json", "model.safetensors")


class _Depth(nn.Module):
    """A network whose one answer is a tensor."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Return what it gives of images (B, 3, H, W)."""
        answer: Tensor = self.network(pixel_values=pixels).predicted_depth
        return answer


class _Zoe(_Depth):
    """ZoeDepth with its own way to its size and back: borders are mirrored, and cut off again."""

    def __init__(
        self, network: nn.Module, size: tuple[int, int], image_size: tuple[int, int], pad: bool
    ) -> None:
        super().__init__(network)
        self.size = size
        self.margin = [int(3 * sqrt(side / 2)) if pad else 0 for side in image_size]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return depth of images (B, 3, H, W) of the camera's size."""
        (top, left), (height, width) = self.margin, pixels.shape[2:]
        whole = functional.pad(pixels, (left, left, top, top), mode="reflect")
        seen = functional.interpolate(whole, self.size, mode="bilinear", align_corners=True)
        answer = super().forward(seen)[:, None]
        answer = functional.interpolate(answer, whole.shape[2:], mode="bicubic")
        return answer[..., top : top + height, left : left + width]


def export(
    folder: Path, out: Path, size: tuple[int, int] | None, image_size: tuple[int, int] | None
) -> Fields:
    """Write the network of a folder as ONNX of one size; return what the folder says of it.

    Args:
        folder: with config.json, preprocessor_config.json and model.safetensors.
        out: where to.
        size: (height, width) the network is to take; None: what its own code makes of
            the camera's images. ZoeDepth's export takes those, and has that size within.
        image_size: (height, width) of the camera's images.

    Raises:
        CheckpointError: a file is missing, damaged, a pickle, or of an unknown network.
        ConfigError: transformers is not installed, or the size is not known.
    """
    _check_files(folder)
    processor, network = _load(folder)
    config = network.config.to_dict()
    zoe = config["model_type"] == _ZOE
    fields = _of_images(processor, zoe, folder) | _of_depth(config, folder) | _of_readme(folder)
    if image_size is None and (zoe or (size is None and fields["fit"] == KEEP)):
        raise ConfigError(
            f"{folder}: takes images of the camera's size or aspect; give that by --image-size "
            "WIDTHxHEIGHT"
        )
    image_size = image_size or (64, 64)
    module, size = _Depth(network), size or _size(processor, image_size)
    if zoe:
        module, size = _Zoe(network, size, image_size, processor.do_pad), image_size
        fields |= {"fit": STRETCH, "multiple": 1}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of shapes that are constant: they are meant to be
        torch.onnx.export(
            module.eval(), (torch.zeros(1, 3, *size),), str(out),
            input_names=["pixels"], output_names=["depth"], opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    return fields


def _load(folder: Path) -> tuple[Any, Any]:
    """Return the image processor and the network of a folder."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is downloaded, whatever a file names
    try:
        import transformers
    except ImportError as err:
        raise ConfigError(f"{folder}: {err}; pip install 'sdepth[hf]'") from err
    transformers.logging.set_verbosity_error()
    only_here: Any = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(folder, **only_here)
        network, said = transformers.AutoModelForDepthEstimation.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, dtype=torch.float32,
            attn_implementation="eager", **only_here,
        )  # fmt: skip
    except Exception as err:  # whatever the files' content can make of them
        first = next(iter(str(err).splitlines()), type(err).__name__)
        raise CheckpointError(
            f"{folder}: cannot be read ({first:.200}); download it again"
        ) from err
    if lacking := sorted(said["missing_keys"]):
        raise CheckpointError(
            f"{folder}: model.safetensors lacks {len(lacking)} tensors, as {lacking[0]}; "
            "download it again"
        )
    return processor, network


def _check_files(folder: Path) -> None:
    """Refuse a folder that lacks something, or is of an unknown network, before it is read."""
    for name in _FILES:
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder / name}: missing; a folder holds {', '.join(_FILES)}, and no pickle "
                "(pytorch_model.bin) is read"
            )
    if is_pickle(folder / "model.safetensors"):
        raise CheckpointError(f"{folder / 'model.safetensors'}: a pickle, expected safetensors")
    try:
        config = json.loads((folder / "config.json").read_text())
        kind = config["model_type"]
    except (ValueError, KeyError, TypeError) as err:
        raise CheckpointError(f"{folder / 'config.json'}: damaged ({err!r})") from err
    if kind not in KINDS:
        raise CheckpointError(
            f"{folder}: model_type {kind!r:.80}, known {', '.join(KINDS)}; export it as ONNX, and "
            "import that"
        )


def _of_images(processor: Any, pads: bool, folder: Path) -> Fields:
    """Return how images become what the network takes; ``pads``: it may pad them."""
    resample = _NAMES.get(int(processor.resample or 0), "")
    if (getattr(processor, "do_pad", False) and not pads) or not resample:
        raise CheckpointError(
            f"{folder}: images are padded, or resampled by method {processor.resample}; expected "
            f"no padding and one of {_NAMES}; export it as ONNX, and import that"
        )
    gain = 255 * processor.rescale_factor if processor.do_rescale else 255.0
    known = processor.do_normalize
    mean = processor.image_mean if known else (0.0, 0.0, 0.0)
    std = processor.image_std if known else (1.0, 1.0, 1.0)
    return {
        "channel_mean": tuple(m / gain for m in mean),
        "channel_std": tuple(s / gain for s in std),
        "resample": resample,
        "fit": KEEP if getattr(processor, "keep_aspect_ratio", False) else STRETCH,
        "multiple": int(getattr(processor, "ensure_multiple_of", 1) or 1),
    }


def _of_depth(config: dict[str, Any], folder: Path) -> Fields:
    """Return what the network gives."""
    if config["model_type"] == _ZOE:
        if len(config["bin_configurations"]) != 1:
            raise CheckpointError(
                f"{folder}: chooses between several heads by the image, which no ONNX of it does; "
                "take one of a single head, as zoedepth-kitti or zoedepth-nyu"
            )
        bins = config["bin_configurations"][0]
        near, far = (float(bins[name]) for name in ("min_depth", "max_depth"))
        return {"output": METRIC, "depth_range_m": (near, far)}
    if config.get("depth_estimation_type") == "metric":
        return {"output": METRIC, "depth_range_m": (0.01, float(config["max_depth"]))}
    return {"output": AFFINE}


def _of_readme(folder: Path) -> Fields:
    """Return the licence that the head of README.md names, if there is one."""
    path = folder / "README.md"
    text = path.read_text(errors="replace") if path.is_file() else ""
    found = re.search(r"\A---\n(?:.*\n)*?license: *([\w.-]+)", text)
    return {"source": folder.name} | ({"licence": found[1]} if found else {})


def _size(processor: Any, image_size: tuple[int, int]) -> tuple[int, int]:
    """Return the size that the network's own code makes of the camera's images."""
    image = np.zeros((*image_size, 3), np.uint8)
    height, width = processor(images=image, return_tensors="np")["pixel_values"].shape[2:]
    return int(height), int(width)
