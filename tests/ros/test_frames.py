"""Fixed frames, on messages without ROS."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from sdepth_ros.frames import StaticFrames


def static(parent: str, child: str, x: float) -> SimpleNamespace:
    """Return a TFMessage of one translation along x."""
    transform = SimpleNamespace(
        translation=SimpleNamespace(x=x, y=0.0, z=0.0),
        rotation=SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0),
    )
    header = SimpleNamespace(frame_id=parent)
    item = SimpleNamespace(header=header, child_frame_id=child, transform=transform)
    return SimpleNamespace(transforms=[item])


def frames(*links: tuple[str, str, float]) -> StaticFrames:
    """Return the tree of some links."""
    tree = StaticFrames(lambda: None)
    for link in links:
        tree.add(static(*link))
    return tree


def test_a_chain_multiplies_up() -> None:
    T = frames(("base", "mast", 1.0), ("mast", "camera", 0.5)).lookup("base", "camera")
    assert T is not None
    np.testing.assert_allclose(T[:3, 3], [1.5, 0, 0])


def test_two_branches_meet_at_their_parent() -> None:
    T = frames(("base", "left", 1.0), ("base", "right", 3.0)).lookup("left", "right")
    assert T is not None
    np.testing.assert_allclose(T[:3, 3], [2, 0, 0])


def test_a_frame_is_identity_to_itself_and_strangers_are_none() -> None:
    tree = frames(("base", "camera", 1.0))
    np.testing.assert_array_equal(tree.lookup("lonely", "lonely"), np.eye(4))
    assert tree.lookup("base", "lonely") is None


def test_a_circle_of_frames_ends() -> None:
    assert frames(("a", "b", 1.0), ("b", "a", 1.0)).lookup("c", "a") is None
