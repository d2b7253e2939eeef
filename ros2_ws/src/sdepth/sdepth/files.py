"""Files: written so that a crash leaves the old one or the new, never half of one; hashed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a hidden temporary file with the suffix of ``path``, renamed to it on success."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic(path) as partial:
        partial.write_bytes(content)


def write_json(path: Path, content: Any, indent: int | None = 1) -> None:
    """Write JSON and a last line's end, whole or not at all."""
    write_bytes(path, (json.dumps(content, indent=indent) + "\n").encode())


def sha256(path: Path) -> str:
    """Return the hash of a file, read block by block: it may be large."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            found.update(block)
    return found.hexdigest()


def is_pickle(path: Path) -> bool:
    """Tell whether a file is a pickle, as it is or in PyTorch's zip; it is not opened as one."""
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
