"""What the process holds of memory."""

from __future__ import annotations

import mmap
import sys

import pytest
import torch

from sdepth.memory import memory_mib


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from Linux's /proc")
def test_resident_memory_falls_and_its_peak_stays() -> None:
    before = memory_mib()
    held = mmap.mmap(-1, 2**28)  # what malloc is given back it may keep
    for _ in range(256):
        held.write(bytes(2**20))
    during = memory_mib()
    held.close()
    after = memory_mib()
    assert before["memory MiB"] + 200 < during["memory MiB"] <= during["memory peak MiB"] + 1
    assert after["memory MiB"] < during["memory MiB"] - 200
    assert after["memory peak MiB"] > during["memory MiB"] - 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that PyTorch can use")
def test_a_gpu_in_use_is_named() -> None:
    held = torch.ones(2**26, device="cuda:0")  # 256 MiB
    values = memory_mib()
    assert 256 <= values["cuda:0 allocated MiB"] <= values["cuda:0 reserved MiB"]
    del held
    assert memory_mib()["cuda:0 allocated MiB"] <= values["cuda:0 allocated MiB"] - 256
