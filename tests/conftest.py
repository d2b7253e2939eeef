"""What every folder of tests may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of sample drives (KITTI), or skip: they are not part of the repository."""
    folder = Path(os.environ.get("SDEPTH_SAMPLE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no sample drives in {folder}; SDEPTH_SAMPLE_DATA names another folder")
    return folder
