"""Which engine runs the network: the one asked for, or the fastest there is."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from sdepth.checkpoint import check_weights
from sdepth.engines import auto
from sdepth.engines.engine import Engine
from sdepth.engines.golden import check, exact_engine
from sdepth.engines.onnxruntime_engine import OnnxRuntimeEngine
from sdepth.engines.openvino_engine import OpenVinoEngine
from sdepth.engines.source import DEPTH, FEATURES, POSE, Source, cache_folder
from sdepth.engines.tensorrt_engine import TensorRtEngine
from sdepth.engines.torch_engine import TorchEngine
from sdepth.errors import ConfigError, EngineError, SdepthError

AUTO = "auto"
PRECISIONS = ("fp32", "fp16", "bf16", "int8")
HARMLESS = 0.01
"""By how much AbsRel may rise in a precision that ``auto`` takes."""
Chosen = tuple[Engine, str]
"""An engine, and which it is and why."""


@dataclass(frozen=True)
class Kind:
    """An engine, the precisions it has on each type of device, and what it runs."""

    make: Callable[[Source], Engine]
    cpu: tuple[str, ...] = ()
    cuda: tuple[str, ...] = ()
    parts: tuple[str, ...] = (DEPTH, FEATURES, POSE)

    def precisions(self, device: torch.device) -> tuple[str, ...]:
        """Return those it has on a device."""
        return {"cpu": self.cpu, "cuda": self.cuda}.get(device.type, ())


ENGINES = {
    "torch": Kind(TorchEngine, cpu=("fp32", "bf16"), cuda=("fp32", "fp16", "bf16")),
    "onnxruntime": Kind(OnnxRuntimeEngine, cpu=("fp32", "int8")),
    "openvino": Kind(OpenVinoEngine, cpu=("fp32", "bf16", "int8")),
    "tensorrt": Kind(TensorRtEngine, cuda=("fp32", "fp16"), parts=(DEPTH,)),
}
"""By name, which is also that of the package to import and to install."""


def installed() -> list[str]:
    """Return the engines whose package is here."""
    return [name for name in ENGINES if importlib.util.find_spec(name)]


def candidates(source: Source) -> dict[str, tuple[Source, str]]:
    """Return what ``auto`` has to choose from: source and engine, by what they are called."""
    found: dict[str, tuple[Source, str]] = {}
    for one in _precise(source):
        for name in _able(one):
            if name in installed():
                label = f"{name} {one.precision}" if source.precision == AUTO else name
                found[label] = (one, name)
    return found


def choose(
    source: Source, name: str = AUTO, opened: dict[tuple[str, ...], Chosen] | None = None
) -> Chosen:
    """Return an engine that answers as it should, and which it is and why.

    Args:
        source: checkpoint, device and precision; ``auto``: fp32, or the fastest of those whose
            cost was measured (``Card.costs``) and is harmless.
        name: of ``ENGINES``, or ``auto``: the fastest that is installed, timed at the first use
            on a machine.
        opened: earlier choices, and from now on this one: a network is opened once, however many
            files and cards it has.

    Raises:
        ConfigError: no such engine or precision, not installed, or not for this device.
        CheckpointError: the checkpoint cannot be used.
        EngineError: its answers differ too much from those of ``golden.exact_engine``.
    """
    if name not in (AUTO, *ENGINES):
        raise ConfigError(f"engine {name!r}: expected one of {[AUTO, *ENGINES]}")
    if source.precision not in (AUTO, *PRECISIONS):
        raise ConfigError(f"precision {source.precision!r}: expected one of {[AUTO, *PRECISIONS]}")
    if source.foreign and source.precision == "int8":
        raise ConfigError(
            f"{source.checkpoint.name}: precision int8, which networks of others do not have; "
            "take fp32, or import one that was quantised by its own tools"
        )
    check_weights(source.checkpoint, source.card)  # an engine from the cache would not look
    opened = {} if opened is None else opened
    key = (name, *candidates(source), *source.key)
    if key not in opened:
        opened[key] = _choose(source, name)
    return opened[key]


def _choose(source: Source, name: str) -> Chosen:
    """Return what ``choose`` does of words and weights that are right."""
    where = f"{source.precision} on {source.device.type}"
    able = list(dict.fromkeys(n for one in _precise(source) for n in _able(one)))
    if name != AUTO and name not in able:
        raise ConfigError(f"engine {name!r} does not do {where}; expected one of {able}")
    if (exact := exact_engine(source)) not in installed():
        raise ConfigError(
            f"engine {exact!r}, which checks the others, is missing; {_install([exact])}"
        )
    if name != AUTO and name not in installed():
        raise ConfigError(f"engine {name!r} is not installed; {_install([name])}, or take auto")
    if AUTO not in (name, source.precision):
        return _make(source, name), f"{name} {source.precision}, as asked for"
    options = {k: v for k, v in candidates(source).items() if name in (AUTO, v[1])}
    if not options:
        way = _install(able) or "take fp32"
        raise ConfigError(f"no engine here for {where}; {way}, or set model.device to cpu")
    return _fastest(source, options)


def _precise(source: Source) -> list[Source]:
    """Return the source in its precision; of ``auto`` in each that does no harm."""
    if source.precision != AUTO:
        return [source]
    costs = source.costs
    sources = [replace(source, precision=p) for p in PRECISIONS if costs.get(p, 1.0) <= HARMLESS]
    return [s for s in sources if s.precision != "int8" or s.has_int8()]


def _able(source: Source) -> list[str]:
    """Return the engines that have a source's part and precision on its device."""
    kinds = {n: kind for n, kind in ENGINES.items() if source.part in kind.parts}
    if source.foreign:
        del kinds["torch"]
    if source.part != DEPTH and source.precision == "int8":
        return []  # only depth networks are quantised
    return [n for n, kind in kinds.items() if source.precision in kind.precisions(source.device)]


def _install(names: list[str]) -> str:
    """Return how to get engines."""
    return " or ".join(f"pip install {name}" for name in names)


def _make(source: Source, name: str) -> Engine:
    """Return the engine, once it has answered the golden frame."""
    try:
        engine = ENGINES[name].make(source)
        if (name, source.precision) != (exact_engine(source), "fp32"):  # others are checked by it
            check(engine, source, name)
    except SdepthError:
        raise
    except Exception as err:  # each library has its own errors, and not all derive from one
        first_line = next(iter(str(err).splitlines()), type(err).__name__)
        raise EngineError(
            f"engine {name}: {first_line}; remove {cache_folder()} and try again, "
            "or take another engine"
        ) from err
    return engine


def _fastest(source: Source, options: dict[str, tuple[Source, str]]) -> Chosen:
    """Return the fastest engine: by the times of an earlier start, or as timed now."""
    if len(options) == 1:
        ((only, name),) = options.values()
        return _make(only, name), f"{name} {only.precision}, the only one here"
    engines: dict[str, Engine] = {}
    unloaded = [label for label, (_, name) in options.items() if name not in sys.modules]
    times = auto.kept(source, options)
    if not times:
        said = "timing %s for the first start here, up to half a minute; later ones go by it"
        logging.getLogger(__name__).info(said, ", ".join(options))
        engines = _all(options)
        rounds = auto.times_ms(engines, source)
        times = {label: min(values) for label, values in rounds.items()}
        auto.keep(source, options, times)
    label = auto.fastest(times, unloaded)
    one, name = options[label]
    reason = f"{name} {one.precision}: {auto.in_words(times)}"
    if label not in unloaded and (first := min(times, key=times.__getitem__)) in unloaded:
        reason += f"; {first} is not worth loading"
    return engines.get(label) or _make(one, name), reason


def _all(options: dict[str, tuple[Source, str]]) -> dict[str, Engine]:
    """Return every engine that can be made; raise if none can."""
    engines: dict[str, Engine] = {}
    errors: list[SdepthError] = []
    for label, (source, name) in options.items():
        try:
            engines[label] = _make(source, name)
        except SdepthError as err:
            logging.getLogger(__name__).warning("engine %s is left out: %s", label, err)
            errors.append(err)
    if not engines:
        raise errors[0]
    return engines
