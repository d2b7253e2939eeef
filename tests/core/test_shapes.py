"""Shape checks and what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdepth.errors import SdepthError, ShapeError
from sdepth.shapes import check_shape


def test_named_sizes_come_back() -> None:
    assert check_shape("depth", np.zeros((4, 1, 192, 640)), "B 1 H W") == {
        "B": 4,
        "H": 192,
        "W": 640,
    }


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 4), (2, 5, 4, 4)])
def test_dots_stand_for_any_leading_dimensions(shape: tuple[int, ...]) -> None:
    assert check_shape("T", torch.zeros(shape), "... 4 4") == {}


@pytest.mark.parametrize(
    ("shape", "spec"),
    [((4, 6), "B 1 H W"), ((4, 3, 6, 6), "B 1 H W"), ((4,), "... 4 4"), ((3, 4), "N N")],
)
def test_another_rank_number_or_repeated_size_is_refused(
    shape: tuple[int, ...], spec: str
) -> None:
    with pytest.raises(ShapeError, match="depth: got shape"):
        check_shape("depth", np.zeros(shape), spec)


def test_the_error_says_what_came_and_what_was_expected() -> None:
    with pytest.raises(ShapeError) as caught:
        check_shape("depth", torch.zeros(4, 6), "B 1 H W")
    assert str(caught.value) == "depth: got shape (4, 6), expected (B, 1, H, W)"
    assert isinstance(caught.value, SdepthError)
    assert isinstance(caught.value, ValueError)
