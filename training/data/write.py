"""Writing KITTI odometry's folder form, which every prepared data set is trained on in.

    OUT/dataset.json                                   what it was made of
    OUT/sequences/NAME/{calib.txt,times.txt,image_2/*,depth_2/*,meta.json}
    OUT/poses/NAME.txt                                 where every pose is known

Images keep the names their data set gave them. A file stands whole or not at all and ``calib.txt``
comes last, so a stopped run goes on where it was and a half-written sequence is no drive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.errors import DataError
from sdepth.files import write_bytes, write_json
from training.data.check import check_file_size
from training.data.drive import Frame, code_depth
from training.data.recording import RecordedFrame, Recording


@dataclass(frozen=True)
class WriteConfig:
    """How a recording is written: ``skip_broken`` leaves out frames that cannot be read."""

    skip_broken: bool = False
    workers: int = 2


def claim(out: Path, made: dict[str, Any]) -> None:
    """Write dataset.json, or check that the one there says the same.

    Raises:
        DataError: ``out`` was made with other arguments, or holds something else.
    """
    path, wanted = out / "dataset.json", json.loads(json.dumps(made))
    if path.is_file():
        try:
            found = dict(json.loads(path.read_text()))
        except (ValueError, TypeError, RecursionError) as err:
            raise DataError(f"{path}: damaged ({err}); remove it and what it lies beside") from err
        differ = {k: (found[k], v) for k, v in wanted.items() if k in found and found[k] != v}
        if differ:
            said = ", ".join(f"{k} {was!r} (now {now!r})" for k, (was, now) in differ.items())
            raise DataError(
                f"{path}: made with {said}; give the same arguments to resume, or another folder"
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise DataError(f"{out}: not empty and no dataset.json; give a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, wanted, 2)


def write_recording(
    out: Path,
    made: Recording,
    config: WriteConfig,
    tell: Callable[[int], object] = lambda _: None,
) -> dict[str, str]:
    """Return the frames left out, with why, of a recording written as ``out/sequences/NAME``.

    Args:
        out: folder of the data set.
        made: what to write; images that are there already are kept.
        config: how.
        tell: called with the number of frames done since the last call.

    Raises:
        DataError: a frame cannot be read, unless ``skip_broken``; or its size is not the camera's.
    """
    folder = out / "sequences" / made.name
    for part in ("image_2", "depth_2"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    kept, broken = [], {}
    frames = made.frames()
    with ThreadPoolExecutor(max(1, config.workers)) as pool:
        while chunk := list(islice(frames, 4 * max(1, config.workers))):
            for frame, said in zip(
                chunk, pool.map(partial(_try, folder, made), chunk), strict=True
            ):
                if isinstance(said, Frame):
                    kept.append(said)
                elif config.skip_broken:
                    broken[frame.name] = str(said)
                else:
                    raise said
                tell(1)
    if not kept:
        raise DataError(f"{made.name}: none of {made.count} frames can be read")
    _finish(out, made, kept)
    return broken


def _try(folder: Path, made: Recording, frame: RecordedFrame) -> Frame | DataError:
    """Return the frame written, or why it could not be read."""
    try:
        return _place(folder, made, frame)
    except DataError as err:
        return err


def _place(folder: Path, made: Recording, frame: RecordedFrame) -> Frame:
    """Return the frame, with its files in place."""
    if isinstance(frame.image, Path):
        check_file_size(frame.image, made.camera)
        image = folder / "image_2" / f"{frame.name}{frame.image.suffix}"
        _link(image, frame.image)
    else:
        image = folder / "image_2" / f"{frame.name}.png"
        if not image.is_file():
            pixels = made.rectified(frame.image(), frame.name)
            put_png(image, np.ascontiguousarray(pixels[..., ::-1]))
    if frame.depth is not None:
        depth = folder / "depth_2" / f"{frame.name}.png"
        if isinstance(frame.depth, Path):
            _link(depth, frame.depth)
        elif not depth.is_file():
            put_png(depth, code_depth(frame.depth()))
    return Frame(image, frame.stamp_ns, frame.T_world_cam)


def _finish(out: Path, made: Recording, frames: Sequence[Frame]) -> None:
    """Write times, poses and, last, calibration; remove images an earlier run left over."""
    folder = out / "sequences" / made.name
    for path in (folder / "image_2").iterdir():
        if path.name not in {frame.image.name for frame in frames}:
            path.unlink()
    if not any((folder / "depth_2").iterdir()):
        (folder / "depth_2").rmdir()
    times = (f"{f.stamp_ns // 10**9}.{f.stamp_ns % 10**9:09d}\n" for f in frames)
    write_bytes(folder / "times.txt", "".join(times).encode())
    poses = [frame.T_world_cam for frame in frames if frame.T_world_cam is not None]
    if len(poses) == len(frames):
        T_first_cam = np.linalg.inv(poses[0]) @ np.stack(poses)
        (out / "poses").mkdir(exist_ok=True)
        rows = (" ".join(f"{x:.9e}" for x in T[:3].ravel()) + "\n" for T in T_first_cam)
        write_bytes(out / "poses" / f"{made.name}.txt", "".join(rows).encode())
    if made.camera_height_m is not None:
        meta = {"camera_height_m": made.camera_height_m}
        write_json(folder / "meta.json", meta, None)
    P = np.hstack([made.camera.K, np.zeros((3, 1))])
    row = " ".join(repr(float(x)) for x in P.ravel())
    write_bytes(folder / "calib.txt", f"P2: {row}\n".encode())


def put_png(path: Path, pixels: NDArray[Any], compression: int = 1) -> None:
    """Write a PNG, whole or not at all; three channels are blue, green, red."""
    how = [cv2.IMWRITE_PNG_COMPRESSION, compression]
    write_bytes(path, cv2.imencode(".png", pixels, how)[1].tobytes())


def _link(path: Path, target: Path) -> None:
    """Link ``path`` to a file."""
    if not path.is_symlink():
        path.symlink_to(target.resolve())
