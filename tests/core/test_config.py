"""YAML and overrides into frozen dataclasses."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sdepth.config import from_dict, load_config, to_dict
from sdepth.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    size: tuple[int, int] = (2, 3)
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    count: int = 1
    inner: Inner = field(default_factory=Inner)


def test_file_then_overrides_win(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("count: 4\ninner: {size: [5, 6], names: [x, y]}\n")

    config = load_config(Outer, file, ["inner.rate=2", "count=7"])

    assert config == Outer(7, Inner(2.0, (5, 6), ("x", "y")))


@pytest.mark.parametrize("text", ["5e-05", "1e-4", "-2.E+3", "1.0e-4"])
def test_numbers_are_taken_as_python_prints_them(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"inner: {{rate: {text}}}\n")

    assert load_config(Outer, file).inner.rate == float(text)
    assert load_config(Outer, None, [f"inner.rate={text}"]).inner.rate == float(text)


def test_dict_and_back_is_the_same_config() -> None:
    config = Outer(3, Inner(0.1, (7, 8), ("a",)))

    assert from_dict(Outer, to_dict(config), "x") == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("inner.rat=1.0", "x.yaml.inner: unknown key 'rat'; known: rate, size, names"),
        ("inner.rate=e-4", "got 'e-4', expected float"),
        ("count=1e4", "got '1e4', expected int"),
        ("count=yes", "expected int"),
        ("inner.size=[1]", "got 1 values, expected 2"),
        ("count", "expected key=value"),
        ("count.x=1", "expected key=value|is a value|expected int"),
    ],
)
def test_bad_value_is_named(tmp_path: Path, override: str, message: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("count: 4\n")

    with pytest.raises(ConfigError, match=message):
        load_config(Outer, file, [override])


def test_missing_file_says_where_to_look() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(Outer, Path("nowhere.yaml"))
