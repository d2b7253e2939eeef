"""What commands share that turn public checkpoints (.pth) into ours."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from sdepth.card import Card
from sdepth.checkpoint import save
from sdepth.cli import make_parser, run
from sdepth.errors import CheckpointError
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from training.config import KITTI_FOCAL_RATIO

POSE_FILES = ("pose_encoder.pth", "pose.pth")
_POSE_SCALE = 0.01


def read_encoder(folder: Path) -> tuple[dict[str, Tensor], tuple[int, int]]:
    """Return the tensors of encoder.pth, and (height, width) of the images they are for.

    Raises:
        CheckpointError: missing, or not a checkpoint of tensors.
    """
    found = read_public(folder / "encoder.pth")
    size = int(found.pop("height", 192)), int(found.pop("width", 640))
    found.pop("use_stereo", None)
    return found, size


def read_public(path: Path) -> dict[str, Tensor]:
    """Return the dictionary in a .pth file, opened without running code from it.

    Raises:
        CheckpointError: missing, or not a checkpoint of tensors.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as err:
        raise CheckpointError(
            f"{path}: missing; a public folder holds encoder.pth, depth.pth and, for motion, "
            f"{' and '.join(POSE_FILES)}"
        ) from err
    except (pickle.UnpicklingError, RuntimeError, EOFError) as err:
        raise CheckpointError(f"{path}: not a checkpoint of tensors; download it again") from err
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: holds a {type(found).__name__}, expected named tensors")
    return found


def fill(net: nn.Module, tensors: dict[str, Tensor], folder: Path, network: str) -> None:
    """Load tensors by name; the classifier that comes with torchvision's encoder is left out.

    Raises:
        CheckpointError: names or shapes are not those of ``network``.
    """
    mine = {name: value for name, value in tensors.items() if not name.startswith("encoder.fc.")}
    try:
        net.load_state_dict(mine)
    except RuntimeError as err:
        raise CheckpointError(f"{folder}: not a {network} ({err})") from err


def read_pose(folder: Path) -> PoseNet:
    """Return monodepth2's motion network, which others ship with theirs.

    Raises:
        CheckpointError: a file is missing, is no checkpoint, or is of another network.
    """
    pose = PoseNet("resnet18", output_scale=_POSE_SCALE)
    encoder, rest = (read_public(folder / name) for name in POSE_FILES)
    fill(pose, {**encoder, **rest}, folder, "monodepth2 ResNet-18")
    return pose


def save_public(
    out: Path, depth: DepthNet, pose: PoseNet | None, architecture: str, size: tuple[int, int],
    origin: str, command: str, scale: float | None,
) -> None:  # fmt: skip
    """Write networks trained on KITTI as monodepth2 was, with a card.

    Args:
        out: ends in .safetensors.
        depth: the depth network.
        pose: the motion network, or None.
        architecture: of the depth network.
        size: (height, width) of the images it takes.
        origin: name of the folder it comes from.
        command: that makes it.
        scale: metres in a unit of the weights; None where it is not known.

    Raises:
        CheckpointError: the scale is no length.
    """
    if scale is not None and not 0 < scale < float("inf"):
        raise CheckpointError(f"scale {scale:g}: expected metres in a unit, more than 0")
    metres = scale or 1.0
    if pose is not None:
        with torch.no_grad():  # of its outputs, the translation
            for values in pose.net[-1].parameters():
                values[3:6] *= metres
    card = Card(
        depth_architecture=architecture,
        pose_architecture="resnet18" if pose else "",
        input_size=size,
        depth_range_m=(0.1 * metres, 100.0 * metres),
        metric=scale is not None,
        domain="day",
        training_data=f"imported from {origin}; see its own licence",
        command=f"python -m {command} {origin} {out.name}",
        commit="imported",
        step=0,
        focal_ratio=KITTI_FOCAL_RATIO,
        pose_output_scale=_POSE_SCALE,
    )
    save(out, depth, pose, card, half=False)


def command(module: str, doc: str | None, work: Callable[[Path, Path, float | None], None],
            args: list[str] | None) -> int:  # fmt: skip
    """Run ``work`` with FOLDER, OUT and the scale of a command line; return the exit code."""
    parser = make_parser(f"python -m {module}", doc)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path, help="ends in .safetensors")
    parser.add_argument("--scale", type=float, metavar="M",
        help="metres in a unit: 5.4 for monodepth2's stereo weights (a base line of 0.1 units for "
        "0.54 m); for others the median truth / estimate of training.evaluate")  # fmt: skip
    options = parser.parse_args(args)

    def told() -> None:
        work(options.folder, options.out, options.scale)
        print(f"{options.out}: written, card {options.out.with_suffix('.json')}")

    return run(parser.prog, told)
