"""Frozen dataclasses from YAML and ``a.b=value`` overrides: the only place a default lives."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from sdepth.errors import ConfigError

T = TypeVar("T")
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
"""Numbers as Python prints them, 5e-05, are text to YAML where they have no point."""


BAD_YAML = (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError)
"""What reading of YAML raises."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML takes the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping whose keys differ."""
        keys = [key.value for key, _ in node.value]
        for (key, _), name in zip(node.value, keys, strict=True):
            if keys.count(name) > 1 and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {name!r} stands twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


def read_yaml(text: str) -> Any:
    """Return what YAML says.

    Raises:
        BAD_YAML: it is none, or a key stands twice in one mapping.
    """
    return yaml.load(text, _Loader)


def param(default: Any, description: str, **metadata: Any) -> Any:
    """Return a dataclass field that says what it is, and may be offered as a ROS parameter.

    Args:
        default: its value.
        description: one line.
        metadata: ``range`` (lowest, highest), ``choices``, ``dynamic`` (may change at any time),
            ``read_only`` (never changes).
    """
    return dataclasses.field(default=default, metadata={"description": description, **metadata})


def load_config(kind: type[T], path: Path | None, overrides: Sequence[str] = ()) -> T:
    """Return a ``kind`` filled from a YAML file, then from ``key.key=value`` overrides.

    Raises:
        ConfigError: no such file, not YAML, an unknown key, or a value that its field does not
            take.
    """
    return from_dict(kind, read_values(path, overrides), path.name if path else kind.__name__)


def read_values(path: Path | None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a YAML file says, then ``key.key=value`` overrides, as a nested mapping.

    Raises:
        ConfigError: no such file, not YAML, or an override that sets nothing.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = read_yaml(path.read_text()) or {}
            if not isinstance(values, dict):
                raise ConfigError(f"{path}: got {values!r:.80}, expected keys and their values")
        except FileNotFoundError as err:
            raise ConfigError(f"{path}: no such file; see training/configs/") from err
        except ConfigError:
            raise
        except (OSError, *BAD_YAML) as err:
            raise ConfigError(f"{path}: not YAML ({' '.join(str(err).split())})") from err
    for override in overrides:
        _set(values, override)
    return values


def from_dict(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """Return a dataclass ``kind`` (nested ones too) of a mapping; ``where`` starts the errors.

    Raises:
        ConfigError: an unknown key, or a value that its field does not take.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: got {values!r}, expected keys of {kind.__name__}")
    hints = get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}; known: {', '.join(known)}")
    missing = [
        f.name
        for f in known.values()
        if f.name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{where}: missing {', '.join(missing)}")
    parts = {key: _convert(hints[key], value, f"{where}.{key}") for key, value in values.items()}
    for key, value in parts.items():
        check_value(known[key], value, f"{where}.{key}")
    return kind(**parts)


def check_value(item: dataclasses.Field[Any], value: Any, where: str) -> None:
    """Refuse a value that is not among its field's choices, or out of its range.

    Raises:
        ConfigError: it is; begins with ``where``.
    """
    if (choices := item.metadata.get("choices")) and value not in choices:
        raise ConfigError(f"{where}: got {value!r}, expected one of {', '.join(choices)}")
    if (limits := item.metadata.get("range")) and not limits[0] <= value <= limits[1]:
        raise ConfigError(f"{where}: got {value!r}, expected {limits[0]} to {limits[1]}")


def to_dict(config: Any) -> dict[str, Any]:
    """Return the nested mapping of a dataclass, ready for YAML or JSON (tuples become lists)."""

    def as_lists(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: list(v) if isinstance(v, tuple) else v for key, v in pairs}

    return dataclasses.asdict(config, dict_factory=as_lists)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Return ``value`` as the field type ``hint``, or say what does not fit."""
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where}: got {value!r}, expected a list")
        args = get_args(hint)
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(kinds) != len(value):
            raise ConfigError(f"{where}: got {len(value)} values, expected {len(kinds)}")
        return tuple(_convert(k, v, where) for k, v in zip(kinds, value, strict=True))
    if get_origin(hint) is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: got {value!r}, expected keys and values")
        of = get_args(hint)[1]
        return {str(k): _convert(of, v, f"{where}.{k}") for k, v in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where}: got {value!r}, expected {hint.__name__}")
    return value


def _set(values: dict[str, Any], override: str) -> None:
    """Set ``a.b=value`` in a nested mapping."""
    key, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"--set {override}: expected key=value, for example optim.lr=1e-4")
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {override}: {parent} is a value, not a group of keys")
    try:
        values[leaf] = read_yaml(text)
    except BAD_YAML as err:
        raise ConfigError(f"--set {override}: not YAML ({' '.join(str(err).split())})") from err
