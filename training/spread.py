"""One function over many items: one by one, or by Ray on the cores of a machine or a cluster."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from tqdm import tqdm

from sdepth.cli import zero_or_more
from sdepth.errors import DataError

T = TypeVar("T")
R = TypeVar("R")
_TRIES = 3
"""So often an item is begun anew whose worker died."""


def add_options(parser: ArgumentParser, what: str, default: int) -> None:
    """Add the options that say who works; ``what`` is done side by side."""
    add = parser.add_argument
    told = "none, without Ray" if default == 0 else "its cores"
    add("--workers", type=zero_or_more, default=default, metavar="N",
        help=f"{what} at a time on this machine, by Ray (default: {told})")  # fmt: skip
    add("--address", default="", help="of a Ray cluster, instead of this machine")


@dataclass(frozen=True)
class Workers:
    """What applies a function to many items: Ray, or without it one by one."""

    ray: Any = None

    def as_done(
        self, function: Callable[..., R], items: Sequence[T], *rest: object
    ) -> Iterator[tuple[int, R | Exception]]:
        """Yield the place of each item and ``function(item, *rest)``, or its error, once done."""
        if self.ray is None:
            for i, item in enumerate(items):
                try:
                    yield i, function(item, *rest)
                except Exception as err:
                    yield i, err
            return
        task = self.ray.remote(num_cpus=1, max_retries=_TRIES)(function)
        left = {task.remote(item, *rest): i for i, item in enumerate(items)}
        while left:
            (done,), _ = self.ray.wait(list(left), num_returns=1)
            i = left.pop(done)
            try:
                yield i, self.ray.get(done)
            except self.ray.exceptions.RayError as err:
                yield i, getattr(err, "cause", None) or DataError(" ".join(str(err).split()))

    def map(
        self, function: Callable[..., R], items: Sequence[T], *rest: object, bar: str = ""
    ) -> list[R]:
        """Return ``function(item, *rest)`` of each item, in their order; stop at the first error.

        Args:
            function: of a module, so that workers find it.
            items: each is sent to a worker.
            rest: likewise.
            bar: what a bar on the screen says is done; none for no bar.
        """
        results: dict[int, R] = {}
        done = self.as_done(function, items, *rest)
        for i, result in tqdm(done, desc=bar, total=len(items), disable=not bar):
            if isinstance(result, Exception):
                raise result
            results[i] = result
        return [results[i] for i in range(len(items))]


@contextmanager
def workers(number: int, address: str = "") -> Iterator[Workers]:
    """Give so many workers of this machine, or those of a Ray cluster; 0 is no Ray.

    Raises:
        DataError: Ray is not installed, or does not start.
    """
    if not (number or address):
        yield Workers()
        return
    ray = _start_ray(number, address)
    try:
        yield Workers(ray)
    finally:
        ray.shutdown()


def _start_ray(number: int, address: str) -> Any:
    """Return Ray, connected to a cluster, or to workers started here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # a busy machine takes a minute
    try:
        import ray
    except ImportError as err:
        raise DataError("pip install ray, or give --workers 0 to work one by one") from err
    path = os.pathsep.join(p for p in sys.path if p)
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    options["runtime_env"] = {"env_vars": {"PYTHONPATH": path}}
    if not address:
        options |= {"num_cpus": number, "include_dashboard": False}
    try:
        ray.init(address or "local", **options)
    except Exception as err:  # Ray raises this very class where it does not start
        first = str(err).splitlines()[0]
        raise DataError(f"Ray did not start ({first}); --workers 0 works one by one") from err
    return ray
