r"""Make a depth network of others run in the nodes: an ONNX file, or a folder of Hugging Face's.

python -m training.weights.import_network net.onnx day.onnx --output metric --range 0.1 80 \
    --mean 0.485 0.456 0.406 --std 0.229 0.224 0.225 --input-size 640x192 --licence Apache-2.0
python -m training.weights.import_network Depth-Anything-V2-Metric-Outdoor-Small-hf day.onnx \
    --preset depth-anything-v2-metric-outdoor-small --image-size 1242x375 --input-size 644x196
python -m training.weights.import_network metric3d_vit_small.onnx day.onnx \
    --preset metric3d-v2-small

OUT is ONNX from image bytes to what the network gives, with its card beside it: for model.day_path
or model.night_path, and whatever takes weights. You bring the file and its licence. It is looked
through first, and nothing in it is executed. What it does not say itself is asked for. Networks
that take any size, or keep the aspect of an image, are made for one camera: --image-size. A folder
needs transformers: pip install 'sdepth[hf]'.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import torch

from sdepth.card import (
    CANONICAL,
    FOREIGN,
    METRIC,
    ForeignCard,
)
from sdepth.checkpoint import write_card
from sdepth.cli import make_parser, run
from sdepth.engines import Source
from sdepth.engines.golden import golden_frame
from sdepth.engines.onnx_file import read_network
from sdepth.engines.onnxruntime_engine import OnnxRuntimeEngine
from sdepth.errors import CheckpointError, ConfigError
from sdepth.files import atomic, sha256
from training.weights import foreign_graph, hugging_face
from training.weights.foreign_flags import FLAGS, fields_of
from training.weights.presets import DEFAULTS, Fields

MODULE = "training.weights.import_network"


def import_network(
    source: Path,
    out: Path,
    given: Fields,
    size: tuple[int, int] | None = None,
    image_size: tuple[int, int] | None = None,
    command: str = "",
) -> ForeignCard:
    """Write the ONNX network of ``source`` to ``out`` (.onnx), with its card, and return that.

    Args:
        source: an .onnx file.
        out: where to.
        given: what is known of it; what is missing has a default, or is named in the error.
        size: (height, width) of the images it is to take, where it takes any; None: nearest to
            the camera's.
        image_size: (height, width) of the camera's images.
        command: that makes it.

    Raises:
        CheckpointError: the file is another kind, damaged, or cannot be trusted.
        ConfigError: something is not known, or makes no sense.
        EngineError: it answers NaN, or otherwise each time.
    """
    if out.suffix != FOREIGN:
        raise ConfigError(f"{out}: expected a name ending in {FOREIGN}")
    model = read_network(source)
    seen = foreign_graph.find_input(model, source)
    if seen.kind == foreign_graph.TensorProto.UINT8:
        given = {"channel_mean": (0.0, 0.0, 0.0), "channel_std": (1.0, 1.0, 1.0), **given}
    fields = {**DEFAULTS, **given}
    _require(fields, source)
    if fields["multiple"] < 1:
        raise ConfigError(f"--multiple {fields['multiple']}: expected 1 or more")
    size = size or _size(seen.size, image_size, fields["multiple"], source)
    if size != (near := _nearest(size, fields["multiple"])):
        raise ConfigError(
            f"input size {size[1]}x{size[0]}: expected multiples of {fields['multiple']}, as "
            f"{near[1]}x{near[0]}"
        )
    foreign_graph.fix_size(model, seen, size, source)
    whole, fields = foreign_graph.wrap(model, seen, size, fields, source)
    with atomic(out) as partial:
        foreign_graph.save(whole, partial)
    card = _card(fields, size, source, command)
    card = replace(card, sha256=sha256(out))
    try:
        _try(out, card)
    except BaseException:
        out.unlink()
        raise
    write_card(out, card)
    return card


def import_folder(
    source: Path,
    out: Path,
    given: Fields,
    size: tuple[int, int] | None = None,
    image_size: tuple[int, int] | None = None,
    command: str = "",
) -> ForeignCard:
    """Do as ``import_network`` with a folder of Hugging Face's, whose files say most.

    Args:
        source: the folder.
        out: where to.
        given: what is to hold in the place of what the files say.
        size: (height, width) of the images the network is to take; None: what its own code makes
            of the camera's.
        image_size: (height, width) of the camera's images.
        command: that makes it.

    Raises:
        CheckpointError: a file is missing, damaged, a pickle, or of an unknown network.
        ConfigError: something is not known, or makes no sense.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{source.resolve().name}.onnx"
        read = hugging_face.export(source, path, size, image_size)
        _require({**DEFAULTS, **read, **given}, source)  # names the folder, not the export
        return import_network(path, out, {**read, **given}, command=command)


def _require(fields: Fields, source: Path) -> None:
    """Name all that nobody has said."""
    flags = {
        "output": "--output", "channel_mean": "--mean", "channel_std": "--std",
        "licence": "--licence",
    }  # fmt: skip
    missing = [flag for name, flag in flags.items() if name not in fields]
    if fields.get("output") == METRIC and fields["depth_range_m"] is DEFAULTS["depth_range_m"]:
        missing.append("--range")
    if fields.get("output") == CANONICAL and not fields["canonical_focal"] > 0:
        missing.append("--canonical-focal")
    if missing:
        raise ConfigError(
            f"{source}: says nothing of {', '.join(missing)}; give them, or a --preset"
        )


def _size(
    own: tuple[int, int], image_size: tuple[int, int] | None, multiple: int, source: Path
) -> tuple[int, int]:
    """Return the size of a network that has but one, or that of the camera, as it can be taken."""
    if all(own) and image_size is None:
        return own
    if all(own):
        raise ConfigError(
            f"{source}: takes images of {own[1]}x{own[0]} alone; leave --image-size out"
        )
    if image_size is None:
        raise ConfigError(
            f"{source}: takes images of any size; choose by --input-size WIDTHxHEIGHT, or give "
            "the camera's by --image-size"
        )
    height, width = _nearest(image_size, multiple)
    return own[0] or height, own[1] or width


def _nearest(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Return the size whose sides are multiples."""
    height, width = (max(1, round(side / multiple)) * multiple for side in size)
    return height, width


def _card(fields: Fields, size: tuple[int, int], source: Path, command: str) -> ForeignCard:
    """Return the card; its hash is not known yet."""
    fields = dict(fields)
    focal, _ = fields.pop("canonical_focal"), fields.pop("depth_output")
    return ForeignCard(
        depth_architecture=source.stem,
        pose_architecture="",
        input_size=size,
        metric=fields["output"] in (METRIC, CANONICAL),
        training_data="see its source",
        command=command,
        commit="imported",
        step=0,
        focal_ratio=focal / sqrt(size[0] * size[1]) if fields["output"] == CANONICAL else 1.0,
        pose_output_scale=0.0,
        **fields,
    )


def _try(path: Path, card: ForeignCard) -> None:
    """Let ONNX Runtime answer as in a node.

    Raises:
        CheckpointError: with anything but numbers.
    """
    engine = OnnxRuntimeEngine(Source(path, card, torch.device("cpu")))
    for image in (golden_frame(card.input_size), np.zeros((*card.input_size, 3), np.uint8)):
        if not all(np.isfinite(answer).all() for answer in engine.maps(image, 1.0)):
            raise CheckpointError(f"{path.name}: answers NaN or infinity; is it damaged?")


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser(f"python -m {MODULE}", __doc__)
    parser.add_argument("source", type=Path, help="an .onnx file, or a folder of Hugging Face's")
    parser.add_argument("out", type=Path, help="ends in .onnx")
    for flag, (how, words) in FLAGS.items():
        parser.add_argument(flag, help=words, **how)
    options = parser.parse_args(args)

    def work() -> None:
        said = shlex.join(["python", "-m", MODULE, *(sys.argv[1:] if args is None else args)])
        make = import_folder if options.source.is_dir() else import_network
        sizes = options.input_size, options.image_size
        card = make(options.source, options.out, fields_of(options), *sizes, said)
        print(
            f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB, {card.output}, "
            f"{''.join(f'{what}, ' for what in card.beside)}"
            f"{card.input_size[1]}x{card.input_size[0]}, licence {card.licence}; card "
            f"{options.out.with_suffix('.json')}"
        )
        if not card.metric:
            print("no metres by itself: set scale.source (docs/metres.md)")

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
