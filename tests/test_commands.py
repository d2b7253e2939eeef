"""Every command that a page shows can be typed: programs, options and names in it exist."""

from __future__ import annotations

import io
import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from sdepth.config import to_dict
from sdepth_ros.node_params import DepthParams, OdometryParams
from tests.conftest import ROOT
from tests.helpers import dotted
from tests.test_docs import PAGES
from tests.test_layout import COMMANDS

PROGRAMS = {f"sdepth-{name}".replace("_", "-"): name for name in COMMANDS}
FOREIGN = {"sudo", "source", "export", "kill", "torchrun", "tensorboard"}
OURS = ("training", "bags", "benchmarks", "demo", "sdepth", "sdepth_ros")


PARAMETERS = {
    *(name for kind in (DepthParams, OdometryParams) for name, _ in dotted(to_dict(kind()))),
    "use_sim_time",
}


def typed(text: str) -> list[list[str]]:
    """Return the words of every command on a page.

    They are fenced as bash, indented, or inline, where ``python -m`` may be missing.
    """
    fenced = re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^    (python .*)$", rest, re.MULTILINE)
    inline = re.findall(r"`((?:\w+=\w+ )?python -m [^`]+|make [a-z-]+)`", rest)
    inline = [command.replace("\n", " ") for command in inline]
    listed = re.findall(r"`((?:training|bags|benchmarks)\.[\w.]+ [^`]*)`", rest)
    inline += [f"python -m {command}" for command in listed]
    lines = "\n".join([*fenced, *indented, *inline]).replace("\\\n", " ").splitlines()
    found: list[list[str]] = []
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("&|;"):
                found += [words] * bool(words)
                words = []
            else:
                words.append(word)
    return found


def fault(words: list[str]) -> str:
    """Return what is wrong with a command; empty where it can be typed."""
    while re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    program, rest = words[0].removeprefix(".venv/bin/"), words[1:]
    if program == "python" and rest[0] == "-m":
        return module_fault(rest[1], rest[2:])
    if program in PROGRAMS:
        return node_fault(PROGRAMS[program], rest)
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return ", ".join({*rest} - {*targets})
    if program == "ros2":
        return ros2_fault(rest)
    return "" if program in FOREIGN else f"what is {program}?"


def module_fault(module: str, args: list[str]) -> str:
    """Return what is wrong with arguments of a module's command line: its --help knows them."""
    if module.partition(".")[0] not in OURS:
        return "" if module in ("pip", "colcon", "pytest") else f"what is {module}?"
    if module.startswith("sdepth_ros.") or find_spec(module) is None:
        return "" if find_spec(module) else f"no module {module}"
    code, text = help_of(module, tuple(args))
    unknown = [a for a in args if a.startswith("--") and a.partition("=")[0] not in text.split()]
    return "" if not code and not unknown else f"exit {code}, unknown {unknown}: {text[-200:]}"


@cache
def help_of(module: str, args: tuple[str, ...]) -> tuple[object, str]:
    """Return exit code and words of ``python -m module args --help``, run in this process."""
    spec = find_spec(module)
    entry = ".__main__" if spec and spec.submodule_search_locations else ""
    main = getattr(import_module(module + entry), "main", None)
    if main is None:
        return "no main()", ""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out), pytest.raises(SystemExit) as end:
        main([*args, "--help"])
    return end.value.code, re.sub(r"[\[\],|=()]", " ", out.getvalue())


def node_fault(command: str, args: list[str]) -> str:
    """Return what is wrong with a program of sdepth_ros: unknown parameters or options."""
    parameters = [b.partition(":=")[0] for a, b in pairwise(args) if a == "-p"]
    if unknown := {*parameters} - PARAMETERS:
        return f"no parameters {unknown}"
    if command in ("replay", "record"):
        source = (ROOT / f"ros2_ws/src/sdepth_ros/sdepth_ros/bags/{command}.py").read_text()
        return ", ".join(a for a in args if a.startswith("--") and f'"{a}"' not in source)
    return "" if command in COMMANDS else f"no program {command}"


def ros2_fault(args: list[str]) -> str:
    """Return what is wrong with a ``ros2`` command that is about our package."""
    if args[:2] == ["run", "sdepth_ros"]:
        return node_fault(args[2], args[3:])
    if args[:2] != ["launch", "sdepth_ros"]:
        return ""
    files = {path.name: path.read_text() for path in (ROOT / "launch").glob("*.py")}
    if args[2] not in files:
        return f"no launch file {args[2]}"
    given = [a.partition(":=")[0] for a in args[3:] if ":=" in a]
    text = files[args[2]] + files["sdepth.launch.py"]  # the others include it
    return ", ".join(name for name in given if f'("{name}", ' not in text)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_can_be_typed(page: Path) -> None:
    wrong = {shlex.join(words): fault(words) for words in typed(page.read_text())}
    assert {command: why for command, why in wrong.items() if why} == {}


def test_the_readme_shows_its_programs() -> None:
    words = [command[:4] for command in typed((ROOT / "README.md").read_text())]
    assert ["make", "demo"] in words
    assert ["make", "test"] in words
    assert len(words) > 12


def test_a_command_that_is_none_is_found() -> None:
    wrong = """
```bash
.venv/bin/replay demo/bag
.venv/bin/sdepth-replay demo/bag --no-such-option
.venv/bin/python -m bags.run demo/bag out --no-such-option && make no-such-target
.venv/bin/python -m training.evaluate no-such-command
ros2 launch sdepth_ros sdepth.launch.py no_such_argument:=1
ros2 run sdepth_ros depth_node --ros-args -p no.such.parameter:=1
```
`python -m bags.no_such_module OUT`
"""
    commands = typed(wrong)
    assert len(commands) == 8
    assert all(fault(words) for words in commands)
