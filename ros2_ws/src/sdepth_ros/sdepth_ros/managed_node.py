"""A lifecycle node whose transitions are methods and whose parameters are a dataclass."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from sdepth.errors import ConfigError, SdepthError
from sdepth_ros.node_params import DepthParams, InputParams, OdometryParams
from sdepth_ros.parameters import declare, leaves, read, spelled, updated

P = TypeVar("P", bound=InputParams)
UNCONFIGURED, INACTIVE, ACTIVE = "unconfigured", "inactive", "active"
_SUCCESS, _ERROR = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.ERROR


class ManagedNode(LifecycleNode, Generic[P]):
    """A lifecycle node with a dataclass of parameters; subclasses fill in the steps.

    A step that fails says why, in the log and as ``failure``, and leaves the node unconfigured.
    """

    def __init__(self, name: str, params: type[P]) -> None:
        """Declare the parameters; they are checked when the node is configured."""
        super().__init__(name)
        self.params = params()
        self.failure = ""
        self._autostarts, self._unusable = False, dict[str, str]()
        self._unusable = declare(self, params, (DepthParams, OdometryParams))
        self.add_on_set_parameters_callback(self._on_set)
        self.create_service(SetBool, "~/enable", self._on_enable)

    def configure(self) -> None:
        """Load what takes long, and create the publishers.

        Raises:
            SdepthError: with these parameters the node cannot work.
        """
        raise NotImplementedError

    def activate(self) -> None:
        """Begin to listen."""
        raise NotImplementedError

    def deactivate(self) -> None:
        """Stop listening, and finish what is at work; nothing to do where not active."""
        raise NotImplementedError

    def reconfigure(self) -> None:
        """Use dynamic parameters that changed while the node is configured."""

    def cleanup(self) -> None:
        """Give back what ``configure`` took, also where that stopped halfway."""
        raise NotImplementedError

    @property
    def state(self) -> str:
        """The lifecycle state, such as ``active``."""
        return self._state_machine.current_state[1]  # rclpy tells it by a service only

    def autostart(self) -> bool:
        """Configure and activate where the parameter says so; tell whether nothing failed."""
        if not self.get_parameter("autostart").value:
            self.get_logger().info("unconfigured, waiting to be configured and activated")
            return True
        self._autostarts = True  # nobody can correct what fails now
        steps = (self.trigger_configure, self.trigger_activate)
        done = all(step() == _SUCCESS for step in steps)
        self._autostarts = False
        return done

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """Set parameters; one that stays as it is may also be fixed, so a dump can be loaded."""
        kind, names = type(self.params), {name for name, _ in leaves(type(self.params))}
        wanted = [spelled(kind, p) if p.name in names else p for p in parameter_list]
        changes = [p for p in wanted if not self._holds(p)]
        if not changes:
            return SetParametersResult(successful=True)
        return super().set_parameters_atomically(changes)

    def _holds(self, wanted: Parameter) -> bool:
        """Tell whether a parameter has this value."""
        if not self.has_parameter(wanted.name) or wanted.name in self._unusable:
            return False
        present = self.get_parameter(wanted.name)
        return bool(present.type_ == wanted.type_ and present.value == wanted.value)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and ``configure``."""

        def step() -> None:
            self.params = read(self, type(self.params), self._unusable)
            self.configure()

        return self._take(step)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let the publishers speak, and ``activate``."""
        super().on_activate(state)
        return self._take(self.activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """``deactivate``, and silence the publishers."""
        result = self._take(self.deactivate)
        super().on_deactivate(state)
        return result

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """``cleanup``."""
        return self._take(self.cleanup)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, from whatever state."""
        return self._take(self._release)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, so that the node can be configured again."""
        self._release()
        return _SUCCESS

    def _release(self) -> None:
        """Undo every step."""
        self.deactivate()
        self.cleanup()

    def _take(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        """Take a step; say why it failed, since rclpy does not."""
        self.failure = ""
        try:
            step()
        except SdepthError as err:
            self.failure = str(err)
            self._log_failure(self.failure)
        except Exception as err:
            self.failure = f"{type(err).__name__}: {err}"
            if self.context.ok():  # else: told to stop meanwhile
                self._log_failure(traceback.format_exc())
        return _ERROR if self.failure else _SUCCESS

    def _log_failure(self, text: str) -> None:
        """Log why a step failed: fatal where that ends the process."""
        logger = self.get_logger()
        (logger.fatal if self._autostarts else logger.error)(text)

    def _on_enable(self, request: Any, response: Any) -> Any:
        """Activate or deactivate."""
        before, wanted = self.state, ACTIVE if request.data else INACTIVE
        step = self.trigger_activate if request.data else self.trigger_deactivate
        if before not in (ACTIVE, INACTIVE):
            name = self.get_fully_qualified_name()
            response.message = (
                f"{name} is {before}, expected active or inactive; configure it first: "
                f"ros2 lifecycle set {name} configure"
            )
            return response
        response.success = before == wanted or step() == _SUCCESS
        response.message = self.failure or self.state
        return response

    def _on_set(self, changes: list[Parameter]) -> SetParametersResult:
        """Take new values, or say why not; unconfigured, all are checked by ``configure``."""
        if self.state == UNCONFIGURED:
            for change in changes:
                self._unusable.pop(change.name, None)
            return SetParametersResult(successful=True)
        try:
            self.params = updated(self.params, changes)
        except ConfigError as err:
            return SetParametersResult(successful=False, reason=str(err))
        if self.state in (INACTIVE, ACTIVE):
            self.reconfigure()
        return SetParametersResult(successful=True)
