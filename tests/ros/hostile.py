"""Messages that are broken or hostile, and how to send many of them to a running node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from builtin_interfaces.msg import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lifecycle_msgs.srv import GetState
from std_msgs.msg import Header

from sdepth_ros.conversions import image_fields
from tests.ros.camera_peer import FakeCamera, values_of
from tests.ros.manager import Manager
from tests.ros.test_malformed import KNOWN, WILD_IMAGES, near_images

if TYPE_CHECKING:
    from demo.peer import Peer

WIDTH, HEIGHT = FakeCamera.camera.width, FakeCamera.camera.height
STAMPS = st.builds(Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=st.integers(0, 2**32 - 1))
HEADERS = st.builds(Header, stamp=STAMPS, frame_id=st.text(max_size=300))
FLAWS = st.one_of(
    st.fixed_dictionaries({"height": st.integers(HEIGHT + 1, 2**32 - 1)}),
    st.fixed_dictionaries({"width": st.integers(WIDTH + 1, 2**32 - 1)}),
    st.fixed_dictionaries({"step": st.one_of(st.integers(0, 255), st.integers(3_000, 2**32 - 1))}),
    st.fixed_dictionaries({"data": st.binary(max_size=2_000).map(bytearray)}),
    st.fixed_dictionaries(
        {"encoding": st.text().filter(lambda name: name.split("\0")[0] not in KNOWN)}
    ),
)
"""Each makes an image of the camera's size one that no encoding can be read from."""


def messages_of(fields: Any) -> dict[str, Any]:
    """Return the fields of an Image that stand in a namespace of test_malformed."""
    fields = dict(vars(fields))
    data, big = bytearray(fields["data"].tobytes()), int(fields["is_bigendian"])
    return fields | {"data": data, "is_bigendian": big}


def flawed(pixels: np.ndarray, encoding: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return the fields of whole images with one flaw, and of others, none of the camera's."""
    whole = image_fields(pixels, encoding)
    return st.one_of(
        FLAWS.map(lambda flaw: whole | flaw),
        st.one_of(near_images(), WILD_IMAGES).map(messages_of),
    )


def each(count: int, strategy: st.SearchStrategy[Any], send: Callable[[Any], None]) -> int:
    """Send so many messages; return how many there were."""
    sent = 0

    @settings(
        max_examples=count, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def send_one(message: Any) -> None:
        nonlocal sent
        send(message)
        sent += 1

    send_one()
    assert sent >= 0.9 * count
    return sent


class Pace:
    """Waits until a node has done one round of callbacks: its queue of images never runs over."""

    def __init__(self, peer: Peer, node: str) -> None:
        self._manager = Manager(peer, node)

    def __call__(self) -> None:
        assert self._manager.call("get_state", GetState).current_state.label == "active"


def settled(reports: list, peer: Peer, sent: int) -> dict[str, str]:
    """Return the diagnostics that account for so many frames."""

    def accounted() -> bool:
        values = values_of(reports)
        fates = ("out", "dropped", "bad", "unheard")
        return bool(values) and sum(int(values[f"frames {fate}"]) for fate in fates) == sent

    assert peer.spin_until(accounted, 20), (sent, values_of(reports))
    assert values_of(reports)["frames in"] == str(sent)
    return values_of(reports)
