"""What the study of day priors trains: one line per configuration.

Every seed has one day model, the warm-up: the light network's weights, trained on by day at the
study's size. Every configuration continues it at night, with the vehicle's known motion unless it
says otherwise, on the same batches in the same order; those with a prior learn it from the same
frozen day model.
"""

from __future__ import annotations

from collections.abc import Mapping

from training.experiments.run import Configuration
from training.experiments.study import Network

NETWORKS = {"light": Network("light", "tiny", 300, 300)}

BY_DAY = (
    "domain=day",
    "data.train=[{day}]",
    "model.init_from=training/weights/light.safetensors",
    "loss.projection_weight=0.0",
    "night.enhance=''",
    "night.static_quantile=0.0",
    "prior.weight=0.0",
)
"""The warm-up: day stage of training/configs/dasp.yaml."""
SHARED = ("prior.day=[{day}]", "prior.day_weights={warm_up}")

DASP = "dasp"
"""All of it: a clip's prior, and points of neighbouring frames that agree."""
_NO_3D = ("loss.projection_weight=0.0",)
_NO_PRIOR = ("prior.weight=0.0",)
_NIGHT = (*_NO_PRIOR, *_NO_3D)
_TEMPORAL, _SPATIAL = "prior.discriminator.temporal", "prior.discriminator.spatial"
_NO_STLM, _NO_ASLM = (f"{_TEMPORAL}=''",), (f"{_SPATIAL}=false",)
VIDEO = "dasp-video"
"""All of it, where no motion is known: refined motions can only bear on depth there."""
_VIDEO = ("loss.known_motion=false", "loss.motion_weight=0.0")
_REFINED = (
    *_VIDEO,
    "refine.features=unet",
    "refine.strides=[4, 2]",
    "refine.initial_weight=0.5",
    "refine.consistency_weight=0.1",
)
"""Variant D of the study of refinement."""


def _lines(group: str, overrides: Mapping[str, tuple[str, ...]]) -> tuple[Configuration, ...]:
    """Return configurations of a group, by name, of three seeds each."""
    return tuple(Configuration(n, group, "light", (0, 1, 2), o) for n, o in overrides.items())


_MAIN = {
    "night": _NIGHT,
    "patch": (*_NO_3D, "prior.discriminator.kind=patch"),
    "clip": _NO_3D,
    DASP: (),
    "night+3D": _NO_PRIOR,
}
_BLOCKS = {
    "clip-neither": (*_NO_3D, *_NO_STLM, *_NO_ASLM),
    "clip-stlm": (*_NO_3D, *_NO_ASLM),
    "clip-aslm": (*_NO_3D, *_NO_STLM),
}
_CONSISTENCY = {
    "clip+GC": (*_NO_3D, "loss.geometry_weight=0.01"),
    "clip+unnormalised": ("loss.projection_normalized=false", "loss.projection_weight=0.0002"),
}
"""Weighed so that each counts about as much as the 3D consistency of dasp.yaml at the start."""
_PARTS = {
    "night-raw": (*_NIGHT, "night.enhance=''"),
    "night-frame": (*_NIGHT, "night.enhance=frame"),
    "night-no-mask": (*_NIGHT, "night.static_quantile=0.0"),
}

CONFIGURATIONS = (
    Configuration("day", "main", "light", (0, 1, 2), trains=False),
    *_lines("main", _MAIN),
    *_lines("refine", {VIDEO: _VIDEO, f"{VIDEO}+refine": _REFINED}),
    *_lines("blocks", _BLOCKS),
    *_lines("control", {"clip-shuffled": (*_NO_3D, "prior.shuffle=true")}),
    *_lines("consistency", _CONSISTENCY),
    *_lines("parts", _PARTS),
    *_lines(
        "temporal", {n: (*_NO_3D, f"{_TEMPORAL}={n}") for n in ("central", "shifts", "plain")}
    ),
)
