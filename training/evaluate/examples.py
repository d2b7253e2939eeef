"""Images with true depth, in the order of a test list where there is one."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import DataError
from sdepth.geometry.camera import Camera
from training.data.drive import Frame, read_depth
from training.data.open_drive import find_drives, read_drive
from training.data.split import find_frames, read_list
from training.evaluate.scoring import Depth, Protocol


@dataclass(frozen=True)
class Example:
    """An image with its camera and true depth (H, W), metres, 0 where unknown.

    ``camera_height_m`` is above the road, where known.
    """

    image: NDArray[np.uint8]
    camera: Camera
    truth: Depth
    camera_height_m: float | None = None

    def cut(self, protocol: Protocol) -> Example:
        """Return what the protocol's view leaves.

        Raises:
            DataError: image or truth have another size than the protocol's.
        """
        image, camera, truth = protocol.look(self.image, self.camera, self.truth)
        return Example(image, camera, truth, self.camera_height_m)


@dataclass(frozen=True)
class TruthFile:
    """What an .npz of ``training.data.export_truth`` holds.

    Attributes:
        data: (N, H, W), metres, 0 where unknown, padded below and on the right.
        lines: of the test list, one per image; none where the file does not say.
        sizes: (N, 2) height and width of each image.
    """

    data: Depth
    lines: tuple[str, ...]
    sizes: NDArray[np.int64]

    def __getitem__(self, i: int) -> Depth:
        """Return the depth of image ``i``."""
        height, width = self.sizes[i]
        return self.data[i, :height, :width]


def read_truth(path: Path) -> TruthFile:
    """Return the depths in an .npz: ``data``, and perhaps ``lines`` or ``frames`` (numbers).

    Raises:
        DataError: missing, damaged, or of other contents.
    """
    try:
        with np.load(path) as file:
            data = file["data"]
            names = file["lines"] if "lines" in file else file.get("frames", ())
            sizes = file["sizes"] if "sizes" in file else np.tile(data.shape[1:], (len(data), 1))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as err:
        raise DataError(
            f"{path}: no depths that can be read ({err}); make it with python -m "
            "training.data.export_truth (files of pickled arrays are not opened)"
        ) from err
    if data.ndim != 3 or len(sizes) != len(data) or len(names) not in (0, len(data)):
        raise DataError(f"{path}: data {data.shape} for {len(names)} images; expected (N, H, W)")
    return TruthFile(data, tuple(str(name) for name in names), sizes)


def read_examples(
    root: Path, truth: Path | None, stride: int, split: Path | None = None
) -> Iterator[Example]:
    """Yield every ``stride``-th frame that has truth.

    Args:
        root: drives (``find_drives``).
        truth: an .npz (``read_truth``), or a folder of NAME.npy, NAME_depth.npy or NAME.png, or
            of 000_depth.npy and so on in the list's order; None for the drives' own.
        stride: 1 for every frame.
        split: the test list; None for all frames, or those that the .npz names.

    Raises:
        DataError: nothing to score, or list, truth and drives do not fit.
    """
    folders = find_drives(root)
    known = read_truth(truth) if truth and truth.suffix == ".npz" else None
    lines = read_list(split) if split else known.lines if known else None
    if known and len(lines or ()) != len(known.data):
        raise DataError(
            f"{truth}: {len(known.data)} depths for {len(lines or ())} images of {split}; give "
            f"its list: --split; or make it: python -m training.data.export_truth {root} "
            "OUT --split"
        )
    if lines:
        found = find_frames(folders, lines, split or truth)
        frames = [(drive, drive.frames[i]) for drive, i in found]
    else:
        frames = [(d, f) for d in map(read_drive, folders) for f in d.frames if truth or f.depth]
    if not frames:
        raise DataError(f"{root}: no frame has depth (depth_2/); give --truth FILE.npz")
    for i in range(0, len(frames), stride):
        drive, frame = frames[i]
        depth = known[i] if known else _depth_of(frame, truth, i)
        yield Example(drive.read(frame), drive.camera, depth, drive.camera_height_m)


def _depth_of(frame: Frame, folder: Path | None, number: int) -> Depth:
    """Return the depth of a frame, ``number`` of the list, from ``folder``; or the drive's own."""
    if folder is None:
        if frame.depth is None:
            raise DataError(f"{frame.image}: no depth beside it; give --truth")
        return read_depth(frame.depth)
    for name in (frame.image.stem, f"{frame.image.stem}_depth", f"{number:03d}_depth"):
        if (folder / f"{name}.npy").is_file():
            return np.asarray(np.load(folder / f"{name}.npy"), np.float32)
    return read_depth(folder / f"{frame.image.stem}.png")
