"""What is installed, what it runs on, and what to do about what is wrong, without ROS."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from sdepth.card import in_words
from sdepth.checkpoint import bundled
from sdepth.depth.daynight import DAY, NIGHT
from sdepth.depth.estimator import DepthEstimator
from sdepth.engines import ENGINES
from sdepth.errors import SdepthError

PACKAGES = (
    "sdepth", "sdepth-ros", "numpy", "opencv-python-headless", "safetensors", *ENGINES,
)  # fmt: skip
TIMED = 10
"""Images a model's time is the median of."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        what: was looked at.
        found: in words.
        fix: what to do about it; "" where all is well.
    """

    what: str
    found: str
    fix: str = ""


def machine() -> Iterator[Finding]:
    """Yield what the computer is and which packages it has."""
    yield Finding("computer", f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}")
    yield Finding("python", platform.python_version())
    for name in PACKAGES:
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            # OpenCV and others have several names; what matters is that they import.
            yield Finding(name, "not installed by pip under this name")
    yield _gpu()


def _gpu() -> Finding:
    """Return which GPU there is, or why PyTorch sees none."""
    if torch.cuda.is_available():
        names = (torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Finding("gpu", ", ".join(names))
    if Path("/dev/nvidiactl").exists() or Path("/dev/nvhost-gpu").exists():
        return Finding(
            "gpu",
            f"there is one, but PyTorch {torch.__version__} cannot use it",
            "install a PyTorch built for its CUDA: TORCH_INDEX=URL make setup; on a Jetson, "
            "NVIDIA's wheel",
        )
    return Finding("gpu", "none; networks run on the CPU")


def models(checkpoints: dict[str, Path] | None = None) -> Iterator[Finding]:
    """Yield which checkpoints can be used, and how fast.

    Args:
        checkpoints: by name; the ones that ship if not given.
    """
    for name, path in (checkpoints or {m: bundled(m) for m in (DAY, NIGHT)}).items():
        try:
            estimator = DepthEstimator(path, engine="auto")
        except SdepthError as err:
            yield Finding(f"{name} network", str(err), "git checkout the weights, or train them")
            continue
        yield Finding(
            f"{name} network",
            f"{in_words(estimator.card)}, "
            f"{_milliseconds(estimator):.1f} ms an image on {estimator.device} "
            f"({estimator.engine})",
        )


def _milliseconds(estimator: DepthEstimator) -> float:
    """Return the median time of an image, milliseconds."""
    times = []
    for _ in range(TIMED + 2):
        since = time.perf_counter()
        estimator.warm_up()
        times.append(time.perf_counter() - since)
    return 1e3 * float(np.median(times[2:]))


def report(findings: Iterable[Finding]) -> int:
    """Print findings as they come; return how many need something done."""
    wrong = 0
    for finding in findings:
        mark = "!" if finding.fix else " "
        print(f"{mark} {finding.what:24} {finding.found}", flush=True)
        if finding.fix:
            wrong += 1
            print(f"  {'':24} -> {finding.fix}", flush=True)
    return wrong
