"""What the study of pose refinement trains: one line per configuration.

Every (network, seed) has one warm-up of the plain baseline. Each configuration continues it, on
the same batches in the same order, so configurations of one seed differ in nothing but what their
line says.
"""

from __future__ import annotations

from training.experiments.lite0 import BRIEF, LITE, TAUGHT
from training.experiments.run import Configuration
from training.experiments.study import Network

SHORT, ABLATION = "light, short", "ablation"
_FROM_TRUTH = (
    "model.motion_from=training/weights/light.safetensors",
    "data.train=[{clips}, {streets}]",
    *TAUGHT,
)
"""Where ``lite0`` starts: taught by truth, with the light network's pose network."""
NETWORKS = {
    LITE: Network(
        *("lite0", "tiny", 150, 200),
        own=("data.train=[{clips}]", "optim.lr=2.0e-4", *BRIEF),
        first=_FROM_TRUTH,
    ),
    "light": Network("light", "tiny", 1000, 700),
    "resnet18": Network("resnet18", "tiny", 500, 400),
    SHORT: Network("light", "tiny", 1000, 300, warm_up="light"),
    "light, light pose": Network("light", "light", 500, 300),
}

NONE = ("refine.features=''",)
"""No refinement: the baseline."""
VARIANTS = {
    "A": ("refine.initial_weight=0.0", "refine.consistency_weight=0.0"),
    "B": ("refine.initial_weight=0.5", "refine.consistency_weight=0.0"),
    "C": ("refine.initial_weight=0.0", "refine.consistency_weight=0.1"),
    "D": ("refine.initial_weight=0.5", "refine.consistency_weight=0.1"),
}
"""What reaches the pose network: nothing but the refined motion's trace (A), the photometric loss
at its own motion (B), a pull to the refined motion (C), both (D)."""
BEST = "C"
"""The variant that everything else is compared with and built on."""

_SPEED = ("loss.speed_weight=0.05",)
_GC = ("loss.geometry_weight=0.5",)
_BEST = VARIANTS[BEST]
_ALL, _TWO = (0, 1, 2), (0, 1)
_ABLATED = {
    "intensity": ("refine.features=intensity",),
    "random": ("refine.features=random",),
    "encoder": ("refine.features=encoder", "refine.strides=[8, 4]"),
    "attach": ("refine.attach_depth=true",),
    "unroll": ("refine.unroll=true",),
    "iterations-1": ("refine.iterations=1",),
    "stride-4": ("refine.strides=[4]",),
}
"""One thing of the best variant changed."""
_TAUGHT_FEATURES = (
    "model.motion_from=training/weights/light.safetensors",
    "refine.strides=[8, 4, 2]",
    "refine.lr_scale=0.0",
    "refine.damping_lr_scale=0.0",
)
_TRIED = {
    "D-taught": (*VARIANTS["D"], *_TAUGHT_FEATURES),
    "C-taught": (*_BEST, *_TAUGHT_FEATURES),
    "D-fixed": (*VARIANTS["D"], "refine.features=intensity"),
}
"""Why refinement harms ``lite0``: features that truth has taught, or none to learn, in the place
of features that start at random. The pose network starts as the light one's either way."""

CONFIGURATIONS = (
    Configuration("base", "main", "light", _ALL, NONE),
    Configuration(BEST, "main", "light", _ALL, _BEST),
    Configuration("D", "loss", "light", _ALL, VARIANTS["D"]),
    Configuration("A", "loss", "light", (0,), VARIANTS["A"]),
    Configuration("base-resnet18", "backbone", "resnet18", _ALL, NONE),
    Configuration(f"{BEST}-resnet18", "backbone", "resnet18", _ALL, _BEST),
    Configuration("D-resnet18", "backbone", "resnet18", _ALL, VARIANTS["D"]),
    Configuration("GC", "anchor", "light", _ALL, (*NONE, *_GC)),
    Configuration(f"{BEST}+GC", "anchor", "light", _TWO, (*_BEST, *_GC)),
    Configuration("base+speed", "speed", "light", _TWO, (*NONE, *_SPEED)),
    Configuration(
        f"{BEST}+speed", "speed", "light", _TWO, (*_BEST, *_SPEED, "refine.attach_depth=true")
    ),
    Configuration("base-short", ABLATION, SHORT, (0,), NONE),
    *(Configuration(f"{n}-short", ABLATION, SHORT, (0,), v) for n, v in VARIANTS.items()),
    *(Configuration(n, ABLATION, SHORT, (0,), (*_BEST, *o)) for n, o in _ABLATED.items()),
    Configuration("base-lightpose", "pose network", "light, light pose", (0,), NONE),
    Configuration("D-lightpose", "pose network", "light, light pose", (0,), VARIANTS["D"]),
    Configuration(f"base-{LITE}", LITE, LITE, _ALL, NONE),
    *(Configuration(f"{n}-{LITE}", LITE, LITE, _ALL, VARIANTS[n]) for n in ("D", BEST, "B")),
    *(Configuration(f"{n}-{LITE}", f"{LITE}, tried", LITE, _ALL, o) for n, o in _TRIED.items()),
)
