"""Opening drives: which data set's folder form it is, and who reads that."""

from __future__ import annotations

from pathlib import Path

from sdepth.errors import DataError
from training.data import kitti_odometry, kitti_raw
from training.data.drive import Drive


def read_drive(folder: Path, right: bool = False) -> Drive:
    """Return the drive in ``folder``: a KITTI odometry sequence (ours too) or a KITTI raw drive.

    Args:
        folder: of the drive.
        right: take the right camera of the stereo pair, whose poses are left out.

    Raises:
        DataError: no such folder, no images, calibration missing, counts or times inconsistent.
        CameraError: the calibration is not that of a camera.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected a drive with images and calib.txt")
    if (folder / "calib.txt").is_file():
        return kitti_odometry.read(folder, right)
    if (folder / "image_02").is_dir():
        return kitti_raw.read(folder, right)
    raise DataError(
        f"{folder}: neither a KITTI odometry sequence (calib.txt, times.txt, image_2/) nor a "
        "KITTI raw drive (image_02/data/ under DATE/DRIVE); make one with python -m training.synth"
    )


def find_drives(root: Path) -> list[Path]:
    """Return the drive folders under ``root``: itself, ``sequences/*``, or raw ``DATE/DRIVE``.

    Raises:
        DataError: there is none.
    """
    if (root / "calib.txt").is_file() or (root / "image_02").is_dir():
        return [root]
    found = sorted(p.parent for p in root.glob("sequences/*/calib.txt"))
    found = found or sorted(p.parent for p in root.glob("**/image_02") if p.is_dir())
    if not found:
        raise DataError(f"{root}: no drives found; expected {root}/sequences/NN/calib.txt")
    return found
