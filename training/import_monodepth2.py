"""Turn a public monodepth2 checkpoint (ResNet-18) into ours; you bring the file and its licence.

    python -m training.import_monodepth2 mono_640x192/ mono_640x192.safetensors

FOLDER holds encoder.pth, depth.pth, pose_encoder.pth and pose.pth, as downloaded. The scale of
such weights is unknown: depth is metres up to one factor.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from sdepth.checkpoint import Card, save
from sdepth.cli import make_parser, run
from sdepth.errors import CheckpointError
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from training.config import KITTI_FOCAL_RATIO

_NOT_WEIGHTS = ("height", "width", "use_stereo")


def import_monodepth2(folder: Path, out: Path) -> None:
    """Write the networks of ``folder`` to ``out`` (.safetensors), with a card.

    Raises:
        CheckpointError: a file is missing, is no checkpoint, or is of another network.
    """
    encoder = read_public(folder / "encoder.pth")
    depth, pose = DepthNet("resnet18"), PoseNet("resnet18", output_scale=0.01)
    fill(depth, {**encoder, **read_public(folder / "depth.pth")}, folder)
    pose_parts = {**read_public(folder / "pose_encoder.pth"), **read_public(folder / "pose.pth")}
    fill(pose, pose_parts, folder)
    card = Card(
        depth_architecture="resnet18",
        pose_architecture="resnet18",
        input_size=(int(encoder.get("height", 192)), int(encoder.get("width", 640))),
        depth_range_m=(0.1, 100.0),
        metric=False,
        domain="day",
        training_data=f"imported from {folder.name}; see its own licence",
        command=f"python -m training.import_monodepth2 {folder.name} {out.name}",
        commit="imported",
        step=0,
        focal_ratio=KITTI_FOCAL_RATIO,
        pose_output_scale=0.01,
    )
    save(out, depth, pose, card, half=False)


def read_public(path: Path) -> dict[str, Tensor]:
    """Return the dictionary in a .pth file, opened without running code from it.

    Raises:
        CheckpointError: missing, or not a checkpoint of tensors.
    """
    try:
        found: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as err:
        raise CheckpointError(
            f"{path}: missing; a monodepth2 folder holds four .pth files"
        ) from err
    except (pickle.UnpicklingError, RuntimeError, EOFError) as err:
        raise CheckpointError(f"{path}: not a checkpoint of tensors; download it again") from err
    return found


def fill(net: nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    """Load tensors by name; the classifier that comes with torchvision's encoder is left out.

    Raises:
        CheckpointError: names or shapes are those of another network.
    """
    mine = {
        name: value
        for name, value in tensors.items()
        if name not in _NOT_WEIGHTS and not name.startswith("encoder.fc.")
    }
    try:
        net.load_state_dict(mine)
    except RuntimeError as err:
        raise CheckpointError(f"{folder}: not a monodepth2 ResNet-18 ({err})") from err


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.import_monodepth2", __doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path, help="ends in .safetensors")
    options = parser.parse_args(args)

    def work() -> None:
        import_monodepth2(options.folder, options.out)
        print(f"{options.out}: written, card {options.out.with_suffix('.json')}")

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
