"""What is known of networks that people ask for, beside what their files say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdepth.card import AFFINE, CANONICAL, KEEP, METRIC, SHARE, STRETCH, WEIGHT

Fields = dict[str, Any]
"""Fields of ``ForeignCard`` by name; ``canonical_focal``, pixels at the network's size; and
``depth_output``, the name of the output that is depth."""

_IMAGENET = {"channel_mean": (0.485, 0.456, 0.406), "channel_std": (0.229, 0.224, 0.225)}
_BYTES = {"channel_mean": (0.0, 0.0, 0.0), "channel_std": (1 / 255, 1 / 255, 1 / 255)}
_DA = {"fit": KEEP, "resample": "bicubic", "multiple": 14, **_IMAGENET}
_METRIC3D = {  # it normalises itself; its confidence is trained to be 1 - the relative error
    "padding": _IMAGENET["channel_mean"],
    "output": CANONICAL, "canonical_focal": 1000.0, "fit": KEEP, "resample": "bilinear",
    "depth_range_m": (0.1, 300.0), "confidence_is": SHARE, "licence": "BSD-2-Clause",
    "source": "github.com/YvanYin/Metric3D", **_BYTES,
}  # fmt: skip
_FREE, _NOT_COMMERCIAL = "Apache-2.0", "CC-BY-NC-4.0"
_SIZES = {"Small": _FREE, "Base": _NOT_COMMERCIAL, "Large": _NOT_COMMERCIAL}


def _depth_anything_v2(where: str, size: str) -> Fields:
    """Return what is known of Depth Anything V2: relative, or metric outdoors or indoors."""
    name = f"Depth-Anything-V2-{f'Metric-{where}-' if where else ''}{size}-hf"
    farthest = {"Outdoor": 80.0, "Indoor": 20.0}
    known = {"output": METRIC, "depth_range_m": (0.01, farthest[where])} if where else {}
    source = f"huggingface.co/depth-anything/{name}"
    return {**_DA, "output": AFFINE, **known, "licence": _SIZES[size], "source": source}


PRESETS: Mapping[str, Fields] = {
    **{
        f"depth-anything-v2-{f'metric-{w.lower()}-' if w else ''}{size.lower()}": (
            _depth_anything_v2(w, size)
        )
        for w in ("", "Outdoor", "Indoor")
        for size in _SIZES
    },
    "depth-anything-3-metric-large": {
        **_DA, "output": CANONICAL, "canonical_focal": 300.0, "depth_range_m": (0.1, 300.0),
        "confidence_is": WEIGHT, "sky_above": 0.3,
        "licence": _FREE, "source": "huggingface.co/depth-anything/DA3METRIC-LARGE",
    },
    "metric3d-v2-small": _METRIC3D,
    "metric3d-v2-large": _METRIC3D,
    "dpt-large": {"output": AFFINE, "licence": _FREE, "source": "huggingface.co/Intel/dpt-large"},
}  # fmt: skip
DEFAULTS: Fields = {
    "fit": STRETCH, "resample": "area", "multiple": 1, "channels": "rgb", "domain": "day",
    "source": "unknown", "depth_range_m": (0.1, 100.0), "canonical_focal": 0.0,
    "sky_above": 0.5,
}  # fmt: skip
