"""The boundaries of the tree: who imports whom, what is defined once, what is installed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
from graphlib import TopologicalSorter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import workspace
from tests.conftest import ROOT

SRC = ROOT / "ros2_ws" / "src"
CORE, SHELL = SRC / "sdepth", SRC / "sdepth_ros"
OURS = [CORE / "sdepth", SHELL / "sdepth_ros"] + [
    ROOT / name for name in ("training", "bags", "demo", "benchmarks", "launch", "tests")
]
ROS = {"rclpy", "rcl_interfaces", "launch", "launch_ros", "ament_index_python", "sdepth_ros"}
PACKAGES = {path.name: path for path in OURS if path.name != "launch"}
ABOVE = ("training", "bags", "demo", "benchmarks", "tests")
"""What the core and the nodes know nothing of."""
LINKS = {
    CORE / "sdepth" / "weights": ROOT / "weights",
    SHELL / "launch": ROOT / "launch",
    SHELL / "rviz": ROOT / "rviz",
}
ROSDEP_KEYS = {
    **{name: f"python3-{name}" for name in ("numpy", "tqdm", "transforms3d", "yaml")},
    "cv2": "python3-opencv",
}
PYPI_NAMES = {"cv2": "opencv-python-headless", "yaml": "pyyaml"}
COMMANDS = {"depth_node", "odometry_node", "vision_node", "replay", "record", "doctor"}
RUN = "sdepth_ros/lib/sdepth_ros"
ENGINES = {"onnx", "onnxruntime", "openvino", "tensorrt"}  # imported where the user has them
BY_PIP = {"torch", "safetensors", "numba", "rosbags"}  # not packaged by every supported Ubuntu


def sources(*folders: Path) -> list[Path]:
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    assert files, f"no Python files under {folders}"
    return files


def imports(path: Path) -> set[str]:
    """Return the top-level names a file imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def modules() -> dict[str, Path]:
    """Return our modules by dotted name."""
    named = {}
    for package, folder in PACKAGES.items():
        for path in sources(folder):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            named[".".join(parts).removesuffix(".__init__")] = path
    return named


def imported_modules(path: Path, known: dict[str, Path]) -> set[str]:
    """Return our modules a file imports, inside functions and under TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & known.keys() or {node.module}
    return found & known.keys()


def private_imports(path: Path) -> set[str]:
    """Return what a file takes of other modules although their underscore says not to."""
    tree = ast.parse(path.read_text())
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    taken = {alias.asname or alias.name: alias.name for node in froms for alias in node.names}
    of_modules = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        and node.value.id in taken and re.match("_[^_]", node.attr)
    }  # fmt: skip
    return of_modules | {name for name in taken.values() if re.match("_[^_]", name)}


def is_ros(name: str) -> bool:
    return name in ROS or name.startswith("tf2_") or name.endswith(("_msgs", "_srvs"))


def wrong_imports(folder: Path, *forbidden: str, ros: bool) -> dict[str, set[str]]:
    """Return file -> forbidden names it imports; ROS is forbidden too unless ``ros``."""
    found = {
        str(path.relative_to(ROOT)): {
            name for name in imports(path) if name in forbidden or (is_ros(name) and not ros)
        }
        for path in sources(folder)
    }
    return {path: names for path, names in found.items() if names}


def test_core_imports_no_ros_and_no_training() -> None:
    assert wrong_imports(CORE / "sdepth", *ABOVE, ros=False) == {}


def test_nodes_import_no_training() -> None:
    assert wrong_imports(SHELL / "sdepth_ros", *ABOVE, ros=True) == {}


def test_training_imports_no_ros() -> None:
    assert wrong_imports(ROOT / "training", *ABOVE[1:], ros=False) == {}


def test_no_imports_go_in_a_circle() -> None:
    known = modules()
    graph = {name: imported_modules(path, known) for name, path in known.items()}
    TopologicalSorter(graph).prepare()  # CycleError names the circle


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "tests"])
def test_no_package_takes_private_names_of_others(package: str) -> None:
    found = {path.name: private_imports(path) for path in sources(PACKAGES[package])}
    assert {name: taken for name, taken in found.items() if taken} == {}


@pytest.mark.parametrize("link", LINKS, ids=lambda path: path.name)
def test_links_are_relative_and_resolve(link: Path) -> None:
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == LINKS[link]
    assert link.is_dir()


def test_versions_agree() -> None:
    versions = {}
    for package in (CORE, SHELL):
        versions[package / "package.xml"] = ElementTree.parse(package / "package.xml").findtext(
            "version"
        )
        match = re.search(r'version="([^"]+)"', (package / "setup.py").read_text())
        versions[package / "setup.py"] = match and match[1]
    assert len(set(versions.values())) == 1, versions
    assert f"## {versions.popitem()[1]}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("package", "folders", "also"),
    [(CORE, ["sdepth"], set()), (SHELL, ["sdepth_ros", "launch"], {"ros2launch"})],
    ids=["sdepth", "sdepth_ros"],
)
def test_manifests_name_what_is_imported(
    package: Path, folders: list[str], also: set[str]
) -> None:
    files = sources(*(package / folder for folder in folders))
    used = set().union(*map(imports, files)) - sys.stdlib_module_names - ENGINES - {package.name}
    manifest = ElementTree.parse(package / "package.xml")
    declared = {item.text for item in manifest.iter("exec_depend")}
    assert declared == {ROSDEP_KEYS.get(name, name) for name in used - BY_PIP} | also
    required = re.search(r"install_requires=(\[[^]]*\])", (package / "setup.py").read_text())
    assert required
    wheels = {PYPI_NAMES.get(name, name) for name in used if not is_ros(name)}
    assert set(ast.literal_eval(required[1])) == wheels


def test_images_are_sampled_in_one_place() -> None:
    users = [path.name for path in sources(*OURS[:-1]) if "grid_sample(" in path.read_text()]
    assert users == ["warp.py", "plain_training.py"]  # the latter is what ours is timed against


def test_no_file_is_long() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in sources(*OURS)}
    assert {path.name: n for path, n in lengths.items() if n > 300} == {}


def unpickling(path: Path) -> list[str]:
    """Return where a file could run what a file holds: pickle, or torch.load beyond weights."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            arguments = {k.arg: ast.unparse(k.value) for k in node.keywords}
            pickled = re.match(r"(c?[Pp]ickle|dill|joblib)\.(load|Unpickler)", name)
            unsafe = name == "torch.load" and arguments.get("weights_only") != "True"
            if pickled or unsafe or arguments.get("allow_pickle") == "True":
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    return found


def test_nothing_unpickles() -> None:
    assert [where for path in sources(*OURS[:-1]) for where in unpickling(path)] == []


def test_pip_puts_no_common_name_on_the_path() -> None:
    programs = {path.name for path in Path(sysconfig.get_path("scripts")).iterdir()}
    ours = {f"sdepth-{name}".replace("_", "-") for name in COMMANDS}
    assert ours - programs == set(), "make setup"
    assert COMMANDS & programs == set()


@pytest.mark.slow
@pytest.mark.parametrize("option", [(), ("--symlink-install",)], ids=["plain", "symlink"])
def test_colcon_installs_everything(option: tuple[str, ...], tmp_path: Path) -> None:
    pytest.importorskip("colcon_core", reason="colcon is not installed")
    install = workspace.build(tmp_path, *option)
    where = "import sdepth; print(sdepth.__path__[0])"
    command = workspace.sourced(install, f"{sys.executable} -c '{where}'")
    installed = subprocess.check_output(command, text=True, cwd=tmp_path).strip()
    assert installed.startswith(str(tmp_path))
    scripts = {path.name: path.read_text() for path in (install / RUN).iterdir()}
    assert {*scripts} == COMMANDS  # what ``ros2 run sdepth_ros`` offers
    for script in scripts.values():
        assert script.startswith(f"#!{sys.executable}\n")  # it has torch
    for pattern in ("*.safetensors", "*.json"):
        shipped = sorted(path.name for path in (ROOT / "weights").glob(pattern))
        assert sorted(path.name for path in Path(installed, "weights").glob(pattern)) == shipped
    for folder in ("launch", "rviz", "config"):
        shipped = sorted(path.name for path in (SHELL / folder).iterdir() if path.is_file())
        share = install / "sdepth_ros/share/sdepth_ros" / folder
        assert sorted(path.name for path in share.iterdir()) == shipped
