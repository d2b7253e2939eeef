"""The whole of it: open, sift, divide, train, judge, write or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sdepth.checkpoint import read_card
from sdepth.depth.daynight import AUTO, DAY, NIGHT
from sdepth.errors import CheckpointError
from sdepth.files import write_bytes, write_json
from sdepth.threads import one_thread
from training.adapt.judge import Judge
from training.adapt.learn import Budget, Day, blend, configure, run
from training.adapt.prepare import Material, check_enough, divide
from training.adapt.report import Part, write_report
from training.adapt.sift import Sifted, sift
from training.adapt.sources import Options, open_sources
from training.adapt.teach import write
from training.adapt.verdict import decide
from training.processes import Processes
from training.run_folder import git_commit
from training.spread import Workers

DRIVES = "drives"
"""Folder of what is trained on."""
LEAST_SEEN = 0.1
"""Of the picture must be triangulated: motorways are at 0.03 to 0.2, streets at 0.2 to 0.45."""
SHARES = (1.0, 0.5)
"""Of the way from the old weights to the new: what is tried, in this order."""


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        drives: in any form that ``open_sources`` knows.
        outs: where weights go, by mode.
        starts: weights to go on from, by mode.
        folder: of work and report.
        budget: of training, each mode.
        options: what drives do not say themselves.
        overrides: KEY=VALUE of ``training/configs/adapt.yaml``.
        force: write weights that are not better, too.
        command: for the card.
        night_drives: likewise, and by night however bright they are.
        workers: each takes a drive.
        processes: that train together; this is the first.
    """

    drives: tuple[Path, ...]
    outs: Mapping[str, Path]
    starts: Mapping[str, Path]
    folder: Path
    budget: Budget
    options: Options
    overrides: tuple[str, ...] = ()
    force: bool = False
    command: str = ""
    night_drives: tuple[Path, ...] = ()
    workers: Workers = field(default_factory=Workers)
    processes: Processes = field(default_factory=Processes)


def adapt(r: Request) -> list[bool]:
    """Adapt to drives by day and by night; return of each with enough frames if it is better.

    Raises:
        DataError: nothing to learn from, or damaged.
        CameraError: a calibration is not that of a camera.
        CheckpointError: the weights to start from cannot be used, or the folder holds another run.
    """
    size, by_night = (read_card(r.starts[mode]).input_size for mode in (DAY, NIGHT))
    if size != by_night:
        raise CheckpointError(
            f"weights by day take {size}, by night {by_night}; expected one size"
        )
    scratch = r.folder / "bags"
    paths = [*((p, AUTO) for p in r.drives), *((p, NIGHT) for p in r.night_drives)]
    found = r.workers.map(look, paths, r.options, scratch, size, bar="looking")
    drives = [drive for some in found for drive in some]
    print("\n".join(drive.describe() for drive in drives))
    material = [divide(drives, mode) for mode in (DAY, NIGHT)]
    check_enough(material, drives)
    parts, day = list[Part](), None
    for m in filter(_worth, material):
        judge = Judge(m.held, r.starts[m.mode], r.workers)
        if not (_seen_enough(m, judge) or r.force):
            continue
        parts.append(_adapt(r, m, day, judge))
        if m.mode == DAY:
            day = Day(r.folder / DAY / DRIVES, parts[-1].weights)
    if parts:
        write_report(r.folder, parts, [drive.describe() for drive in drives])
        print(f"{r.folder / 'report.html'}, and .png: frames side by side")
    return [part.verdict.better for part in parts]


@one_thread()
def look(
    drive: tuple[Path, str], options: Options, scratch: Path, size: tuple[int, int]
) -> list[Sifted]:
    """Return the drives at a path, by day, night or as bright as they are, sifted."""
    path, mode = drive
    return [sift(source, size, mode) for source in open_sources([path], options, scratch)]


def _worth(material: Material) -> bool:
    """Tell whether there is enough by day or by night, and say so where there is too little."""
    if material.frames and not material.enough:
        print(f"by {material.mode}: {material.frames} frames are too few; left as it is")
    return material.enough


def _seen_enough(material: Material, judge: Judge) -> bool:
    """Tell whether the images say enough about depth, and say so where they do not."""
    seen = float(np.mean(np.concatenate([k.triangulated for k in judge.known]) > 0))
    if seen < LEAST_SEEN:
        print(
            f"by {material.mode}: not learned from: {seen:.0%} of the picture says how far it is, "
            f"less than {LEAST_SEEN:.0%}: hardly anything comes nearer, or there is no texture "
            "(--force learns all the same)"
        )
    return seen >= LEAST_SEEN


def _adapt(r: Request, material: Material, day: Day | None, judge: Judge) -> Part:
    """Adapt by day or by night, with what the day taught; return what came of it."""
    mode, folder = material.mode, r.folder / material.mode
    if mode == NIGHT and day is None:
        print("by night: no drive by day, so no prior of the day")
    write(folder / DRIVES, material, r.starts[mode], r.workers)
    config = configure(r.starts[mode], material, folder / DRIVES, day, r.overrides)
    run(config, folder / "run", r.budget, material.frames, r.command, r.processes)
    best = _judged(r, material, judge)
    write_json(folder / "verdict.json", best.verdict.record())
    print(f"\nby {mode}\n\n{best.verdict.table()}\n\n{best.headline}")
    return best


def _judged(r: Request, material: Material, judge: Judge) -> Part:
    """Return the first candidate that is better, written, or else the first."""
    mode, folder = material.mode, r.folder / material.mode
    before = judge(r.starts[mode])
    start, tried = r.starts[mode], list[tuple[Path, Part]]()
    for share in SHARES:
        path = folder / f"candidate_{share:g}.safetensors"
        blend(start, folder / "run", path, share, _told(r, material))
        after = judge(path)
        verdict = decide(before, after, material.has_metres)
        weights = path if verdict.better else start
        part = Part(mode, material.frames, verdict, judge, before, after, weights)
        tried.append((path, part))
        if verdict.better:
            break
    path, part = tried[-1] if tried[-1][1].verdict.better else tried[0]
    if not (part.verdict.better or r.force):
        return part
    _publish(path, r.outs[mode])
    return replace(part, written=r.outs[mode])


def _told(r: Request, material: Material) -> dict[str, Any]:
    """Return what the card of adapted weights says anew."""
    old = read_card(r.starts[material.mode])
    names = ", ".join(sorted({s.source.recording.name for s in material.train}))
    return {
        "metric": old.metric or material.has_metres,
        "domain": material.mode,
        "training_data": f"{old.training_data}; then {material.frames} frames of {names}",
        "command": r.command,
        "commit": git_commit(),
        "costs": {},
    }


def _publish(candidate: Path, out: Path) -> None:
    """Copy weights with their card to where they were asked for, each whole or not at all."""
    for suffix in (".safetensors", ".json"):
        target = out.with_suffix(suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, candidate.with_suffix(suffix).read_bytes())
