"""What every folder of tests may ask for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # read when torch is imported; the others want cores, too
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import torch

from tests.side_by_side import slow_files_first, turn

ROOT = Path(__file__).parents[1]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # `make test &` in a script hands it down, and programs under test would ignore it in turn.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that nobody waits for it at the end."""
    slow_files_first(items)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Run a test marked ``alone`` beside no other."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    with turn(item.config.cache.mkdir("turns"), item.get_closest_marker("alone") is not None):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of sample drives (KITTI), or skip: they are not part of the repository."""
    folder = Path(os.environ.get("SDEPTH_SAMPLE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no sample drives in {folder}; SDEPTH_SAMPLE_DATA names another folder")
    return folder


@pytest.fixture
def engine_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache that engines use in the place of the user's."""
    monkeypatch.setenv("SDEPTH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def threads_as_before() -> Iterator[None]:
    """Give back threads of the process that a test sets: those after it want their own."""
    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(torch_threads)
    cv2.setNumThreads(cv2_threads)
