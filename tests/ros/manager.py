"""Services of a running node: its lifecycle, its parameters, its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter, parameter_value_to_python

if TYPE_CHECKING:
    from demo.peer import Peer


class Manager:
    """Drives one node by its services."""

    def __init__(self, peer: Peer, node: str) -> None:
        self._peer, self._node = peer, node
        self._clients: dict[str, Any] = {}

    def call(self, service: str, kind: Any, **fields: Any) -> Any:
        """Return the answer of a service of the node."""
        if service not in self._clients:
            self._clients[service] = client = self._peer.create_client(
                kind, f"/{self._node}/{service}"
            )
            assert self._peer.spin_until(client.service_is_ready, 60)
            # A node drops what it answers before it has found the client, too.
            self._peer.spin_until(lambda: False, 0.5)
        future = self._clients[service].call_async(kind.Request(**fields))
        if not self._peer.spin_until(future.done, 30):
            future = self._clients[service].call_async(kind.Request(**fields))
        assert self._peer.spin_until(future.done, 60), f"{service} was not answered"
        return future.result()

    def change(self, *labels: str) -> list[bool]:
        """Return whether transitions succeeded."""
        steps = (Transition(label=label) for label in labels)
        return [self.call("change_state", ChangeState, transition=s).success for s in steps]

    def state(self) -> str:
        """Return the state."""
        return self.call("get_state", GetState).current_state.label

    def set(self, name: str, value: Any) -> str:
        """Set a parameter; return why that was refused, empty where it was not."""
        parameters = [Parameter(name, value=value).to_parameter_msg()]
        return self.call("set_parameters", SetParameters, parameters=parameters).results[0].reason

    def get(self, *names: str) -> list[Any]:
        """Return the values of parameters."""
        values = self.call("get_parameters", GetParameters, names=names).values
        return [parameter_value_to_python(value) for value in values]
