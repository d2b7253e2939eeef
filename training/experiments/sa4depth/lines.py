"""What the study of pose refinement trains: one line per configuration.

Every (network, seed) has one warm-up of the plain baseline. Each configuration continues it, on
the same batches in the same order, so configurations of one seed differ in nothing but what their
line says.
"""

from __future__ import annotations

from training.experiments.study import Configuration, Network

NETWORKS = {
    "light": Network("light", "tiny", 1000, 700),
    "resnet18": Network("resnet18", "tiny", 500, 400),
    "light, light pose": Network("light", "light", 1000, 700),
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
_ALL = (0, 1, 2)

CONFIGURATIONS = (
    Configuration("base", "main", "light", _ALL, NONE),
    Configuration(BEST, "main", "light", _ALL, _BEST),
    *(Configuration(n, "loss", "light", _ALL, v) for n, v in VARIANTS.items() if n != BEST),
    Configuration("base-resnet18", "backbone", "resnet18", _ALL, NONE),
    Configuration(f"{BEST}-resnet18", "backbone", "resnet18", _ALL, _BEST),
    Configuration("D-resnet18", "backbone", "resnet18", _ALL, VARIANTS["D"]),
    Configuration("GC", "anchor", "light", _ALL, (*NONE, *_GC)),
    Configuration(f"{BEST}+GC", "anchor", "light", _ALL, (*_BEST, *_GC)),
    Configuration("base+speed", "speed", "light", _ALL, (*NONE, *_SPEED)),
    Configuration(
        f"{BEST}+speed", "speed", "light", _ALL, (*_BEST, *_SPEED, "refine.attach_depth=true")
    ),
    Configuration("intensity", "ablation", "light", (0,), (*_BEST, "refine.features=intensity")),
    Configuration("random", "ablation", "light", (0,), (*_BEST, "refine.features=random")),
    Configuration("attach", "ablation", "light", (0,), (*_BEST, "refine.attach_depth=true")),
    Configuration("iterations-1", "ablation", "light", (0,), (*_BEST, "refine.iterations=1")),
    Configuration("unroll", "ablation", "light", (0,), (*_BEST, "refine.unroll=true")),
    Configuration("stride-4", "ablation", "light", (0,), (*_BEST, "refine.strides=[4]")),
    Configuration("stride-2", "ablation", "light", (0,), (*_BEST, "refine.strides=[2]")),
    Configuration(
        "encoder", "ablation", "light", (0,),
        (*_BEST, "refine.features=encoder", "refine.strides=[8, 4]"),
    ),
    Configuration("base-lightpose", "pose network", "light, light pose", (0,), NONE),
    Configuration(f"{BEST}-lightpose", "pose network", "light, light pose", (0,), _BEST),
)  # fmt: skip
