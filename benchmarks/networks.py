"""Time networks of others in every engine: their authors' architecture, weights random.

python -m benchmarks.networks --sizes 518x518 644x196 420x126 --threads 1

Weights do not change the time. transformers makes the network, training.weights.import_network
imports it, as it would the authors' folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.engines import engine_calls
from benchmarks.table import show
from benchmarks.timing import measure, prepare
from sdepth.card import METRIC
from sdepth.cli import image_size, make_parser, one_or_more, run
from sdepth.engines.golden import golden_frame
from sdepth.errors import ConfigError
from training.weights.import_network import import_folder

_STAGES: dict[str, Any] = {"out_indices": [3, 6, 9, 12]}
_DINOV2: dict[str, dict[str, Any]] = {
    "small": {"hidden_size": 384, "num_attention_heads": 6, **_STAGES},
    "base": {"hidden_size": 768, "num_attention_heads": 12, **_STAGES},
}
_NECKS: dict[str, dict[str, Any]] = {
    "small": {"neck_hidden_sizes": [48, 96, 192, 384], "fusion_hidden_size": 64},
    "base": {"neck_hidden_sizes": [96, 192, 384, 768], "fusion_hidden_size": 128},
}
"""Of Depth Anything V2, as the config.json of its authors' folders says."""


def write_folder(folder: Path, kind: str) -> int:
    """Write Depth Anything V2 metric as Hugging Face keeps it; return its parameters."""
    try:
        import transformers
    except ImportError as err:
        raise ConfigError(f"{err}; pip install 'sdepth[hf]'") from err
    transformers.logging.set_verbosity_error()
    backbone = transformers.Dinov2Config(
        **_DINOV2[kind], image_size=518, patch_size=14, apply_layernorm=True,
        reshape_hidden_states=False,
    )  # fmt: skip
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=backbone.hidden_size,
        depth_estimation_type=METRIC, max_depth=80, **_NECKS[kind],
    )  # fmt: skip
    network = transformers.DepthAnythingForDepthEstimation(config)
    network.save_pretrained(folder)
    look = transformers.DPTImageProcessor(
        size={"height": 518, "width": 518}, keep_aspect_ratio=True, ensure_multiple_of=14,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225], resample=3,
    )  # fmt: skip
    look.save_pretrained(folder)
    return sum(p.numel() for p in network.parameters())


def main(args: list[str] | None = None) -> int:
    """Print a table for each size; return the exit code."""
    parser = make_parser("python -m benchmarks.networks", __doc__)
    add = parser.add_argument
    add("--sizes", nargs="+", metavar="WxH", default=["518x518"], help="it takes (518x518)")
    add("--network", choices=_DINOV2, default="small", help="Depth Anything V2 (small)")
    add("--threads", type=one_or_more, default=2, help="(%(default)s)")
    add("--runs", type=one_or_more, default=15, help="(%(default)s)")
    options = parser.parse_args(args)

    def work() -> None:
        options.size = " ".join(options.sizes)
        prepare(options)
        with tempfile.TemporaryDirectory() as name:
            folder, out = Path(name) / options.network, Path(name) / "network.onnx"
            parameters = write_folder(folder, options.network)
            for size in options.sizes:
                card = import_folder(folder, out, {"licence": "none"}, image_size(size))
                found = measure(engine_calls(out, golden_frame(card.input_size)), options.runs)
                title = f"Depth Anything V2 {options.network} at {size}, random weights"
                show(f"{title}, {parameters / 1e6:.1f} M parameters", found, {})

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
