"""What a user says of a network of others, on the command line."""

from __future__ import annotations

from argparse import Namespace

from sdepth.card import CHANNELS, CONFIDENCES, FITS, OUTPUTS, RESAMPLINGS
from sdepth.cli import image_size
from training.weights.presets import PRESETS, Fields

_THREE: Fields = {"type": float, "nargs": 3}
FLAGS: dict[str, tuple[Fields, str]] = {
    "--preset": ({"choices": sorted(PRESETS)}, "what is known of a network beside its file"),
    "--output": (
        {"choices": OUTPUTS},
        "metric: metres; canonical: metres for a camera of --canonical-focal; inverse: inverse "
        "depth up to scale; affine: up to scale and shift",
    ),
    "--canonical-focal": ({"type": float, "metavar": "PX"}, "at the network's size"),
    "--mean": ({"dest": "channel_mean", **_THREE}, "of the normalisation, of 0..1, per channel"),
    "--std": ({"dest": "channel_std", **_THREE}, "likewise; 0.003922 where it takes 0..255"),
    "--channels": ({"choices": CHANNELS}, "their order (rgb)"),
    "--input-size": ({"type": image_size, "metavar": "WxH"}, "of its image, where it takes any"),
    "--image-size": (
        {"type": image_size, "metavar": "WxH"},
        "of the camera's images, where it takes any: --input-size is what its own code makes of "
        "them (a folder), or what it takes that is nearest (an .onnx file)",
    ),
    "--multiple": ({"type": int}, "that sides of its image must be of, 14 or 32 (1)"),
    "--fit": ({"choices": FITS}, "keep: the image's aspect is kept, the rest padded (stretch)"),
    "--padding": (_THREE, "its colour, of 0..1, per channel (the mean)"),
    "--resample": ({"choices": RESAMPLINGS}, "how images are made smaller (area)"),
    "--range": (
        {"dest": "depth_range_m", "type": float, "nargs": 2, "metavar": "M"},
        "nearest and farthest depth it gives, metres; of inverse depth the ratio counts",
    ),
    "--depth-output": ({"metavar": "NAME"}, "which output is depth (the first)"),
    "--confidence": ({"metavar": "NAME"}, "which is how sure that is; '': none (by its name)"),
    "--confidence-is": (
        {"choices": CONFIDENCES},
        "share: 0 to 1; weight: 1 and up, as of Depth Anything 3 (by its values)",
    ),
    "--sky": ({"metavar": "NAME"}, "which output says what is sky; '': none (by its name)"),
    "--sky-above": ({"type": float}, "from which value on it is sky (0.5)"),
    "--licence": ({}, "of the weights, in words"),
    "--origin": ({}, "where they come from, in words"),
    "--domain": ({"choices": ("day", "night")}, "what they were trained for (day)"),
}


def fields_of(options: Namespace) -> Fields:
    """Return what the flags say, over what the preset does."""
    names = (
        "output", "canonical_focal", "channel_mean", "channel_std", "channels", "multiple", "fit",
        "padding", "resample", "depth_range_m", "depth_output", "confidence", "confidence_is",
        "sky", "sky_above", "licence", "origin", "domain",
    )  # fmt: skip
    said = {name: getattr(options, name) for name in names}
    said["source"] = said.pop("origin")
    flags = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items() if v is not None}
    return {**PRESETS.get(options.preset, {}), **flags}
