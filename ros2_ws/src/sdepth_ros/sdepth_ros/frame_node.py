"""What the nodes share: images in, one worker, bad frames counted, diagnostics out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import rclpy
import torch
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Float64

from sdepth.camera import Camera
from sdepth.errors import CameraError, SdepthError
from sdepth.memory import memory_mib
from sdepth_ros import stats
from sdepth_ros.camera_input import CameraInput
from sdepth_ros.conversions import stamp_ns
from sdepth_ros.managed_node import ACTIVE, ManagedNode, P
from sdepth_ros.qos import OUTPUT, STATE, InputSubscription, unheard
from sdepth_ros.worker import Worker

_QUIET_S = 5.0  # between two warnings of one kind
_ALL_THREADS = torch.get_num_threads()


@dataclass(frozen=True)
class Frame:
    """An image message, its depth where the node takes one, and when they came.

    ``views`` is (image (H, W, 3), camera, depth (h, w)) where another node of this process has
    them already.
    """

    image: Any
    depth: Any = None
    received_s: float = 0.0
    views: tuple[NDArray[np.uint8], Camera, NDArray[np.float32]] | None = None


class FrameNode(ManagedNode[P]):
    """A node that answers images: the newest wins, a bad one is dropped, counted and warned of."""

    SLOTS = 1  # frames that may wait while one is worked on
    THREADS = 0  # of torch; 0: as many as it takes by itself
    camera: CameraInput

    def __init__(self, name: str, params: type[P]) -> None:
        """Declare the parameters and begin to report."""
        super().__init__(name, params)
        self.stats = stats.FrameStats()
        self.crashed = False
        self._camera_error = ""
        self._heard, self._heard_s = 0, 0.0
        self._inputs: list[InputSubscription] = []
        self._outputs: list[Any] = []
        self._worker: Worker[Frame] | None = None
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)  # also ticks where /clock stands
        self._refresher: Timer | None = None
        options = QoSOverridingOptions.with_default_policies()
        self._diagnostics = self.create_publisher(
            DiagnosticArray, "/diagnostics", STATE, qos_overriding_options=options
        )
        self.create_timer(1.0, self._diagnose, clock=self._steady)

    def process(self, frame: Frame) -> bool:
        """Answer a frame, in the worker's thread; tell whether anything was published."""
        raise NotImplementedError

    def warm_up(self) -> None:
        """Do in the worker's thread what would make the first frame slow."""

    def missing(self, frame: Frame) -> str:
        """Return what the frame must wait for, in words; empty when it can be answered."""
        if frame.views is None and not self.camera.known:
            return f"a camera_info on {self._inputs[0].describe()}: {self._camera_error}"
        return ""

    def source(self) -> str:
        """Return who should send frames, in words."""
        return " and ".join(item.describe() for item in self._inputs[1:])

    def doubt(self) -> str:
        """Return why answers are to be taken with care; empty when they are not."""
        return ""

    def describe(self) -> dict[str, str]:
        """Return what else belongs into the diagnostics."""
        return {}

    def start(self) -> None:
        """Warm up what ``configure`` loaded, before publishers show that the node is there.

        Raises:
            SdepthError: the calibration file cannot be used.
        """
        self.camera = CameraInput(self.params, self.get_logger())
        self._processing = self.advertise(Float64, "~/debug/processing_time_ms")
        self._latency = self.advertise(Float64, "~/debug/pipeline_latency_ms")
        self._worker = Worker(
            self._work, lambda frame: not self.missing(frame), self._warm_up, self.SLOTS
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
        """Subscribe to the camera, of which nothing is known but its calibration file."""
        self.camera.forget()
        self._camera_error = "none came yet"
        self.expect_frames()
        image = self.resolve_topic_name("image")
        self.subscribe(CameraInfo, self._camera_info_topic(image), self._on_camera_info)
        compressed = self.params.image_transport == "compressed"
        kind, suffix = (CompressedImage, "/compressed") if compressed else (Image, "")
        count = partial(self.stats.count, stats.LOST)
        heard = self.subscribe(kind, image + suffix, on_image, on_lost=count)
        self._refresher = self.create_timer(0.5, self._refresh, clock=self._steady)
        self.get_logger().info(f"ready, waiting for images on {heard.topic}")

    def expect_frames(self) -> None:
        """Count from now how long no frame comes."""
        self._heard, self._heard_s = self.stats[stats.IN], time.monotonic()

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
        if self._worker.put(frame) is not None:
            self.stats.count(stats.DROPPED)

    def wake(self) -> None:
        """Look again whether the waiting frame has all it needs."""
        if self._worker is not None:
            self._worker.wake()

    def deactivate(self) -> None:
        """Finish the frame at work, and unsubscribe."""
        if self._worker is not None:
            self.stats.count(stats.DROPPED, self._worker.drain())
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
            self.get_logger().warning(f"camera_info: {err}", throttle_duration_sec=_QUIET_S)
            return
        self.wake()

    def _warm_up(self) -> None:
        """Choose the threads of the worker's own torch, before it makes them."""
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
            self.get_logger().warning(f"frame dropped: {err}", throttle_duration_sec=_QUIET_S)
        except Exception:  # the thread must not die in silence
            if rclpy.ok():  # else: publishing after the shutdown, as expected
                self.crashed = True
                raise
        finally:
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

    def _diagnose(self) -> None:
        """Publish the state of the node, and how it goes."""
        level, message = self._health()
        if found := self._unheard():
            level = max(level, DiagnosticStatus.WARN)
            message = found if message == "ok" else f"{message}; {found}"
        name = f"{self.get_fully_qualified_name().lstrip('/')}: frames"
        status = DiagnosticStatus(level=level, name=name, message=message, hardware_id="sdepth")
        values = {"state": self.state} | self.stats.values() | self.describe()
        values |= {what: f"{mib:.0f}" for what, mib in memory_mib().items()}
        status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
        report = DiagnosticArray(status=[status])
        report.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(report)

    def _unheard(self) -> str:
        """Return which publishers cannot be heard, and warn of them; empty where all can."""
        if self.state != ACTIVE:
            return ""
        self._refresh()  # what can follow its publishers has done so
        if found := "; ".join(unheard(self)):
            self.get_logger().warning(found, throttle_duration_sec=60.0)
        return found

    def _health(self) -> tuple[bytes, str]:
        """Return level and message of the diagnostics; warn while a frame waits for something."""
        if self.failure:
            return DiagnosticStatus.ERROR, f"{self.state}: {self.failure}"
        if self.state != ACTIVE or self._worker is None:
            return DiagnosticStatus.OK, f"{self.state}, takes no images"
        waiting = self._worker.waiting()
        missing = self.missing(waiting) if waiting is not None else ""
        if missing:
            self.get_logger().warning(f"waiting for {missing}", throttle_duration_sec=_QUIET_S)
            return DiagnosticStatus.WARN, f"waiting for {missing}"
        if (heard := self.stats[stats.IN]) != self._heard:
            self._heard, self._heard_s = heard, time.monotonic()
        if (silent_s := time.monotonic() - self._heard_s) > _QUIET_S:
            silence = f"no frame for {silent_s:.0f} s from {self.source()}"
            self.get_logger().warning(silence, throttle_duration_sec=_QUIET_S)
            return DiagnosticStatus.WARN, silence
        if doubt := self.doubt():
            self.get_logger().warning(doubt, throttle_duration_sec=60.0)
            return DiagnosticStatus.WARN, doubt
        return DiagnosticStatus.OK, "ok"
