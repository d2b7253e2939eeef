"""YAML and overrides into frozen dataclasses."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sdepth.config import from_dict, load_config, param, to_dict
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


@pytest.mark.parametrize(
    "text", ["count: 1\ninner: {rate: 2.0}\ncount: 3\n", "inner:\n  rate: 1.0\n  rate: 2.0\n"]
)
def test_what_is_said_twice_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError, match=r"key '(count|rate)' stands twice"):
        load_config(Outer, file)


def test_what_is_merged_may_be_said_again(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("inner: {<<: {rate: 2.0, names: [a]}, rate: 3.0}\n")

    assert load_config(Outer, file).inner == Inner(3.0, (2, 3), ("a",))


@pytest.mark.parametrize("value", ["[", "{", "!!python/object:os.system x", "*a", "a: b: c"])
def test_an_override_that_is_no_yaml_is_named_in_a_line(value: str) -> None:
    with pytest.raises(ConfigError, match=r"--set count=.*: not YAML") as said:
        load_config(Outer, None, [f"count={value}"])
    assert "\n" not in str(said.value)


@dataclass(frozen=True)
class Offered:
    mode: str = param("auto", "which", choices=("auto", "day"))
    share: float = param(0.5, "how much", range=(0.0, 1.0))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mode=noon", "mode: got 'noon', expected one of auto, day"),
        ("share=1.5", "share: got 1.5, expected 0.0 to 1.0"),
        ("share=.nan", "share: got nan, expected 0.0 to 1.0"),
    ],
)
def test_a_value_its_field_does_not_take_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(Offered, None, [override])


def test_missing_file_says_where_to_look() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(Outer, Path("nowhere.yaml"))
