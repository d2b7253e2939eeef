"""Folders of Hugging Face's give, in every engine, what transformers' own pipeline gives.

Weights are random: what is compared is the way from an image to depth, which they do not change.
"""

from __future__ import annotations

import importlib.util
from itertools import product
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
from tests.conftest import ROOT
from tests.training.test_hostile_networks import a_pickle
from training.weights import import_network as module
from training.weights.import_network import import_folder

transformers = pytest.importorskip("transformers", reason="pip install transformers")
PIL = pytest.importorskip("PIL.Image")

pytestmark = pytest.mark.usefixtures("engine_cache")
DATA = ROOT.parent / "shared/data"
FRAMES = {  # 1242x375, by night 1280x820, 1600x900, 640x480, 640x328, 640x288
    "kitti": "stereo_samples/kitti_object/image_2/000001.png",
    "robotcar": "night_robotcar/left_sequence/00005.png",
    "nuscenes": "nuscenes_sample/n015-2018-07-24-11-22-45+0800__CAM_FRONT__1532402927612460.jpg",
    "rgbd": "rgbd/slambook2_ch5_rgbd/color/3.png",
    "udacity": "open_driving/udacity_i280_a/image_2/000075.jpg",
    "drivingstereo": "open_driving/singles/day/drivingstereo/t3.jpg",
}
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
    look = {"ensure_multiple_of": 14, "size": {"height": 98, "width": 98}, **image}
    _write(folder, network, network.head.conv3, _processor(**look))
    return folder


def dpt(folder: Path) -> Path:
    """Write a small DPT of random weights."""
    config = transformers.DPTConfig(
        hidden_size=24, num_hidden_layers=4, num_attention_heads=2, intermediate_size=48,
        image_size=64, patch_size=16, backbone_out_indices=[0, 1, 2, 3], is_hybrid=False, **NECK,
    )  # fmt: skip
    torch.manual_seed(1)
    network = transformers.DPTForDepthEstimation(config)
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    look = _processor(size={"height": 64, "width": 64}, keep_aspect_ratio=False, **half)
    _write(folder, network, network.head.head[4], look)
    return folder


def zoe_depth(folder: Path, heads: int = 1, **image: Any) -> Path:
    """Write a small ZoeDepth of random weights."""
    backbone = transformers.BeitConfig(
        hidden_size=24, num_hidden_layers=4, num_attention_heads=2, intermediate_size=48,
        image_size=64, patch_size=16, use_relative_position_bias=True, out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )  # fmt: skip
    bins = [
        {"name": f"h{i}", "n_bins": 16, "min_depth": 1e-3, "max_depth": 80.0} for i in range(heads)
    ]
    more = {f"patch_transformer_{name}": 8 for name in ("hidden_size", "intermediate_size")}
    config = transformers.ZoeDepthConfig(
        backbone_config=backbone, bottleneck_features=8, num_relative_features=8,
        bin_embedding_dim=8, bin_configurations=bins, num_patch_transformer_layers=1,
        patch_transformer_num_attention_heads=2, **more, **NECK,
    )  # fmt: skip
    torch.manual_seed(1)
    network = transformers.ZoeDepthForDepthEstimation(config)
    own = {"size": {"height": 64, "width": 96}, "ensure_multiple_of": 32}
    processor = transformers.ZoeDepthImageProcessor(**(own | image))
    _write(folder, network, network.relative_head.conv3, processor)
    return folder


def _processor(**look: Any) -> Any:
    """Return how images are seen."""
    own = {
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
        "keep_aspect_ratio": True, "resample": 3,
    }  # fmt: skip
    return transformers.DPTImageProcessor(**(own | look))


def _write(folder: Path, network: Any, last: torch.nn.Conv2d, processor: Any) -> None:
    """Write what a folder holds; weights as they are at first would answer one number."""
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() > 1:
                torch.nn.init.kaiming_uniform_(weight, a=1)
        last.weight.abs_()
        last.bias.fill_(0.1)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\ntags:\n- depth\n---\n")


def photograph(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a real image (H, W, 3), RGB."""
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    whole = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(whole[40 : 40 + size[0], 60 : 60 + size[1]])


def theirs(folder: Path, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what transformers' pipeline answers."""
    pipe = transformers.pipeline("depth-estimation", model=str(folder), device="cpu")
    picture = PIL.fromarray(image)
    if pipe.model.config.model_type != "zoedepth" or importlib.util.find_spec("torchvision"):
        return pipe(picture)["predicted_depth"].numpy().squeeze()
    # Its last step is torchvision's resize, which is PyTorch's, and a crop.
    answer = pipe.forward(pipe.preprocess(picture))["predicted_depth"][None]
    (top, left), (h, w) = (int(3 * np.sqrt(side / 2)) for side in image.shape[:2]), image.shape[:2]
    whole = h + 2 * top, w + 2 * left
    answer = torch.nn.functional.interpolate(answer, whole, mode="bicubic")[0, 0]
    return answer[top : top + h, left : left + w].numpy()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("hf")
    return {
        "metric": depth_anything(root / "metric", "metric"),
        "relative": depth_anything(root / "relative", "relative"),
        "dpt": dpt(root / "dpt"),
        "zoe": zoe_depth(root / "zoe"),
    }


def check_equal(folder: Path, image: NDArray[np.uint8], out: Path) -> None:
    """Import a folder for an image; compare what engines answer with what its own code does."""
    height, width = image.shape[:2]
    import_folder(folder, out, {}, image_size=(height, width))
    expected = theirs(folder, image)
    assert expected.std() > 0.01 * expected.mean()  # it sees something
    camera = Camera(100.0, 100.0, (width - 1) / 2, (height - 1) / 2, width, height)
    for engine in {"onnxruntime", "openvino"} & {*installed()}:
        found = DepthEstimator(out, "cpu", engine=engine).answer(image, camera).depth
        assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max(), engine


@pytest.mark.parametrize(
    ("name", "size"), [*product(("metric", "relative", "dpt"), SIZES), ("zoe", SIZES[1])]
)
def test_answers_are_those_of_transformers_own_pipeline(
    folders: dict[str, Path], name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    check_equal(folders[name], photograph(size), tmp_path / "day.onnx")


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there")
@pytest.mark.parametrize(
    ("name", "frame"),
    [*product(["metric"], FRAMES), ("dpt", "kitti"), ("dpt", "nuscenes"), ("zoe", "rgbd")],
)
def test_and_so_they_are_for_cameras_of_any_size(
    folders: dict[str, Path], name: str, frame: str, tmp_path: Path
) -> None:
    image = cv2.cvtColor(cv2.imread(str(DATA / FRAMES[frame])), cv2.COLOR_BGR2RGB)
    check_equal(folders[name], np.asarray(image, np.uint8), tmp_path / "day.onnx")


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


def test_zoe_depth_takes_the_cameras_own_size(folders: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "day.onnx"
    with pytest.raises(ConfigError, match="size or aspect; give that by --image-size"):
        import_folder(folders["zoe"], out, {}, (64, 64))
    card = import_folder(folders["zoe"], out, {}, (64, 64), SIZES[1])
    assert (card.input_size, card.output, card.depth_range_m) == (SIZES[1], "metric", (1e-3, 80))
    with pytest.raises(CheckpointError, match="chooses between several heads by the image"):
        import_folder(zoe_depth(tmp_path / "nk", heads=2), out, {}, image_size=SIZES[1])


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
    assert "size or aspect; give that by --image-size" in capsys.readouterr().err
    (folders["metric"] / "README.md").unlink()
    assert module.main([*command[:2], "--image-size", "140x98"]) == 2
    assert f"{folders['metric']}: says nothing of --licence; give" in capsys.readouterr().err
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
    wrong("model_type 'evil', known depth_anything, dpt, zoedepth")
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
