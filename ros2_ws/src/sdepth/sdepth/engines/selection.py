"""Which engine runs the network: the one asked for, or the fastest there is."""

from __future__ import annotations

import importlib.util
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.engines.golden import FOCAL_SCALE, check, golden_frame
from sdepth.engines.onnxruntime_engine import OnnxRuntimeEngine
from sdepth.engines.openvino_engine import OpenVinoEngine
from sdepth.engines.source import Source, atomic, cache_folder
from sdepth.engines.tensorrt_engine import TensorRtEngine
from sdepth.engines.torch_engine import TorchEngine
from sdepth.errors import ConfigError, EngineError, SdepthError

AUTO = "auto"
PRECISIONS = ("fp32", "fp16", "bf16", "int8")
_ROUNDS, _WORTH_IT = 7, 0.9
"""Images each engine is timed on; share of PyTorch's time above which another is no gain."""


class Engine(Protocol):
    """A network that is ready to run."""

    def __call__(self, image: NDArray[np.uint8], focal_scale: float) -> NDArray[np.float32]:
        """Return depth (h, w), metres, the caller's own.

        Args:
            image: RGB (h, w, 3) of the network's size.
            focal_scale: the camera's focal ratio over the canonical one.
        """


@dataclass(frozen=True)
class Kind:
    """An engine, and the precisions it has on each type of device."""

    make: Callable[[Source], Engine]
    cpu: tuple[str, ...] = ()
    cuda: tuple[str, ...] = ()

    def does(self, source: Source) -> bool:
        """Tell whether it has a source's precision on the source's device."""
        return source.precision in {"cpu": self.cpu, "cuda": self.cuda}.get(source.device.type, ())


ENGINES = {
    "torch": Kind(TorchEngine, cpu=("fp32", "bf16"), cuda=("fp32", "fp16", "bf16")),
    "onnxruntime": Kind(OnnxRuntimeEngine, cpu=("fp32", "int8")),
    "openvino": Kind(OpenVinoEngine, cpu=("fp32", "bf16", "int8")),
    "tensorrt": Kind(TensorRtEngine, cuda=("fp32", "fp16")),
}
"""By name, which is also that of the package to import and to install."""


def installed() -> list[str]:
    """Return the engines whose package is here."""
    return [name for name in ENGINES if importlib.util.find_spec(name)]


def choose(source: Source, name: str = AUTO) -> tuple[Engine, str]:
    """Return an engine that answers as PyTorch does, and which it is and why.

    Args:
        source: checkpoint, device and precision.
        name: of ``ENGINES``, or ``auto``: the fastest that is installed, timed at the first use
            on a machine.

    Raises:
        ConfigError: no such engine or precision, not installed, or not for this device.
        CheckpointError: the checkpoint cannot be used.
        EngineError: its answers differ too much from PyTorch's.
    """
    if name not in (AUTO, *ENGINES):
        raise ConfigError(f"engine {name!r}: expected one of {[AUTO, *ENGINES]}")
    if source.precision not in PRECISIONS:
        raise ConfigError(f"precision {source.precision!r}: expected one of {[*PRECISIONS]}")
    able = [n for n, kind in ENGINES.items() if kind.does(source)]
    where = f"{source.precision} on {source.device.type}"
    if name == AUTO:
        candidates = [n for n in able if n in installed()]
        if not candidates:
            raise ConfigError(f"no engine here for {where}; {_install(able) or 'take fp32'}")
        return _fastest(source, candidates)
    if name not in able:
        raise ConfigError(f"engine {name!r} does not do {where}; expected one of {able}")
    if name not in installed():
        raise ConfigError(f"engine {name!r} is not installed; {_install([name])}, or take auto")
    return _make(source, name), f"{name} {source.precision}, as asked for"


def _install(names: list[str]) -> str:
    """Return how to get engines."""
    return " or ".join(f"pip install {name}" for name in names)


def _version(name: str) -> str:
    """Return the version of a package, "" where it was not installed by pip."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _make(source: Source, name: str) -> Engine:
    """Return the engine, once it has answered the golden frame."""
    try:
        engine = ENGINES[name].make(source)
        if (name, source.precision) != ("torch", "fp32"):  # that is what others are checked by
            check(engine, source, name)
    except SdepthError:
        raise
    except Exception as err:  # each library has its own errors, and not all derive from one
        first_line = next(iter(str(err).splitlines()), type(err).__name__)
        raise EngineError(
            f"engine {name}: {first_line}; remove {cache_folder()} and try again, "
            "or take engine torch"
        ) from err
    return engine


def _fastest(source: Source, names: list[str]) -> tuple[Engine, str]:
    """Return the fastest engine: by the times of an earlier start, or as timed now."""
    if len(names) == 1:
        return _make(source, names[0]), f"{names[0]} {source.precision}, the only one here"
    versions = (f"{name} {_version(name)}" for name in names)
    known = source.cached("json", *versions, f"{torch.get_num_threads()} threads")
    if known.is_file():
        times: dict[str, float] = json.loads(known.read_text())
        return _make(source, _pick(times)), _reason(source, times)
    engines = _all(source, names)
    times = best_ms(engines, source.card.input_size)
    with atomic(known) as partial:
        partial.write_text(json.dumps(times) + "\n")
    return engines[_pick(times)], _reason(source, times)


def _all(source: Source, names: list[str]) -> dict[str, Engine]:
    """Return every engine that can be made; raise if none can."""
    engines: dict[str, Engine] = {}
    errors: list[SdepthError] = []
    for name in names:
        try:
            engines[name] = _make(source, name)
        except SdepthError as err:
            logging.getLogger(__name__).warning("engine %s is left out: %s", name, err)
            errors.append(err)
    if not engines:
        raise errors[0]
    return engines


def best_ms(
    engines: Mapping[str, Engine], size: tuple[int, int], rounds: int = _ROUNDS
) -> dict[str, float]:
    """Return the shortest time of each engine, milliseconds; they take turns, noise is shared."""
    frame = golden_frame(size)
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds + 2):
        for name, engine in engines.items():
            since = time.perf_counter()
            engine(frame, FOCAL_SCALE)
            times[name].append(1e3 * (time.perf_counter() - since))
    return {name: min(values[2:]) for name, values in times.items()}


def _pick(times: Mapping[str, float]) -> str:
    """Return the fastest; PyTorch, unless another is clearly faster."""
    fastest = min(times, key=times.__getitem__)
    gains = times[fastest] < _WORTH_IT * times.get("torch", float("inf"))
    return fastest if gains else "torch"


def _reason(source: Source, times: Mapping[str, float]) -> str:
    """Return the engine picked and all times, in words."""
    listed = ", ".join(
        f"{name} {ms:.1f} ms" for name, ms in sorted(times.items(), key=lambda item: item[1])
    )
    return f"{_pick(times)} {source.precision}: {listed}"
