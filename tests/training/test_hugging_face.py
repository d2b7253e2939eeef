"""Folders of Hugging Face's give, in every engine, what transformers' own pipeline gives.

Weights are random: what is compared is the way from an image to depth, which they do not change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import matplotlib.cbook
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sdepth.card import ForeignCard
from sdepth.checkpoint import read_card
from sdepth.depth.estimator import DepthEstimator
from sdepth.engines import installed
from sdepth.errors import CheckpointError, ConfigError
from sdepth.geometry.camera import Camera
from tests.training.test_hostile_networks import a_pickle
from training.weights import import_network as module
from training.weights.import_network import import_folder

transformers = pytest.importorskip("transformers", reason="pip install transformers")
PIL = pytest.importorskip("PIL.Image")

pytestmark = pytest.mark.usefixtures("engine_cache")
SIZES = ((98, 140), (123, 205), (200, 317))  # the first of multiples of 14
NECK = {
    "neck_hidden_sizes": [8, 8, 8, 8],
    "fusion_hidden_size": 8,
    "reassemble_factors": [4, 2, 1, 0.5],
}


def depth_anything(folder: Path, kind: str, **image: Any) -> Path:
    """Write a small Depth Anything of random weights."""
    backbone = transformers.Dinov2Config(
        hidden_size=24, num_hidden_layers=4, num_attention_heads=2, image_size=70, patch_size=14,
        out_indices=[1, 2, 3, 4], apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=24, head_hidden_size=8,
        depth_estimation_type=kind, max_depth=80 if kind == "metric" else 1, **NECK,
    )  # fmt: skip
    torch.manual_seed(1)
    network = transformers.DepthAnythingForDepthEstimation(config)
    _write(folder, network, network.head.conv3, {"ensure_multiple_of": 14, "size": 98, **image})
    return folder


def dpt(folder: Path) -> Path:
    """Write a small DPT of random weights."""
    config = transformers.DPTConfig(
        hidden_size=24, num_hidden_layers=4, num_attention_heads=2, intermediate_size=48,
        image_size=64, patch_size=16, backbone_out_indices=[0, 1, 2, 3], is_hybrid=False, **NECK,
    )  # fmt: skip
    torch.manual_seed(1)
    network = transformers.DPTForDepthEstimation(config)
    look = {
        "size": 64,
        "keep_aspect_ratio": False,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    _write(folder, network, network.head.head[4], look)
    return folder


def _write(folder: Path, network: Any, last: torch.nn.Conv2d, look: dict[str, Any]) -> None:
    """Write what a folder holds; weights as they are at first would answer one number."""
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() > 1:
                torch.nn.init.kaiming_uniform_(weight, a=1)
        last.weight.abs_()
        last.bias.fill_(0.1)
    network.save_pretrained(folder)
    side = look.pop("size")
    own = {
        "size": {"height": side, "width": side}, "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225], "keep_aspect_ratio": True, "resample": 3,
    }  # fmt: skip
    transformers.DPTImageProcessor(**(own | look)).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\ntags:\n- depth\n---\n")


def photograph(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a real image (H, W, 3), RGB."""
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    whole = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(whole[40 : 40 + size[0], 60 : 60 + size[1]])


def theirs(folder: Path, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what transformers' pipeline answers."""
    pipe = transformers.pipeline("depth-estimation", model=str(folder), device="cpu")
    return pipe(PIL.fromarray(image))["predicted_depth"].numpy().squeeze()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("hf")
    return {
        "metric": depth_anything(root / "metric", "metric"),
        "relative": depth_anything(root / "relative", "relative"),
        "dpt": dpt(root / "dpt"),
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["metric", "relative", "dpt"])
def test_answers_are_those_of_transformers_own_pipeline(
    folders: dict[str, Path], name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    image, out = photograph(size), tmp_path / "day.onnx"
    import_folder(folders[name], out, {}, image_size=size)
    expected = theirs(folders[name], image)

    camera = Camera(100.0, 100.0, (size[1] - 1) / 2, (size[0] - 1) / 2, size[1], size[0])
    assert expected.std() > 0.02 * expected.mean()  # it sees something
    for engine in {"onnxruntime", "openvino"} & {*installed()}:
        found = DepthEstimator(out, "cpu", engine=engine).answer(image, camera).depth
        assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max(), engine


def test_the_folder_says_what_the_card_does(folders: dict[str, Path], tmp_path: Path) -> None:
    metric = import_folder(folders["metric"], tmp_path / "m.onnx", {}, image_size=SIZES[1])
    relative = import_folder(folders["dpt"], tmp_path / "r.onnx", {"licence": "mine"})

    assert read_card(tmp_path / "m.onnx") == metric
    assert (metric.output, metric.depth_range_m, metric.metric) == ("metric", (0.01, 80), True)
    assert (metric.fit, metric.resample, metric.multiple) == ("keep", "bicubic", 14)
    assert all(side % 14 == 0 for side in metric.input_size)
    assert metric.licence == "cc-by-nc-4.0"
    assert relative.channel_mean == (0.5, 0.5, 0.5)
    assert (relative.output, relative.fit, relative.licence) == ("affine", "stretch", "mine")
    assert relative.input_size == (64, 64)


def test_the_command_takes_a_folder_and_a_preset(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "day.onnx"
    command = [
        str(folders["metric"]),
        str(out),
        "--preset",
        "depth-anything-v2-metric-outdoor-small",
    ]
    assert module.main(command) == 2
    assert "give the camera's by --image-size" in capsys.readouterr().err
    assert module.main([*command, "--image-size", "140x98"]) == 0
    card = read_card(out)
    assert isinstance(card, ForeignCard)
    assert (card.licence, card.input_size) == ("Apache-2.0", (98, 140))


def test_a_folder_that_cannot_be_trusted_is_refused(tmp_path: Path) -> None:
    def wrong(match: str) -> None:
        with pytest.raises(CheckpointError, match=match) as error:
            import_folder(folder, tmp_path / "day.onnx", {})
        assert "\n" not in str(error.value)
        assert not (folder / "executed").exists()

    folder = dpt(tmp_path / "dpt")
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole, said = weights.read_bytes(), config.read_text()
    weights.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"PK")
    wrong("missing; a folder holds .* no pickle")
    a_pickle(weights)
    wrong("a pickle, expected safetensors")
    weights.write_bytes(whole[:2000])
    wrong("cannot be read")
    weights.write_bytes(whole)
    config.write_text(said.replace('"dpt"', '"evil"'))
    wrong("model_type 'evil', known depth_anything, dpt")
    config.write_text(said.replace('"num_hidden_layers": 4', '"num_hidden_layers": 6'))
    wrong("lacks 32 tensors")
    config.write_text("{")
    wrong("damaged")


def test_without_transformers_the_way_out_is_said(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install 'sdepth\[hf\]'"):
        import_folder(folders["dpt"], tmp_path / "day.onnx", {})
