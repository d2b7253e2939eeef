"""Every message of the diagnostics, its level and the way out: the only place they stand.

``python -m sdepth_ros.notices`` prints the table that docs/diagnostics.md holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from sdepth.markdown import table

OK, WARN, ERROR = 0, 1, 2
"""Levels, as diagnostic_msgs/DiagnosticStatus numbers them."""
LEVELS = ("OK", "WARN", "ERROR")


class Said(NamedTuple):
    """What a node says of itself."""

    level: int
    text: str
    logged: bool


@dataclass(frozen=True)
class Notice:
    """A kind of message.

    Attributes:
        level: of the diagnostics.
        text: in words, with the names of what differs in braces.
        way_out: what to do about it; said with the text unless all is well.
        logged: whether the node's log has it, too; false where it has it already.
    """

    level: int
    text: str
    way_out: str
    logged: bool = True

    def __call__(self, **values: object) -> Said:
        """Return it with what differs."""
        text = self.text if self.level == OK else f"{self.text}; {self.way_out}"
        return Said(self.level, text.format(**values), self.logged and self.level != OK)


FINE = Notice(OK, "ok", "nothing to do")
IDLE = Notice(
    OK,
    "{state}, takes no images",
    "activate it: ros2 lifecycle set /depth activate (unconfigured: configure first), or let a "
    "lifecycle manager do so",
)
LOADING = Notice(
    OK,
    "loading the networks; the first start on a machine times its engines, up to half a minute",
    "wait; later starts go by the times kept in ~/.cache/sdepth",
)
NO_DEPTH_YET = Notice(
    OK,
    "no depth yet: nobody publishes {topic}; a depth node's first start takes up to half a minute",
    "wait, or start the depth node",
)
FAILED = Notice(
    ERROR,
    "{state}: {reason}",
    "then configure it again: ros2 lifecycle set {node} configure",
    logged=False,
)
SOME_REFUSED = Notice(
    WARN,
    "{bad} of the last {recent} frames refused, the last one: {error}",
    "once in a while that is no fault; more often, do as the error says",
    logged=False,
)
MOST_REFUSED = Notice(
    ERROR,
    "{bad} of the last {recent} frames refused, the last one: {error}",
    "set the camera's driver, or whatever publishes the images, as the error says",
    logged=False,
)
NO_CAMERA_INFO = Notice(
    WARN,
    "waiting for a camera_info on {topic}: {reason}",
    "let the driver publish it, remap camera_info to where it is, or set camera_info_url",
)
NO_TRANSFORM = Notice(
    WARN,
    "waiting for the transform {base} <- {camera} on /tf_static, or at the image's stamp on /tf",
    "publish it, or set base_frame to '' for odometry of the camera itself",
)
NO_FRAME_ID = Notice(
    WARN,
    "the images' frame_id is empty, so nothing seen in them has a place",
    "set it in the camera's driver, or set camera_frame",
)
OWN_CHILD = Notice(
    WARN,
    "waiting for another frame: {frame} is odom_frame, and cannot be its own child",
    "set odom_frame to a name that no camera and no base has",
)
SILENT = Notice(
    WARN,
    "no frame for {seconds} s from {source}",
    "start the camera or play a bag; compare topic names and ROS_DOMAIN_ID",
)
NO_DEPTH = Notice(
    WARN,
    "no image for {seconds} s had a depth of its stamp on {topic}, {images} came",
    "start the depth node on the same images; what lies between must keep their stamps",
)
TWO_DEPTHS = Notice(
    WARN,
    "{publishers} publishers send depth on {topic}: odometry takes whichever comes first",
    "stop all but one; a bag of an old run: play it with our replay, which leaves such out",
)
NO_STAMPS = Notice(
    WARN,
    "the images' times are not known, {fault}",
    "let the driver fill header.stamp with the time of the exposure",
)
BEST_EFFORT = Notice(
    WARN,
    "{topic}: {who} is not heard, its reliability is best effort, expected reliable",
    "let it publish reliable, or set input_reliability to auto",
)
NOT_LATCHED = Notice(
    WARN,
    "{topic}: {who} is not heard, its durability is volatile, expected transient local",
    "let it publish latched; a bag: ros2 bag play --qos-profile-overrides-path",
)
COMPRESSED = Notice(
    WARN,
    "{topic}: {who} is not heard, it sends CompressedImage, expected Image",
    "set image_transport to compressed",
)
NOT_COMPRESSED = Notice(
    WARN,
    "{topic}: {who} is not heard, it sends Image, expected CompressedImage",
    "set image_transport to raw",
)
OTHER_TYPE = Notice(
    WARN,
    "{topic}: {who} is not heard, it sends {sent}, expected {expected}",
    "remap to a topic of that type; images that an image_transport encoded: ros2 run "
    "image_transport republish",
)
RIVAL = Notice(
    WARN,
    "somebody else ({others}) publishes {frames} on {topic}, too: what follows it jumps between "
    "both",
    "set publish_tf to false, or stop the other",
)
NO_LIGHT = Notice(
    WARN,
    "no illuminance came on {topic}: mode stays {mode}",
    "start the light sensor, remap illuminance, or set day_night.source to image",
)
NOT_METRIC = Notice(
    WARN,
    "depth is true up to a factor{until}: depth/scale is NaN",
    "wait where a source was named; otherwise set scale.source to what knows metres",
)
BITS_GUESSED = Notice(
    WARN,
    "16-bit images are taken to have {bits} bits, by the brightest pixel so far",
    "set image.significant_bits to the sensor's, usually 10, 12, 14 or 16",
)


def notices() -> dict[str, Notice]:
    """Return every kind of message by its name here."""
    return {name: kind for name, kind in globals().items() if isinstance(kind, Notice)}


def notice_table() -> str:
    """Return them as a table in Markdown, the worst first."""
    rows = []
    for kind in sorted(notices().values(), key=lambda kind: -kind.level):
        text, way_out = (
            re.sub(r"\{(\w+)\}", r"*\1*", words) for words in (kind.text, kind.way_out)
        )
        rows.append((LEVELS[kind.level], text, way_out))
    return table(("level", "message", "way out"), rows) + "\n"


if __name__ == "__main__":
    print(notice_table(), end="")
