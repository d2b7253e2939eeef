"""What this process holds of the machine's memory and of the GPUs'."""

from __future__ import annotations

from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_RESIDENT = {"VmRSS": "memory MiB", "VmHWM": "memory peak MiB"}


def memory_mib() -> dict[str, float]:
    """Return resident memory and its peak (on Linux) and PyTorch's memory of each GPU in use.

    Allocated is in use, reserved is also what PyTorch keeps for later. What CUDA's context and
    TensorRT take for themselves is in neither; nvidia-smi has the whole.
    """
    lines = _STATUS.read_text().splitlines() if _STATUS.is_file() else []
    values = {
        _RESIDENT[name]: int(size.removesuffix("kB")) / 2**10
        for name, size in (line.split(":", 1) for line in lines)
        if name in _RESIDENT
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        for gpu in range(torch.cuda.device_count()):
            if reserved := torch.cuda.memory_reserved(gpu):
                values[f"cuda:{gpu} allocated MiB"] = torch.cuda.memory_allocated(gpu) / 2**20
                values[f"cuda:{gpu} reserved MiB"] = reserved / 2**20
    return values
