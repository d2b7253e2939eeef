"""Fixed frames, on messages without ROS."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from sdepth_ros.mounting import FrameTree

SECOND = 1_000_000_000


def static(parent: str, child: str, x: float) -> SimpleNamespace:
    """Return a TFMessage of one translation along x."""
    transform = SimpleNamespace(
        translation=SimpleNamespace(x=x, y=0.0, z=0.0),
        rotation=SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0),
    )
    header = SimpleNamespace(frame_id=parent)
    item = SimpleNamespace(header=header, child_frame_id=child, transform=transform)
    return SimpleNamespace(transforms=[item])


def frames(*links: tuple[str, str, float]) -> FrameTree:
    """Return the tree of some links."""
    tree = FrameTree(lambda: None)
    for link in links:
        tree.add_fixed(static(*link))
    return tree


def test_a_chain_multiplies_up() -> None:
    T = frames(("base", "mast", 1.0), ("mast", "camera", 0.5)).lookup("base", "camera")
    assert T is not None
    np.testing.assert_allclose(T[:3, 3], [1.5, 0, 0])


@pytest.mark.parametrize(
    "changes",
    [{"w": 0.0}, {"w": float("nan")}, {"x": float("inf")}, {"y": 1e-9, "w": 1e-9}],
)
@pytest.mark.parametrize("moving", [False, True])
def test_what_is_no_transform_is_left_out_and_told(
    changes: dict[str, float], moving: bool
) -> None:
    said: list[str] = []
    tree = FrameTree(lambda: None, said.append)
    message = static("base", "camera", 1.0)
    message.transforms[0].header.stamp = SimpleNamespace(sec=1, nanosec=0)
    for name, value in changes.items():
        setattr(message.transforms[0].transform.rotation, name, value)
    (tree.add_moving if moving else tree.add_fixed)(message)

    assert tree.lookup("base", "camera", SECOND) is None
    (line,) = said
    assert line.startswith("base -> camera: transform of translation [1.0, 0.0, 0.0], quaternion")


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


def moving(parent: str, child: str, x: float, stamp: int, yaw: float = 0.0) -> SimpleNamespace:
    """Return a TFMessage of a translation along x and a turn about z, at a stamp, ns."""
    msg = static(parent, child, x)
    item = msg.transforms[0]
    item.header.stamp = SimpleNamespace(sec=stamp // SECOND, nanosec=stamp % SECOND)
    item.transform.rotation = SimpleNamespace(x=0.0, y=0.0, z=np.sin(yaw / 2), w=np.cos(yaw / 2))
    return msg


def test_a_moving_frame_is_where_it_was_at_the_stamp() -> None:
    tree = frames(("head", "camera", 0.5))
    tree.add_moving(moving("base", "head", 1.0, 10 * SECOND))
    tree.add_moving(moving("base", "head", 2.0, 11 * SECOND, yaw=np.pi / 2))
    T = tree.lookup("base", "camera", 10 * SECOND + SECOND // 2)
    assert T is not None
    half = np.sqrt(0.5)
    np.testing.assert_allclose(T[:2, :2], [[half, -half], [half, half]], atol=1e-12)
    np.testing.assert_allclose(T[:3, 3], [1.5 + half / 2, half / 2, 0], atol=1e-12)
    np.testing.assert_allclose(tree.lookup("base", "camera", 10 * SECOND)[:3, 3], [1.5, 0, 0])


def test_where_a_moving_frame_is_before_and_after_what_was_heard_is_not_known() -> None:
    tree = frames()
    for second in range(10, 40):
        tree.add_moving(moving("base", "camera", 1.0, second * SECOND))
    assert tree.lookup("base", "camera", 39 * SECOND) is not None
    assert tree.lookup("base", "camera", 39 * SECOND + 1) is None
    assert tree.lookup("base", "camera", 15 * SECOND) is None  # forgotten, as tf2 does
    tree.add_moving(moving("base", "camera", 1.0, 2 * SECOND))  # a bag began anew
    assert tree.lookup("base", "camera", 2 * SECOND) is not None


def test_a_leading_slash_makes_no_other_frame() -> None:
    T = frames(("/base", "/camera", 1.0)).lookup("base", "/camera")
    assert T is not None
