"""The processes of ``torchrun``: they train together; the first may tell the others what."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

PATIENCE = timedelta(days=7)
"""So long the others wait for the first to say something."""


@dataclass(frozen=True)
class Processes:
    """The place of this process among all.

    Attributes:
        rank: its number.
        count: of processes.
        group: by which the first tells things.
    """

    rank: int = 0
    count: int = 1
    group: Any = None

    def tell(self, order: object) -> None:
        """Say something from the first to the others, which ``hear`` it; alone, to no one."""
        if self.count > 1:
            distributed.broadcast_object_list([order], src=0, group=self.group)

    def hear(self) -> Any:
        """Return what the first tells next; waits for it."""
        box = [None]
        distributed.broadcast_object_list(box, src=0, group=self.group)
        return box[0]


@contextmanager
def together() -> Iterator[Processes]:
    """Join the other processes of ``torchrun``, if any, and leave them at the end.

    Within another such block it gives the same processes. After an error they are not waited for.
    """
    if distributed.is_initialized():
        yield Processes(distributed.get_rank(), distributed.get_world_size())
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    group = distributed.new_group(backend="gloo", timeout=PATIENCE)
    yield Processes(distributed.get_rank(), distributed.get_world_size(), group)
    distributed.barrier()
    distributed.destroy_process_group()
