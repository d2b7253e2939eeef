"""A contact sheet of real frames: image, and depth by each of several weights, in one scale.

Numbers choose; eyes find out why. By day and by night, with cameras that no training saw.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.font_manager import findfont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sdepth.checkpoint import read_card
from sdepth.depth.colorize import colorize
from sdepth.errors import ConfigError, DataError
from sdepth.geometry.camera import Camera
from training.data.drive import read_image
from training.data.open_drive import read_drive
from training.evaluate.examples import Depth, Example
from training.evaluate.predictors import Predictor, of_checkpoint
from training.evaluate.real_sets import CACHE, NIGHT_CAMERA, RealSet, load_sets
from training.evaluate.scoring import Protocol, resized

NEAR_M, FAR_M = 2.0, 80.0
"""Ends of the colours."""
_TICKS_M = (2, 3, 5, 10, 20, 40, 80)
_WIDTH, _GAP, _BAND, _HEAD, _FOOT = 2200, 8, 34, 34, 78
_PAPER, _INK, _FAINT = (250, 250, 248), (25, 25, 28), (110, 110, 115)
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class SheetFrame:
    """A frame of the sheet; ``protocol`` scores it where its truth is known."""

    title: str
    example: Example
    protocol: Protocol | None = None
    night: bool = False


FrameFinder = Callable[[Path, dict[str, RealSet]], tuple[Example, Protocol | None] | None]


def _of_set(name: str, number: int) -> FrameFinder:
    """Return a source of an image of a real set."""

    def source(_: Path, sets: dict[str, RealSet]) -> tuple[Example, Protocol | None] | None:
        one = sets.get(name)
        return None if one is None else (one.examples[number % len(one.examples)], one.protocol)

    return source


def _of_drive(place: str, number: int) -> FrameFinder:
    """Return a source of a frame of a drive."""

    def source(data: Path, _: dict[str, RealSet]) -> tuple[Example, Protocol | None] | None:
        if not (data / place).is_dir():
            return None
        drive = read_drive(data / place)
        return _unknown(drive.read(drive.frames[number % len(drive.frames)]), drive.camera)

    return source


def _of_file(pattern: str, lens: Camera) -> FrameFinder:
    """Return a source of the first image that a pattern finds, taken by ``lens``."""

    def source(data: Path, _: dict[str, RealSet]) -> tuple[Example, Protocol | None] | None:
        found = sorted(data.glob(pattern))
        return _unknown(read_image(found[0]), lens) if found else None

    return source


def _unknown(image: Picture, camera: Camera) -> tuple[Example, None]:
    """Return an example without truth."""
    return Example(image, camera, np.zeros(image.shape[:2], np.float32)), None


_COMMA = Camera(500.3, 500.3, 319.5, 240.0, 640, 352)
_STILLS = "open_driving/singles"
ROWS: tuple[tuple[tuple[str, FrameFinder], ...], ...] = (
    (
        ("KITTI, jam under a bridge", _of_set("kitti-eigen", 0)),
        ("nuScenes, Singapore", _of_set("nuScenes front", 0)),
        ("KITTI, 5 s later", _of_set("kitti-eigen", -1)),
        ("PandaSet, San Francisco", _of_drive("open_driving/pandaset_002_front", 24)),
    ),
    (
        ("KITTI 06, grey", _of_set("KITTI 06", 0)),
        ("Motorway, California", _of_drive("open_driving/udacity_i280_c", 10)),
        ("KITTI, object 1", _of_set("KITTI object", 0)),
        ("comma10k, still", _of_file(f"{_STILLS}/day/comma10k/0005_*", _COMMA)),
    ),
    (
        ("RobotCar, Oxford", _of_set("RobotCar night", 0)),
        ("RobotCar, blurred", _of_file("night_robotcar/stereo/left/00701.png", NIGHT_CAMERA)),
        ("comma10k, dusk", _of_file(f"{_STILLS}/night/comma10k/0010_*", _COMMA)),
        ("comma10k, night", _of_file(f"{_STILLS}/night/comma10k/0001_*", _COMMA)),
    ),
)
"""The last row is by night."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("checkpoints", type=Path, nargs="+", help="old ones first")
    parser.add_argument("--night", type=Path, nargs="+", default=[], metavar="CHECKPOINT",
        help="as many, for the frames by night; default: the same as by day")  # fmt: skip
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="(%(default)s)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="of stereo truth (%(default)s)")


def find_frames(data: Path, cache: Path) -> tuple[list[list[SheetFrame]], list[str]]:
    """Return the rows of frames that are at hand, and the titles of those that are not.

    Raises:
        DataError: none is at hand, or one is damaged.
    """
    sets = {one.name: one for one in load_sets(data, 3, cache)[0]}
    rows: list[list[SheetFrame]] = []
    missing = []
    for sources in ROWS:
        row = []
        for title, source in sources:
            found = source(data, sets)
            if found is None:
                missing.append(title)
            else:
                row.append(SheetFrame(title, *found, night=sources is ROWS[-1]))
        rows += [row] if row else []
    if not rows:
        raise DataError(f"{data}: none of the sheet's frames; expected {', '.join(missing)}")
    return rows, missing


def draw(o: argparse.Namespace) -> None:
    """Write the sheet."""
    nights = o.night or o.checkpoints
    if len(nights) != len(o.checkpoints):
        raise ConfigError(
            f"--night {len(nights)} checkpoints beside {len(o.checkpoints)}; expected as many"
        )
    rows, missing = find_frames(o.data, o.cache)
    day, night = ([of_checkpoint(path) for path in paths] for paths in (o.checkpoints, nights))
    strips = []
    for row in rows:
        by_night = row[0].night
        names = [_name(path) for path in (nights if by_night else o.checkpoints)]
        strips.append(_strip(row, night if by_night else day, ["image", *names]))
    sheet = np.vstack([*strips, _foot()])
    Image.fromarray(sheet).save(o.out)
    print(f"{o.out}: {sum(map(len, rows))} frames, {len(o.checkpoints)} weights")
    if missing:
        print(f"left out, not in {o.data}: {', '.join(missing)}")


def _name(path: Path) -> str:
    """Return a checkpoint's name and the start of its hash."""
    stem = f"{path.resolve().parent.name}/{path.stem}" if path.stem == "weights" else path.stem
    return f"{stem} {read_card(path).sha256[:6]}"


def _strip(
    row: Sequence[SheetFrame], predictors: Sequence[Predictor], names: Sequence[str]
) -> Picture:
    """Return frames side by side, all as high: titles, images, and depth by each predictor."""
    aspects = [frame.example.camera.width / frame.example.camera.height for frame in row]
    room = _WIDTH - _BAND - _GAP * (len(row) + 1)
    height = min(round(room / sum(aspects)), 360)
    columns = []
    for frame, aspect in zip(row, aspects, strict=True):
        size = (round(height * aspect), height)
        panels = [_panel(_visible(frame), size)]
        panels += [_depth_panel(frame, predict, size) for predict in predictors]
        columns.append((frame.title, np.vstack([_spaced(panel) for panel in panels])))
    tall = columns[0][1].shape[0]
    strip = Image.new("RGB", (_WIDTH, _HEAD + tall), _PAPER)
    pen, left = ImageDraw.Draw(strip), _BAND
    for title, column in columns:
        pen.text((left, 7), title, _INK, _font(19))
        strip.paste(Image.fromarray(column), (left, _HEAD))
        left += column.shape[1] + _GAP
    for i, name in enumerate(names):
        label = Image.new("RGB", (height, _BAND), _PAPER)
        ImageDraw.Draw(label).text((height / 2, _BAND / 2), name, _FAINT, _font(16), anchor="mm")
        strip.paste(label.rotate(90, expand=True), (0, _HEAD + i * (height + _GAP)))
    return np.asarray(strip)


def _visible(frame: SheetFrame) -> Picture:
    """Return the image, by night so that one can see it."""
    image = frame.example.image
    return np.asarray(255 * (image / 255) ** 0.55, np.uint8) if frame.night else image


def _depth_panel(frame: SheetFrame, predict: Predictor, size: tuple[int, int]) -> Picture:
    """Return depth in colours, with its error in metres where the truth is known."""
    example = frame.example
    depth: Depth = predict.of_image(example.image, example.camera)
    whole = resized(depth, (size[1], size[0]), "inv_depth")
    panel = np.ascontiguousarray(colorize(whole, NEAR_M, FAR_M)[..., ::-1])
    if frame.protocol is None:
        return panel
    error = frame.protocol.score(example.truth, depth)
    drawn = Image.fromarray(panel)
    text = f"AbsRel {error.abs_rel:.2f}, scale {error.scale:.2f}"
    pen = ImageDraw.Draw(drawn)
    pen.text((8, size[1] - 8), text, "white", _font(17), "ls", stroke_width=2, stroke_fill="black")
    return np.asarray(drawn)


def _panel(image: Picture, size: tuple[int, int]) -> Picture:
    """Return an image at ``size`` (width, height)."""
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _spaced(panel: Picture) -> Picture:
    """Return a panel with a gap below."""
    paper = np.full((_GAP, panel.shape[1], 3), _PAPER, np.uint8)
    return np.vstack([panel, paper])


def _foot() -> Picture:
    """Return the bar of the colours, in metres."""
    foot = Image.new("RGB", (_WIDTH, _FOOT), _PAPER)
    pen, left, width = ImageDraw.Draw(foot), _BAND, _WIDTH // 2
    metres = np.geomspace(NEAR_M, FAR_M, width).astype(np.float32)[None]
    bar = np.repeat(colorize(metres, NEAR_M, FAR_M)[..., ::-1], 22, 0)
    foot.paste(Image.fromarray(bar), (left, 14))
    for tick in _TICKS_M:
        x = left + round((width - 1) * np.log(tick / NEAR_M) / np.log(FAR_M / NEAR_M))
        pen.line((x, 36, x, 42), _INK, 2)
        pen.text((x, 45), f"{tick} m", _INK, _font(17), "lt" if tick == NEAR_M else "mt")
    note = "Depth in metres as it is. AbsRel by median scaling; scale is truth over estimate."
    pen.text((left + width + 60, 30), note, _FAINT, _font(17), "lm")
    return np.asarray(foot)


def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return a typeface that is wherever matplotlib is."""
    return ImageFont.truetype(findfont("DejaVu Sans"), size)
