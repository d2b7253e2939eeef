"""What the study of day priors trains: one line per configuration.

Every seed has one day model, the warm-up, trained by day at the study's size: the light network's
weights without labels, ``lite0`` from ImageNet's encoder by the truth of rendered streets. Every
configuration continues it at night, without labels and with the vehicle's known motion unless it
says otherwise, on the same batches in the same order; those with a prior learn it from the same
frozen day model.
"""

from __future__ import annotations

from collections.abc import Mapping

from training.experiments.lite0 import BRIEF, LITE, TAUGHT
from training.experiments.results import Results
from training.experiments.run import Configuration
from training.experiments.study import Network

_SHORT = ("data.train=[{night_clips}]", "prior.day=[{day_clips}]", *BRIEF)
_TAUGHT = ("model.init_from=''", "data.train=[{day_clips}, {day_streets}]", *TAUGHT)
NETWORKS = {
    "light": Network("light", "tiny", 300, 300),
    LITE: Network("lite0", "tiny", 250, 75, own=_SHORT, first=_TAUGHT),
}

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


def ending(network: str) -> str:
    """Return what names of a network's lines end in."""
    return "" if network == "light" else f"-{network}"


def of_network(results: Results, network: str) -> Results:
    """Return the results of a network's lines, called as the study calls them."""
    names = [c.name for c in results.configurations if c.network == network]
    return results.of({name: name.removesuffix(ending(network)) for name in names})


def _lines(
    group: str, overrides: Mapping[str, tuple[str, ...]], network: str
) -> tuple[Configuration, ...]:
    """Return configurations of a group, by name, of three seeds each."""
    return tuple(
        Configuration(n + ending(network), f"{group}{ending(network)}", network, (0, 1, 2), o)
        for n, o in overrides.items()
    )


_MAIN = {
    "night": _NIGHT,
    "patch": (*_NO_3D, "prior.discriminator.kind=patch"),
    DASP: (),
}
_HALVES = {"clip": _NO_3D, "night+3D": _NO_PRIOR}
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

_SPREAD = {f"night-{n}": (*_NIGHT, f"optim.steps={n}") for n in (150, 300)}
"""How much one line differs from seed to seed, by its length; *night* is the shortest."""
_WHY = {
    f"{DASP}-truth": ("prior.truth=true",),
    "patch-truth": (*_MAIN["patch"], "prior.truth=true"),
    "night-apart": (*_NIGHT, "data.apart=3"),
    f"{DASP}-apart": ("data.apart=3",),
    f"{DASP}-slow": ("prior.lr=2.0e-5",),
    f"{DASP}-apart-slow": ("data.apart=3", "prior.lr=2.0e-5"),
}
"""Why clips gain no more than one frame: day depth without errors, frames 0.3 s apart, and a
discriminator that learns five times slower, as it is right at once."""


def _study(network: str) -> tuple[Configuration, ...]:
    """Return the lines that every network has."""
    videos = {VIDEO: _VIDEO, f"{VIDEO}+refine": _REFINED}
    others = {n: (*_NO_3D, f"{_TEMPORAL}={n}") for n in ("central", "shifts", "plain")}
    return (
        Configuration(
            f"day{ending(network)}", f"main{ending(network)}", network, (0, 1, 2), trains=False
        ),
        *_lines("main", _MAIN, network),
        *_lines("halves", _HALVES, network),
        *_lines("refine", videos, network),
        *_lines("blocks", _BLOCKS, network),
        *_lines("control", {"clip-shuffled": (*_NO_3D, "prior.shuffle=true")}, network),
        *_lines("consistency", _CONSISTENCY, network),
        *_lines("parts", _PARTS, network),
        *_lines("temporal", others, network),
    )


CONFIGURATIONS = (
    *_study(LITE),
    *_lines("spread", _SPREAD, LITE),
    *_lines("why", _WHY, LITE),
    *_study("light"),
)
