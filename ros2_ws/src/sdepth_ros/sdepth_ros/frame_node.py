"""Base of both nodes: image subscription, worker thread, frame counts, diagnostics."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import rclpy
import torch
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Float64, Header

from sdepth.errors import CameraError, SdepthError
from sdepth.memory import memory_mib
from sdepth.pipeline import DepthResult
from sdepth.pixels import BitDepth
from sdepth_ros import stats
from sdepth_ros.camera_input import CameraInput
from sdepth_ros.conversions import plain, stamp_ns
from sdepth_ros.health import Health
from sdepth_ros.managed_node import ACTIVE, ManagedNode, P
from sdepth_ros.notices import BITS_GUESSED, FAILED, IDLE, LOADING, NO_CAMERA_INFO, SILENT, Said
from sdepth_ros.qos import OUTPUT, InputSubscription, unheard
from sdepth_ros.worker import Rendezvous, Worker

QUIET_S = 5.0  # between two warnings of one kind, and until silence is one
_COMPRESSED = "/compressed"  # image_transport's suffix
_ALL_THREADS = torch.get_num_threads()


@dataclass(frozen=True)
class Frame:
    """An image message, its depth where the node takes one, and when they came.

    ``result`` is there where another node of this process has seen the image already; what that
    node holds back until this one has answered is let go by ``answered``.
    """

    image: Any
    depth: Any = None
    received_s: float = 0.0
    result: DepthResult | None = None
    answered: Rendezvous | None = None

    def let_go(self) -> None:
        """Say that the frame is answered, or never will be."""
        if self.answered is not None:
            self.answered.let()


class FrameNode(ManagedNode[P]):
    """A node with one worker thread for images; bad frames are dropped, counted and warned of."""

    SLOTS = 1  # frames that may wait while one is worked on
    THREADS = 0  # of torch; 0: as many as it takes by itself
    camera: CameraInput

    def __init__(self, name: str, params: type[P]) -> None:
        """Declare the parameters and begin to report."""
        super().__init__(name, params)
        self.stats = stats.FrameStats()
        self.crashed = False
        self.bits = BitDepth()
        self._camera_error = ""
        self._heard, self._heard_s = 0, 0.0
        self._inputs: list[InputSubscription] = []
        self._outputs: list[Any] = []
        self._worker: Worker[Frame] | None = None
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)  # also ticks where /clock stands
        self._refresher: Timer | None = None
        self._health = Health(self, self._steady, self._concerns, self._values)

    def process(self, frame: Frame) -> bool:
        """Answer a frame, in the worker's thread; tell whether anything was published."""
        raise NotImplementedError

    def warm_up(self) -> None:
        """Do in the worker's thread what would make the first frame slow."""

    def missing(self, frame: Frame) -> Said | None:
        """Return what the frame must wait for; None if it can be processed."""
        if frame.result is None and not self.camera.known:
            return NO_CAMERA_INFO(topic=self._inputs[0].describe(), reason=self._camera_error)
        return None

    def source(self) -> str:
        """Return who should send frames, in words."""
        return " and ".join(item.describe() for item in self._inputs[1:])

    def doubts(self) -> list[Said]:
        """Return warnings that do not stop processing."""
        guessed = self.bits.guessed
        return [BITS_GUESSED(bits=guessed)] if 0 < guessed < 16 else []

    def describe(self) -> dict[str, str]:
        """Return further key-value pairs of the diagnostics."""
        return {}

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Configure, and report meanwhile: it takes long."""
        with self._health.while_busy():
            return super().on_configure(state)

    def header_of(self, image: Any) -> Header:
        """Return the header of what is seen in an image: its stamp and its camera's frame."""
        frame = plain(self.params.camera_frame or image.header.frame_id)
        return Header(stamp=image.header.stamp, frame_id=frame)

    def start(self) -> None:
        """Warm up what ``configure`` loaded, before publishers show that the node is there.

        Raises:
            SdepthError: the calibration file cannot be used.
        """
        self.camera = CameraInput(self.params, self.get_logger())
        self._processing = self.advertise(Float64, "~/debug/processing_time_ms")
        self._latency = self.advertise(Float64, "~/debug/pipeline_latency_ms")
        self._worker = Worker(
            self._work, lambda frame: self.missing(frame) is None, self._warm_up, self.SLOTS
        )

    def advertise(self, kind: type, topic: str, qos: QoSProfile = OUTPUT) -> Any:
        """Return a new publisher, silent unless active; ``qos_overrides`` may change its QoS."""
        options = QoSOverridingOptions.with_default_policies()
        output: Any = self.create_lifecycle_publisher(
            kind, topic, qos, qos_overriding_options=options
        )
        self._outputs.append(output)
        return output

    def listen(self, on_image: Callable[[Any], None]) -> None:
        """Subscribe to image and camera_info, forgetting any earlier camera_info."""
        self.camera.forget()
        self._camera_error = "none came yet"
        self.expect_frames()
        given = self.resolve_topic_name("image")
        image = given.removesuffix(_COMPRESSED)
        self.subscribe(CameraInfo, self._camera_info_topic(image), self._on_camera_info)
        compressed = self.params.image_transport == "compressed"
        kind, topic = (CompressedImage, image + _COMPRESSED) if compressed else (Image, given)
        count = partial(self.stats.count, stats.LOST)
        heard = self.subscribe(kind, topic, on_image, on_lost=count)
        self._refresher = self.create_timer(0.5, self._refresh, clock=self._steady)
        self.get_logger().info(f"ready, waiting for images on {heard.topic}")

    def expect_frames(self) -> None:
        """Restart the watch for missing frames."""
        self._heard, self._heard_s = self.stats[stats.IN], time.monotonic()
        self.stats.forget_recent()
        self.bits = BitDepth(self.params.image.significant_bits)

    def subscribe(
        self, kind: type, topic: str, callback: Callable[[Any], None], **more: Any
    ) -> InputSubscription:
        """Return a new input that follows its publishers' reliability; ``more``: ``on_lost``."""
        how = self.params.input_reliability, kind is CameraInfo
        self._inputs.append(InputSubscription(self, kind, topic, callback, *how, **more))
        return self._inputs[-1]

    def offer(self, frame: Frame) -> None:
        """Leave a frame for the worker; an older one that still waits is dropped."""
        assert self._worker is not None
        if (dropped := self._worker.put(frame)) is not None:
            self.stats.count(stats.DROPPED)
            dropped.let_go()

    def wake(self) -> None:
        """Look again whether the waiting frame has all it needs."""
        if self._worker is not None:
            self._worker.wake()

    def deactivate(self) -> None:
        """Finish the frame at work, and unsubscribe."""
        if self._worker is not None:
            for frame in self._worker.drain():
                self.stats.count(stats.DROPPED)
                frame.let_go()
        if self._refresher is not None:
            self.destroy_timer(self._refresher)
            self._refresher = None
        while self._inputs:
            self._inputs.pop().close()

    def cleanup(self) -> None:
        """End the worker and the publishers; subclasses let go of their networks first."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        while self._outputs:
            self.destroy_lifecycle_publisher(self._outputs.pop())
        torch.cuda.empty_cache()

    def close(self) -> None:
        """End the worker and leave."""
        if self._worker is not None:
            self._worker.close()
        self.destroy_node()

    def _camera_info_topic(self, image: str) -> str:
        """Return the topic of camera_info: as remapped, otherwise the image's sibling."""
        topic = self.resolve_topic_name("camera_info")
        if topic != self.resolve_topic_name("camera_info", only_expand=True):
            return topic
        return image.rsplit("/", 1)[0] + "/camera_info"

    def _on_camera_info(self, msg: CameraInfo) -> None:
        """Keep the camera for the images that follow."""
        try:
            self.camera.update(msg)
        except CameraError as err:
            self._camera_error = f"the last one is unusable, {err}"
            self.get_logger().warning(f"camera_info: {err}", throttle_duration_sec=QUIET_S)
            return
        self.wake()

    def _warm_up(self) -> None:
        """Set torch's number of threads in the worker's thread, before its first use."""
        torch.set_num_threads(self.THREADS or _ALL_THREADS)
        self.warm_up()

    def _work(self, frame: Frame) -> None:
        """Answer one frame; only a fault of ours ends the node."""
        try:
            with self.stats.frame():
                answered = self.process(frame)
            if answered:
                self._tell_times(frame)
            else:
                self.stats.count(stats.IDLE)
        except SdepthError as err:
            self.stats.bad(str(err))
            self.get_logger().warning(f"frame dropped: {err}", throttle_duration_sec=QUIET_S)
        except Exception:  # the thread must not die in silence
            if rclpy.ok():  # else: publishing after the shutdown, as expected
                self.crashed = True
                raise
        finally:
            frame.let_go()
            if self.crashed:
                rclpy.try_shutdown()

    def _tell_times(self, frame: Frame) -> None:
        """Count a frame as answered, and publish how long it took and how old it is now."""
        processing_ms = self.stats.done((time.monotonic() - frame.received_s) * 1e3)
        self._processing.publish(Float64(data=processing_ms))
        age_ns = self.get_clock().now().nanoseconds - stamp_ns(frame.image.header)
        self._latency.publish(Float64(data=age_ns * 1e-6))

    def _refresh(self) -> None:
        """Follow the publishers."""
        for subscription in self._inputs:
            subscription.refresh()

    def _values(self) -> dict[str, str]:
        """Return what the diagnostics tell beside their message."""
        values = {"state": self.state} | self.stats.values() | self.describe()
        if self.bits.bits:
            values["significant bits"] = str(self.bits.bits)
        return values | {what: f"{mib:.0f}" for what, mib in memory_mib().items()}

    def _concerns(self) -> list[Said]:
        """Return current warnings and errors, the most important first."""
        if self.failure:
            return [
                FAILED(state=self.state, reason=self.failure, node=self.get_fully_qualified_name())
            ]
        if self.state == "configuring":
            return [LOADING()]
        if self.state != ACTIVE or self._worker is None:
            return [IDLE(state=self.state)]
        self._refresh()  # what can follow its publishers has done so
        waiting = self._worker.waiting()
        missing = self.missing(waiting) if waiting is not None else None
        found = [missing] if missing else [self._silence(), *self.doubts()]
        return [said for said in (self.stats.refused(), *found, *unheard(self)) if said]

    def _silence(self) -> Said | None:
        """Return that no frame comes any more."""
        if (heard := self.stats[stats.IN]) != self._heard:
            self._heard, self._heard_s = heard, time.monotonic()
        if (silent_s := time.monotonic() - self._heard_s) <= QUIET_S:
            return None
        return SILENT(seconds=f"{silent_s:.0f}", source=self.source())
