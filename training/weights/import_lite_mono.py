"""Turn a public Lite-Mono checkpoint into ours; you bring the file and its licence.

    python -m training.weights.import_lite_mono lite-mono_640x192/ lite_mono.safetensors

FOLDER holds encoder.pth and depth.pth, as downloaded, of lite-mono, -small, -tiny or -8m; which
of them, and at which size, the files tell. With pose_encoder.pth and pose.pth the motion network
comes along; without them odometry starts its search from the last velocity. Depth is metres up to
one factor, unless --scale says what that is.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from torch import Tensor

from sdepth.errors import CheckpointError
from sdepth.models.depth_net import DepthNet
from sdepth.models.lite_mono import LITE_MONO
from training.weights.public import (
    POSE_FILES,
    command,
    fill,
    read_encoder,
    read_pose,
    read_public,
    save_public,
)

MODULE = "training.weights.import_lite_mono"
NARROW, WIDE = (192, 640), (320, 1024)
"""(height, width) that public weights are for."""
_UNUSED = re.compile(r"(.*\.)?total_(ops|params)")
"""What counting operations left in public files."""


def import_lite_mono(folder: Path, out: Path, scale: float | None = None) -> None:
    """Write the networks of ``folder`` to ``out`` (.safetensors), with a card.

    ``scale`` is metres in a unit of theirs, where that is known.

    Raises:
        CheckpointError: a file is missing, is no checkpoint, or is of another network.
    """
    (encoder, size), decoder = read_encoder(folder), read_public(folder / "depth.pth")
    architecture = find_architecture(encoder, size, folder)
    depth = DepthNet(architecture)
    tensors = {f"encoder.{name}": value for name, value in encoder.items() if _used(name, encoder)}
    tensors |= {name: value for name, value in decoder.items() if not _UNUSED.fullmatch(name)}
    fill(depth, tensors, folder, architecture)
    pose = read_pose(folder) if any((folder / name).exists() for name in POSE_FILES) else None
    save_public(out, depth, pose, architecture, size, folder.name, MODULE, scale)


def find_architecture(encoder: dict[str, Tensor], size: tuple[int, int], folder: Path) -> str:
    """Return which of ``LITE_MONO`` an encoder's tensors are.

    Raises:
        CheckpointError: none of them, or the size is not one that they are published for.
    """
    if size not in (NARROW, WIDE):
        raise CheckpointError(
            f"{folder}: for images of {size[1]}x{size[0]}; expected 640x192 or 1024x320"
        )
    channels = tuple(
        len(encoder.get(f"stages.{stage}.0.ddwconv.conv.weight", ())) for stage in range(3)
    )
    blocks = {name.split(".")[2] for name in encoder if name.startswith("stages.2.")}
    fits = [
        name
        for name, (known, _, dilations) in LITE_MONO.items()
        if known == channels and len(dilations) + 1 == len(blocks)
    ]
    if not fits:
        raise CheckpointError(
            f"{folder}: not a Lite-Mono: stages of {channels} channels, {len(blocks)} blocks in "
            f"the last; known {', '.join(LITE_MONO)}"
        )
    return fits[-1] if size == WIDE else fits[0]  # wider dilations stand behind


def _used(name: str, encoder: dict[str, Tensor]) -> bool:
    """Return whether a tensor takes part: dilated blocks carry a ``norm`` that does not."""
    block, _, rest = name.partition(".norm.")
    idle = bool(rest) and f"{block}.norm_xca.weight" not in encoder
    return not idle and not _UNUSED.fullmatch(name)


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    return command(MODULE, __doc__, import_lite_mono, args)


if __name__ == "__main__":
    sys.exit(main())
