"""What finished runs leave for good: numbers in one JSON file, valid without the runs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sdepth.checkpoint import read_tensors
from sdepth.config import from_dict
from sdepth.errors import ConfigError, DataError
from sdepth.files import write_json
from training.config import TrainConfig
from training.experiments.execute import evaluation, made, state
from training.experiments.run import Run

OUT = "OUT"
"""Stands for the folder of the study in recorded values, wherever it was."""
RECORDED = "recorded"


@dataclass(frozen=True)
class Record:
    """A finished run in numbers.

    Attributes:
        values: that made it, ``OUT`` in place of the study's folder; what they do not say is
            TrainConfig's default.
        made: device, PyTorch version, seconds per step and hash of the start; empty if not known.
        evaluation: of its weights, without long lists; empty for a warm-up.
        networks: number of tensors of depth and pose networks, and a hash of names and shapes.
    """

    values: dict[str, Any]
    made: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    networks: str = ""

    def fits(self, run: Run) -> bool:
        """Return whether this is what the run would give now, scored on the same drives."""
        values = _replaced(self.values, OUT, str(run.out))
        try:
            same = from_dict(TrainConfig, values, RECORDED) == run.config()
        except ConfigError:  # of keys that are no more
            return False
        return same and (run.configuration is None or run.scored(self.evaluation))


def key(run: Run) -> str:
    """Return what a run is filed under."""
    return run.folder.relative_to(run.out).as_posix()


def finished(run: Run) -> tuple[Record, dict[str, Any]] | None:
    """Return the record of a run on disk and its whole evaluation, or None."""
    if state(run) != "trained":
        return None
    found = evaluation(run) or {}
    if run.configuration is not None and not found:
        return None
    values = _replaced(run.values(), str(run.out), OUT)
    short = {k: v for k, v in found.items() if k != "per_drive"}
    return Record(values, made(run), short, describe_networks(run.weights)), found


def status(run: Run, records: Mapping[str, Record]) -> str:
    """Return the state of a run, or ``recorded``: its numbers are known, its weights are gone."""
    now = state(run)
    if now == "trained":
        if run.configuration is None or evaluation(run) is not None:
            return now
        now = "trained, to be evaluated"
    record = records.get(key(run))
    if record is None or now.startswith("failed"):
        return now
    return RECORDED if record.fits(run) else f"{now}; recorded of another configuration"


def needed(runs: Sequence[Run], records: Mapping[str, Record], again: bool = False) -> list[Run]:
    """Return the runs to be done, and the warm-ups they start from; ``again``: recorded ones too.

    A warm-up that only finished runs started from is left out.
    """
    known = {} if again else records
    done = ("trained", RECORDED)
    missing = [r for r in runs if r.configuration and status(r, known) not in done]
    starts = {r.start for r in missing}
    return [r for r in runs if r in missing or (not r.configuration and r.weights in starts)]


def describe_networks(weights: Path) -> str:
    """Return how many tensors depth and pose networks have, and a hash of names and shapes."""
    tensors = read_tensors(weights)
    shapes = {k: [*v.shape] for k, v in tensors.items() if k.startswith(("depth.", "pose."))}
    text = json.dumps(shapes, sort_keys=True)
    return f"{len(shapes)} tensors, {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def read_records(path: Path) -> dict[str, Record]:
    """Return the records of a study by key; none if there is no such file.

    Raises:
        DataError: the file is not one of ours.
    """
    if not path.is_file():
        return {}
    try:
        runs = json.loads(path.read_text())["runs"]
        return {k: Record(**r) for k, r in runs.items()}
    except (KeyError, TypeError, ValueError) as err:
        raise DataError(f"{path}: not the results of a study ({err!r}); move it away") from err


def write_records(path: Path, records: Mapping[str, Record], **more: Any) -> None:
    """Write records, and what else is to stand in the file, whole or not at all."""
    content = {**more, "runs": {k: asdict(r) for k, r in records.items()}}
    write_json(path, _finite(content))


def _replaced(values: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """Return values with one text in the place of another, wherever it stands."""
    replaced: dict[str, Any] = json.loads(json.dumps(values).replace(old, new))
    return replaced


def _finite(content: Any) -> Any:
    """Return the content with None for what is no number: JSON has no NaN."""
    if isinstance(content, dict):
        return {k: _finite(v) for k, v in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(v) for v in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
