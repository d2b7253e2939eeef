"""Inputs of a node, between two nodes of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("rclpy")

from std_msgs.msg import Int32

from sdepth_ros.qos import InputSubscription
from tests.ros.processes import Peer

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.ros


def test_messages_that_do_not_come_are_counted(peer: Peer, domain: int) -> None:
    sender, received, lost = Peer(domain), list[int](), list[int]()
    keep: Callable[[Int32], None] = lambda msg: received.append(msg.data)  # noqa: E731
    heard = InputSubscription(peer, Int32, "/x", keep, "auto", on_lost=lost.append)
    output = sender.create_publisher(Int32, "/x", 100)
    assert sender.spin_until(output.get_subscription_count)
    assert peer.spin_until(lambda: output.publish(Int32(data=-1)) or received)
    peer.spin_until(lambda: False, 1)  # what was sent meanwhile
    assert not lost
    received.clear()
    for number in range(12):  # while the node has no time: it keeps the newest
        output.publish(Int32(data=number))
    assert output.wait_for_all_acked()
    assert peer.spin_until(lambda: received[-1:] == [11])
    heard.close()
    sender.close()
    if not heard._numbers:
        pytest.skip("this middleware does not number messages")
    assert (len(received) + sum(lost), len(lost)) == (12, 1)
    assert received == list(range(12 - len(received), 12))
