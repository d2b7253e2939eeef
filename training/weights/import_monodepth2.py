"""Turn a public monodepth2 checkpoint (ResNet-18) into ours; you bring the file and its licence.

    python -m training.weights.import_monodepth2 mono_640x192/ mono_640x192.safetensors

    python -m training.weights.import_monodepth2 mono+stereo_640x192/ out.safetensors --scale 5.4

FOLDER holds encoder.pth, depth.pth, pose_encoder.pth and pose.pth, as downloaded. Depth is metres
up to one factor, unless --scale says what that is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sdepth.models.depth_net import DepthNet
from training.weights.public import (
    command,
    fill,
    read_encoder,
    read_pose,
    read_public,
    save_public,
)

MODULE = "training.weights.import_monodepth2"


def import_monodepth2(folder: Path, out: Path, scale: float | None = None) -> None:
    """Write the networks of ``folder`` to ``out`` (.safetensors), with a card.

    ``scale`` is metres in a unit of theirs, where that is known.

    Raises:
        CheckpointError: a file is missing, is no checkpoint, or is of another network.
    """
    (encoder, size), depth = read_encoder(folder), DepthNet("resnet18")
    fill(depth, {**encoder, **read_public(folder / "depth.pth")}, folder, "monodepth2 ResNet-18")
    save_public(out, depth, read_pose(folder), "resnet18", size, folder.name, MODULE, scale)


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    return command(MODULE, __doc__, import_monodepth2, args)


if __name__ == "__main__":
    sys.exit(main())
