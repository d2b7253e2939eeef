"""Shape checks for public functions, on arrays and tensors alike."""

from __future__ import annotations

from typing import Protocol

from sdepth.errors import ShapeError


class HasShape(Protocol):
    """Anything with a shape: a NumPy array or a tensor."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size per dimension."""


def check_shape(name: str, array: HasShape, spec: str) -> dict[str, int]:
    """Return the size of each named dimension of ``spec``.

    Args:
        name: what the caller calls the array; it starts the error message.
        array: the array or tensor.
        spec: dimensions by name or number, for example ``"B 1 H W"``; a leading ``...`` stands
            for any number of dimensions.

    Raises:
        ShapeError: another rank, a number that differs, or one name with two sizes.
    """
    shape, dims = tuple(array.shape), spec.split()
    expected = f"({', '.join(dims)})"
    if dims[0] == "...":
        dims = dims[1:]
        tail = shape[len(shape) - len(dims) :] if len(shape) >= len(dims) else ()
    else:
        tail = shape
    sizes: dict[str, int] = {}
    matches = len(tail) == len(dims) and all(
        (int(dim) if dim.isdigit() else sizes.setdefault(dim, size)) == size
        for dim, size in zip(dims, tail, strict=True)
    )
    if not matches:
        raise ShapeError(f"{name}: got shape {shape}, expected {expected}")
    return sizes
