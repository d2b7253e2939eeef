"""Make true depth of KITTI's LiDAR sweeps, as the field does, or of any stereo pair's images.

    python -m training.data.export_truth KITTI eigen.npz --split eigen/test_files.txt --along lidar
    python -m training.data.export_truth KITTI/2011_09_26/2011_09_26_drive_0052_sync drive.npz
    python -m training.data.export_truth KITTI/sequences/06 stereo.npz --stereo --stride 3
    python -m training.data.export_truth DRIVE stereo.npz --stereo --baseline 0.12

With --stereo truth is by semi-global matching, where both cameras agree within a pixel, out to
where half a pixel is a tenth of the depth (76 m for KITTI's pair). Drives hold image_0/ and
image_1/, or image_2/ and image_3/, with KITTI's calib.txt, whose rows tell the baseline; or left/
and right/, rectified, with calib.txt (P0: fx 0 cx 0 0 fy cy 0 0 0 1 0) and --baseline. Images of
one name are a pair. Score by --protocol stereo80 (kitti-stereo for KITTI's own).

Without it, KITTI is the raw data: DATE/calib_*.txt and
DATE/DRIVE/velodyne_points/data/0000000000.bin; without --split, every sweep. Rules are those of
monodepth2's generate_depth_map: points with LiDAR x >= 0, pixels rounded and then less one
(KITTI's MATLAB code counts from 1), the nearest point of a pixel wins. --along lidar writes x of
the LiDAR, as monodepth2's export does and published Eigen rows were counted on; --along camera
(default) writes depth along the optical axis, about 0.28 m less.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.cli import make_parser, one_or_more, positive, run
from sdepth.errors import ConfigError, DataError
from sdepth.shapes import check_shape
from training.data.open_drive import find_drives
from training.data.split import read_list
from training.data.stereo import DISPARITIES, depths_of
from training.evaluate.examples import Depth


@dataclass(frozen=True)
class LidarCamera:
    """How KITTI's left colour camera sees the LiDAR's points.

    Attributes:
        P_image_lidar: (3, 4), homogeneous pixels of LiDAR points.
        size: of the rectified image (height, width).
    """

    P_image_lidar: NDArray[np.float64]
    size: tuple[int, int]


def read_calibration(folder: Path) -> LidarCamera:
    """Return the calibration of a day (``DATE``).

    Raises:
        DataError: a file or row is missing or damaged.
    """
    cameras = _read_rows(folder / "calib_cam_to_cam.txt", {"P_rect_02": 12, "R_rect_00": 9})
    lidar = _read_rows(folder / "calib_velo_to_cam.txt", {"R": 9, "T": 3})
    size = _read_rows(folder / "calib_cam_to_cam.txt", {"S_rect_02": 2})["S_rect_02"]
    R_rect, T_cam_lidar = np.eye(4), np.eye(4)
    R_rect[:3, :3] = cameras["R_rect_00"].reshape(3, 3)
    T_cam_lidar[:3, :3] = lidar["R"].reshape(3, 3)
    T_cam_lidar[:3, 3] = lidar["T"]
    P = cameras["P_rect_02"].reshape(3, 4) @ R_rect @ T_cam_lidar
    return LidarCamera(P, (int(size[1]), int(size[0])))


def read_sweep(path: Path) -> NDArray[np.float32]:
    """Return the points (N, 4) of a LiDAR sweep: x forward, y left, z up, metres; reflectance.

    Raises:
        DataError: missing or cut short.
    """
    if not path.is_file():
        raise DataError(f"{path}: no LiDAR sweep; it comes with the drive's synced download")
    numbers = np.fromfile(path, np.float32)
    if not numbers.size or numbers.size % 4:
        raise DataError(f"{path}: {numbers.size} numbers, not 4 for each point; download it again")
    return numbers.reshape(-1, 4)


def project(points: NDArray[np.float32], camera: LidarCamera, along: str = "camera") -> Depth:
    """Return sparse depth (H, W), metres, 0 where no point falls.

    Convention: unlike elsewhere here, a pixel is the rounded one less 1 (see the module).

    Args:
        points: (N, 4) of a sweep.
        camera: that sees them.
        along: "camera" for depth along the optical axis, "lidar" for the LiDAR's x.

    Raises:
        ShapeError: points are not (N, 4).

    Source: Eigen et al. 2014; rounding and order as in monodepth2's generate_depth_map.
    """
    check_shape("points", points, "N 4")
    points = points[points[:, 0] >= 0].astype(np.float64)
    uvw = np.column_stack([points[:, :3], np.ones(len(points))]) @ camera.P_image_lidar.T
    z = np.asarray(points[:, 0] if along == "lidar" else uvw[:, 2], np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        uv = np.round(uvw[:, :2] / uvw[:, 2:]) - 1
    return nearest(uv, z, camera.size)


def nearest(uv: NDArray[np.float64], z: NDArray[np.float64], size: tuple[int, int]) -> Depth:
    """Return sparse depth (H, W), metres, 0 where no point falls: the nearest of each pixel.

    Args:
        uv: whole pixels (N, 2); those outside the image are left out.
        z: (N,) depths, metres; those that are not positive are left out.
        size: (height, width).
    """
    height, width = size
    inside = (uv >= 0).all(1) & (uv[:, 0] < width) & (uv[:, 1] < height) & (z > 0)
    u, v = uv[inside].astype(int).T
    depth = np.full(size, np.inf)
    np.minimum.at(depth, (v, u), z[inside])
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32)


def export_truth(root: Path, out: Path, lines: tuple[str, ...], along: str) -> None:
    """Write the depth of each line's image ("DATE/DRIVE NUMBER l") to ``out`` (.npz).

    Images of other sizes than the largest are padded below and on the right; ``sizes`` tells.

    Raises:
        DataError: a line is of another form, or its calibration or sweep is missing or damaged.
    """
    cameras: dict[str, LidarCamera] = {}
    depths = []
    for line in tqdm(lines, unit="image", mininterval=1):
        drive, number = _parse(line)
        date = drive.parent.name
        if date not in cameras:
            cameras[date] = read_calibration(root / date)
        sweep = root / drive / "velodyne_points" / "data" / f"{number:010d}.bin"
        depths.append(project(read_sweep(sweep), cameras[date], along))
    write_truth(out, lines, depths)


def export_stereo(
    root: Path, out: Path, baseline_m: float | None, disparities: int, stride: int
) -> int:
    """Write the depth of the left images of the pairs under ``root``; return how many they are.

    Raises:
        DataError: no drives, or one that ``depths_of`` refuses.
    """
    lines, depths = [], []
    for folder in find_drives(root):
        found = depths_of(folder, baseline_m, disparities, stride)
        for name, depth in tqdm(found, desc=folder.name, unit="pair", mininterval=1):
            lines.append(f"{folder.name} {name} l")
            depths.append(depth)
    write_truth(out, lines, depths)
    return len(lines)


def write_truth(out: Path, lines: Sequence[str], depths: Sequence[Depth]) -> None:
    """Write what ``training.evaluate`` reads: depths (H, W), metres, and the image of each.

    Args:
        out: ends in .npz.
        lines: "FOLDER NUMBER l" of each.
        depths: of any sizes.
    """
    sizes = np.array([depth.shape for depth in depths])
    data = np.zeros((len(depths), *sizes.max(0)), np.float32)
    for padded, depth in zip(data, depths, strict=True):
        padded[: depth.shape[0], : depth.shape[1]] = depth
    names = [line.split()[1] for line in lines]
    frames = np.array([int(name) if name.isdigit() else -1 for name in names])
    np.savez_compressed(out, data=data, frames=frames, lines=np.array(lines), sizes=sizes)


def all_sweeps(root: Path) -> tuple[str, ...]:
    """Return a line for every sweep of the drives under ``root`` (the raw data's root).

    Raises:
        DataError: there is none.
    """
    lines = tuple(
        f"{drive.parent.name}/{drive.name} {sweep.stem} l"
        for drive in find_drives(root)
        for sweep in sorted((drive / "velodyne_points" / "data").glob("[!.]*.bin"))
    )
    if not lines:
        raise DataError(f"{root}: no LiDAR sweeps; expected velodyne_points/data/0000000000.bin")
    return lines


def _parse(line: str) -> tuple[Path, int]:
    """Return DATE/DRIVE and frame number of a test list's line."""
    parts = line.split()
    if len(parts) < 2 or "/" not in parts[0] or not parts[1].isdigit():
        raise DataError(f"'{line}': expected 'DATE/DRIVE NUMBER l', as in Eigen's test list")
    if len(parts) > 2 and parts[2] != "l":
        raise DataError(f"'{line}': only the left camera's images can be made truth for")
    return Path(parts[0]), int(parts[1])


def _read_rows(path: Path, counts: dict[str, int]) -> dict[str, NDArray[np.float64]]:
    """Return the wanted rows of a KITTI calibration file, of so many numbers each."""
    if not path.is_file():
        raise DataError(f"{path}: missing; it comes with KITTI's 'calibration' download")
    rows = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    try:
        found = {name: np.array(rows[name].split(), np.float64) for name in counts}
    except (KeyError, ValueError) as err:
        raise DataError(f"{path}: row {err} is missing or not numbers") from err
    wrong = [name for name, count in counts.items() if found[name].shape != (count,)]
    if wrong:
        raise DataError(f"{path}: row '{wrong[0]}:' is not {counts[wrong[0]]} numbers")
    return found


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.data.export_truth", __doc__)
    parser.add_argument("root", type=Path, help="KITTI raw, or one drive of it without --split; "
        "with --stereo drives of two cameras")  # fmt: skip
    parser.add_argument("out", type=Path, help="ends in .npz")
    parser.add_argument("--split", type=Path, help="test list: 'DATE/DRIVE NUMBER l' a line")
    parser.add_argument("--along", choices=["camera", "lidar"], default="camera")
    pair = parser.add_argument_group("of two cameras")
    pair.add_argument("--stereo", action="store_true", help="match images, read no LiDAR")
    pair.add_argument("--baseline", type=positive, metavar="M", help="between the cameras, metres")
    pair.add_argument("--disparities", type=one_or_more, default=DISPARITIES, metavar="PX",
        help="tried, a multiple of 16 (%(default)s)")  # fmt: skip
    pair.add_argument("--stride", type=one_or_more, default=1, help="match every n-th pair")
    o = parser.parse_args(args)

    def work() -> None:
        if o.stereo:
            if o.split:
                raise ConfigError("--stereo takes no --split")
            count = export_stereo(o.root, o.out, o.baseline, o.disparities, o.stride)
            print(f"{o.out}: {count} images, depth along the camera's axis, by stereo")
            return
        lines = read_list(o.split) if o.split else all_sweeps(o.root)
        above = (o.root, o.root.resolve().parent, o.root.resolve().parent.parent)
        root = next((r for r in above if (r / _parse(lines[0])[0]).is_dir()), o.root)
        export_truth(root, o.out, lines, o.along)
        print(f"{o.out}: {len(lines)} images, depth along the {o.along}'s axis")

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
