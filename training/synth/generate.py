"""Writes a data set of synthetic drives: in parallel, resumable, to the same bytes every time.

A sequence can be read once its ``calib.txt`` is there, which is written last; a frame is finished
once its image is there, likewise.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from queue import Empty

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.files import write_bytes
from training.data.drive import code_depth
from training.data.write import claim, put_png
from training.synth.config import (
    FRAME_PERIOD_S,
    VERSIONS,
    DatasetConfig,
    SequenceConfig,
    draw_sequence,
)
from training.synth.render import Rendered, SequenceRenderer

_KINDS = ("depth_2", "mask_2", "image_2")
"""Written in this order, so that an image stands for a finished frame."""


def generate(out: Path, config: DatasetConfig, workers: int = 1) -> None:
    """Render what is missing of the data set ``config`` under ``out``.

    Raises:
        DataError: ``out`` holds a data set made with other arguments, or something else.
    """
    version = VERSIONS[config.domain]
    claim(out, {"generator": "training.synth", "version": version, **asdict(config)})
    todo = [i for i in range(config.sequences) if not _finished(out, config, i)]
    total = sum(len(_missing(out, config, i)) for i in todo)
    with tqdm(total=total, unit="frame", desc=f"{out.name} ({config.domain})") as bar:
        if workers <= 1 or not todo:
            for i in todo:
                frames = _missing(out, config, i)
                _put_texts(out, render_frames(out, config, i, frames, bar.update))
            return
        for done in _in_parallel(out, config, todo, workers):
            bar.update(done)


def render_frames(
    out: Path,
    config: DatasetConfig,
    index: int,
    frames: Sequence[int],
    tell: Callable[[int], object],
) -> dict[Path, bytes]:
    """Render frames of one sequence; return the files to write once all its frames are there.

    Args:
        out: folder of the data set.
        config: its arguments.
        index: number of the sequence.
        frames: which to render.
        tell: called with 1 after each frame.
    """
    cv2.setNumThreads(1)
    cfg = draw_sequence(config, index)
    folder = _folder(out, index)
    for kind in _KINDS:
        (folder / kind).mkdir(parents=True, exist_ok=True)
    renderer = SequenceRenderer(cfg)
    for i in frames:
        _write_frame(folder, i, renderer.frame(i))
        tell(1)
    return _texts(out, cfg, renderer)


def _in_parallel(out: Path, config: DatasetConfig, todo: list[int], workers: int) -> Iterator[int]:
    """Yield the number of frames finished, as the workers finish them.

    Workers share the frames of a sequence where there are fewer sequences than workers.
    """
    shares = max(1, workers // len(todo))
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(workers, context) as pool:
        told = manager.Queue()
        running = {}
        for i in todo:
            frames = _missing(out, config, i)
            running[i] = [
                pool.submit(render_frames, out, config, i, frames[k::shares], told.put)
                for k in range(shares)
            ]
        while running or not told.empty():
            for i, jobs in [*running.items()]:
                texts = [job.result() for job in jobs if job.done()]  # raises what a worker raised
                if len(texts) == shares:
                    _put_texts(out, texts[0])
                    del running[i]
            with contextlib.suppress(Empty):
                yield told.get(timeout=0.2)


def _folder(out: Path, index: int) -> Path:
    """Return the folder of a sequence."""
    return out / "sequences" / f"{index:02d}"


def _missing(out: Path, config: DatasetConfig, index: int) -> list[int]:
    """Return the frames of a sequence still to be rendered."""
    folder = _folder(out, index)
    return [
        i
        for i in range(config.frames)
        if not all((folder / kind / f"{i:06d}.png").is_file() for kind in _KINDS)
    ]


def _finished(out: Path, config: DatasetConfig, index: int) -> bool:
    """Return whether nothing of a sequence is missing."""
    return (_folder(out, index) / "calib.txt").is_file() and not _missing(out, config, index)


def _write_frame(folder: Path, i: int, frame: Rendered) -> None:
    """Write depth, mask and image of one frame."""
    bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
    images: tuple[NDArray, ...] = (code_depth(frame.depth), frame.mask, bgr)
    for kind, image in zip(_KINDS, images, strict=True):
        put_png(folder / kind / f"{i:06d}.png", image, compression=4)


def _put_texts(out: Path, texts: dict[Path, bytes]) -> None:
    """Write what ``_texts`` returned, in its order."""
    (out / "poses").mkdir(exist_ok=True)
    for path, content in texts.items():
        write_bytes(path, content)


def _texts(out: Path, cfg: SequenceConfig, renderer: SequenceRenderer) -> dict[Path, bytes]:
    """Return meta, times, poses and, last, calibration of one sequence."""
    folder, shown = _folder(out, cfg.index), np.s_[: cfg.data.ticks : cfg.data.every]
    T, speed = renderer.ego.T_world_cam[shown], renderer.ego.speed[shown]
    T_first_cam = np.linalg.inv(T[0]) @ T
    meta = {
        "generator": "training.synth",
        "version": VERSIONS[cfg.data.domain],
        "domain": cfg.data.domain,
        "seed": cfg.data.seed,
        "index": cfg.index,
        "width": cfg.data.width,
        "height": cfg.data.height,
        "camera_height_m": cfg.camera_height_m,
        "pitch_deg": cfg.pitch_deg,
        "speed_mps": {"mean": speed.mean(), "min": speed.min(), "max": speed.max()},
        "focal_over_width": cfg.focal,
        "motorway": cfg.scene.motorway,
        "jam": cfg.scene.jam,
        "overhead": [o.kind for o in cfg.scene.overhead],
        "objects": renderer.street.objects,
        "town": dict(zip(("city", "suburb", "country"), cfg.town, strict=True)),
        "daylight": [round(float(d), 4) for d in cfg.daylight()],
    }
    times = "".join(f"{i * cfg.data.every * FRAME_PERIOD_S:.6f}\n" for i in range(cfg.data.frames))
    poses = "".join(" ".join(f"{x:.9e}" for x in t[:3].ravel()) + "\n" for t in T_first_cam)
    K = cfg.camera.K
    row = " ".join(f"{x:.9e}" for x in np.hstack([K, np.zeros((3, 1))]).ravel())
    texts = {
        folder / "meta.json": json.dumps(meta, indent=2) + "\n",
        folder / "times.txt": times,
        out / "poses" / f"{cfg.index:02d}.txt": poses,
        folder / "calib.txt": "".join(f"P{k}: {row}\n" for k in range(4)),
    }
    return {path: text.encode() for path, text in texts.items()}
