"""nuScenes' front camera, as it is downloaded; its tables are read without the devkit.

    ROOT/v1.0-trainval/{scene,sample,sample_data,ego_pose,calibrated_sensor,sensor}.json
    ROOT/{samples,sweeps}/CAM_FRONT/*.jpg                 12 Hz, 1600x900, rectified

Source: Caesar et al. 2020 and the devkit's description of the tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from sdepth.errors import DataError
from training.data.check import lens_of
from training.data.drive import Drive, Frame
from training.data.poses import Pose, from_first

CHANNEL = "CAM_FRONT"
Light = Literal["all", "day", "night"]
Row = dict[str, Any]
_PIECE = 1 << 24
_BETWEEN = re.compile(r"[\[,\s]*")


def read(root: Path, light: Light = "all", names: Collection[str] = ()) -> list[Drive]:
    """Return a drive for each scene, in order of their names.

    Every image that the tables name is a frame, also where its file is missing.

    Args:
        root: folder that holds the tables' folder, samples/ and sweeps/.
        light: scenes whose description says night, the others, or all.
        names: of the scenes to keep, such as scene-0103; none keep all.

    Raises:
        DataError: tables missing or damaged, or no scene is left.
        CameraError: a calibration is not that of a camera.
    """
    tables = _find_tables(root)
    wanted = {
        row["token"]: row["name"]
        for row in _rows(tables / "scene.json")
        if light in ("all", "night" if "night" in row["description"].lower() else "day")
        and (not names or row["name"] in names)
    }
    if not wanted:
        named = f", named one of {', '.join(sorted(names)[:5])}" if names else ""
        raise DataError(f"{tables / 'scene.json'}: no scene of light {light}{named}")
    try:
        drives = _join(root, tables, wanted)
    except KeyError as err:
        raise DataError(f"{tables}: nothing under {err}; unpack 'metadata' again") from err
    return sorted(drives, key=lambda drive: drive.name)


def _join(root: Path, tables: Path, wanted: dict[str, str]) -> list[Drive]:
    """Return the drives of the scenes ``wanted``, names by token."""
    scene_of = {r["token"]: r["scene_token"] for r in _rows(tables / "sample.json")}
    sensors = {r["token"] for r in _rows(tables / "sensor.json") if r["channel"] == CHANNEL}
    lenses = {r["token"]: r for r in _rows(tables / "calibrated_sensor.json")
              if r["sensor_token"] in sensors}  # fmt: skip
    shots: dict[str, list[Row]] = {token: [] for token in wanted}
    for row in _rows(tables / "sample_data.json"):
        if row["calibrated_sensor_token"] in lenses:
            shots.get(scene_of[row["sample_token"]], []).append(row)
    used = {row["ego_pose_token"] for rows in shots.values() for row in rows}
    egos = {
        r["token"]: _transform(r) for r in _rows(tables / "ego_pose.json") if r["token"] in used
    }
    return [_drive(root, wanted[scene], rows, lenses, egos) for scene, rows in shots.items()]


def _drive(
    root: Path, name: str, rows: list[Row], lenses: dict[str, Row], egos: dict[str, Pose]
) -> Drive:
    """Return a scene's drive."""
    if not rows or len(used := {row["calibrated_sensor_token"] for row in rows}) > 1:
        raise DataError(f"{root}: {name}: no images of one {CHANNEL} in sample_data.json")
    lens, first = lenses[used.pop()], rows[0]
    K = np.array(lens["camera_intrinsic"], np.float64).reshape(3, 3)
    camera = lens_of(K, (first["width"], first["height"]), f"{root}: {name}")
    T_ego_cam = _transform(lens)
    rows = sorted(rows, key=lambda row: int(row["timestamp"]))
    poses = from_first([egos[row["ego_pose_token"]] @ T_ego_cam for row in rows])
    frames = [
        Frame(root / row["filename"], 1000 * row["timestamp"], pose)
        for row, pose in zip(rows, poses, strict=True)
    ]
    return Drive(name, camera, tuple(frames), float(T_ego_cam[2, 3]))


def _find_tables(root: Path) -> Path:
    """Return the folder of the tables, having checked that all are there."""
    found = sorted(path.parent for path in root.glob("v1.0-*/scene.json"))
    if len(found) != 1:
        got = ", ".join(path.name for path in found) or "none"
        raise DataError(
            f"{root}: expected one folder of tables such as v1.0-trainval/ with scene.json, got "
            f"{got}; unpack the 'metadata' download here, and keep one version"
        )
    names = "scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor"
    missing = [f"{name}.json" for name in names if not (found[0] / f"{name}.json").is_file()]
    if missing:
        raise DataError(f"{found[0]}: {', '.join(missing)} missing; unpack 'metadata' again")
    return found[0]


def _transform(row: Row) -> Pose:
    """Return T (4, 4) of a row's translation, metres, and rotation (w, x, y, z)."""
    T = np.eye(4)
    w, x, y, z = row["rotation"]
    T[:3, :3] = Rotation.from_quat([x, y, z, w]).as_matrix()
    T[:3, 3] = row["translation"]
    return T


def _rows(path: Path) -> Iterator[Row]:
    """Yield a table's rows one by one: all at once, sample_data takes more memory than is there.

    Raises:
        DataError: the table ends early or is not a list of rows.
    """
    decode, text, at = json.JSONDecoder().raw_decode, "", 0
    with path.open() as file:
        while piece := file.read(_PIECE):
            text, at = text[at:] + piece, 0
            while (at := _BETWEEN.match(text, at).end()) < len(text) and text[at] == "{":  # type: ignore[union-attr]
                try:
                    row, at = decode(text, at)
                except json.JSONDecodeError:
                    break
                yield row
    if text[at:].strip() != "]":
        raise DataError(f"{path}: ends early, or is not a list of rows; unpack 'metadata' again")
