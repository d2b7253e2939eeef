"""Parts of a page that a command writes, between lines <!-- NAME --> and <!-- end of NAME -->."""

from __future__ import annotations

from pathlib import Path

from sdepth.errors import DataError


def split(text: str, name: str) -> tuple[str, str, str]:
    """Return what is before, between and after the marks of a name; the marks stay outside.

    Raises:
        DataError: they are not there.
    """
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, first, rest = text.partition(start)
    between, last, after = rest.partition(end)
    if not (first and last):
        raise DataError(f"no part to write: expected lines '{start.strip()}' and '{end}'")
    return before + first, between, last + after


def fill(page: Path, name: str, content: str) -> None:
    """Write ``content`` in the place of what the page holds between the marks of ``name``.

    Raises:
        DataError: the page or its marks are not there.
    """
    try:
        before, _, after = split(page.read_text(), name)
    except (OSError, DataError) as err:
        raise DataError(f"{page}: {err}") from err
    page.write_text(f"{before}{content}\n{after}")
