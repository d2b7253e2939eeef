"""ONNX networks of others become ones that engines run, and their cards say what depth is."""

from __future__ import annotations

import dataclasses
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from sdepth.checkpoint import load_depth, read_card
from sdepth.depth.estimator import DepthEstimator
from sdepth.depth.foreign import framed
from sdepth.engines import installed
from sdepth.errors import CheckpointError, ConfigError
from sdepth.geometry.camera import Camera
from sdepth.odometry.odometry import Odometry
from tests import networks
from training.weights import import_network as module
from training.weights.import_network import import_network
from training.weights.presets import PRESETS, Fields

pytestmark = pytest.mark.usefixtures("engine_cache")
FIELDS: Fields = {
    "output": "metric",
    "depth_range_m": (0.1, 80.0),
    "channel_mean": (0.5, 0.25, 0.0),
    "channel_std": (0.5, 1.0, 2.0),
    "licence": "Apache-2.0",
}
SIZE = (64, 96)
IMAGE = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
CAMERA = Camera(90.0, 80.0, 47.5, 31.5, 96, 64)


def seen(image: np.ndarray) -> np.ndarray:
    """Return brightness (H, W) as FIELDS normalise it."""
    rgb = (image / 255 - FIELDS["channel_mean"]) / FIELDS["channel_std"]
    return rgb.mean(2)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return networks.brightness(tmp_path / "net.onnx", gain=10.0, offset=20.0)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "auto"])
def test_every_engine_gives_what_the_network_does(net: Path, tmp_path: Path, engine: str) -> None:
    if engine not in ("auto", *installed()):
        pytest.skip(f"{engine} is not installed: pip install {engine}")
    import_network(net, tmp_path / "day.onnx", FIELDS, SIZE)

    estimator = DepthEstimator(tmp_path / "day.onnx", "cpu", engine=engine, precision="auto")

    depth = estimator.predict(IMAGE, CAMERA).depth
    np.testing.assert_allclose(depth, 10 * seen(IMAGE) + 20, rtol=1e-4)
    assert "torch" not in estimator.engine


@pytest.mark.parametrize("form", ["NHWC", "float16", "bytes", "bgr"])
def test_images_come_as_the_network_takes_them(tmp_path: Path, form: str) -> None:
    fields, path = dict(FIELDS), tmp_path / "net.onnx"
    pick = helper.make_node("Gather", ["pixels", "first"], ["one"], axis=1)
    last = helper.make_node("Cast", ["one"], ["out"], to=TensorProto.FLOAT)
    shape, kind = (1, 3, *SIZE), networks.FLOAT
    if form == "NHWC":
        shape, pick = (
            (1, *SIZE, 3),
            helper.make_node("Gather", ["pixels", "first"], ["one"], axis=3),
        )
    if form == "float16":
        kind = TensorProto.FLOAT16
    if form == "bytes":
        kind = TensorProto.UINT8
        del fields["channel_mean"], fields["channel_std"]
    fields["channels"] = "bgr" if form == "bgr" else "rgb"
    networks.write(path, [pick, last], shape, values={"first": np.int64([0])}, kind=kind)

    import_network(path, tmp_path / "day.onnx", fields | {"depth_range_m": (1e-3, 300.0)})

    expected = (IMAGE[..., 2 if form == "bgr" else 0] / 255 - 0.5) / 0.5
    expected = IMAGE[..., 0] if form == "bytes" else expected
    found = DepthEstimator(tmp_path / "day.onnx", "cpu", engine="onnxruntime")
    answer = found.answer(IMAGE, CAMERA).depth
    np.testing.assert_allclose(answer, expected, atol=2e-3 if form == "float16" else 1e-5)


def test_a_canonical_focal_length_is_made_up_for(net: Path, tmp_path: Path) -> None:
    fields = FIELDS | {"output": "canonical", "canonical_focal": 200.0, "depth_range_m": (1, 1e3)}
    import_network(net, tmp_path / "day.onnx", fields, SIZE)
    estimator = DepthEstimator(tmp_path / "day.onnx", "cpu", engine="onnxruntime")
    twice = CAMERA.resized(192, 128)
    large = IMAGE.repeat(2, 0).repeat(2, 1)

    expected = (10 * seen(IMAGE) + 20) * sqrt(90 * 80) / 200
    np.testing.assert_allclose(estimator.predict(IMAGE, CAMERA).depth, expected, rtol=1e-4)
    found = estimator.predict(large, twice).depth  # of the same view
    np.testing.assert_allclose(found[1::2, 1::2].mean(), expected.mean(), rtol=1e-3)


def test_inverse_depth_is_turned_over_and_what_is_0_is_farthest(tmp_path: Path) -> None:
    net = networks.brightness(tmp_path / "net.onnx", gain=1.0, offset=0.0)
    plain = {"channel_mean": (0.0,) * 3, "channel_std": (1.0,) * 3, "depth_range_m": (1, 1e3)}
    import_network(net, tmp_path / "day.onnx", FIELDS | plain | {"output": "inverse"}, SIZE)
    image = np.full((*SIZE, 3), 102, np.uint8)
    image[:8] = 0
    image[-8:] = 204

    depth = DepthEstimator(tmp_path / "day.onnx", "cpu", engine="onnxruntime").predict(
        image, CAMERA
    )

    np.testing.assert_allclose(depth.depth[[0, 30, -1], 0], [1000 / 0.8, 2.5, 1.25], rtol=1e-4)
    assert not read_card(tmp_path / "day.onnx").metric


def test_the_aspect_is_kept_and_the_rest_is_padded(tmp_path: Path) -> None:
    net = networks.brightness(tmp_path / "net.onnx", gain=10.0, offset=20.0, shape=(1, 3, 64, 128))
    import_network(net, tmp_path / "day.onnx", FIELDS | {"fit": "keep"})
    image = np.full((100, 100, 3), 200, np.uint8)
    camera = Camera(90.0, 90.0, 49.5, 49.5, 100, 100)

    for resolution, size in (("input", (100, 100)), ("model", (64, 64))):
        estimator = DepthEstimator(tmp_path / "day.onnx", "cpu", resolution, "onnxruntime")
        found = estimator.predict(image, camera)
        np.testing.assert_allclose(found.depth, 10 * seen(image).mean() + 20, rtol=1e-4)
        assert (found.camera.height, found.camera.width) == found.depth.shape == size


def test_what_is_padded_has_the_colour_of_the_card(tmp_path: Path) -> None:
    net = networks.brightness(tmp_path / "net.onnx", shape=(1, 3, 64, 128))
    fields = FIELDS | {"fit": "keep", "padding": (1.0, 0.5, 0.0), "channels": "bgr"}
    card = import_network(net, tmp_path / "day.onnx", fields)
    seen = framed(np.full((100, 100, 3), 200, np.uint8), card)
    assert seen.inside == (0, 32, 64, 64)
    assert seen.image[0, 0].tolist() == [0, 128, 255]
    with pytest.raises(ConfigError, match=r"padding \(2\.0,\): expected three numbers of 0 to 1"):
        dataclasses.replace(card, padding=(2.0,))


def test_what_nobody_knows_is_asked_for(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert module.main([str(net), str(tmp_path / "day.onnx")]) == 2
    assert "says nothing of --output, --mean, --std, --licence; give them, or a" in (
        capsys.readouterr().err
    )
    with pytest.raises(ConfigError, match="any size; choose by --input-size"):
        import_network(net, tmp_path / "day.onnx", FIELDS)
    with pytest.raises(ConfigError, match="96x64: expected multiples of 14, as 98x70"):
        import_network(net, tmp_path / "day.onnx", FIELDS | {"multiple": 14}, SIZE)
    with pytest.raises(ConfigError, match="--multiple 0: expected 1 or more"):
        import_network(net, tmp_path / "day.onnx", FIELDS | {"multiple": 0}, SIZE)
    with pytest.raises(ConfigError, match="expected a name ending in"):
        import_network(net, tmp_path / "day.safetensors", FIELDS, SIZE)
    assert not [*tmp_path.glob("day*")]


def test_a_network_of_any_size_takes_the_nearest_to_the_cameras(net: Path, tmp_path: Path) -> None:
    fields, out = FIELDS | {"multiple": 14, "fit": "keep"}, tmp_path / "day.onnx"

    card = import_network(net, out, fields, image_size=(100, 100))

    assert card.input_size == (98, 98)
    image = np.full((100, 100, 3), 200, np.uint8)
    camera = Camera(90.0, 90.0, 49.5, 49.5, 100, 100)
    found = DepthEstimator(out, "cpu", engine="onnxruntime").predict(image, camera).depth
    np.testing.assert_allclose(found, 10 * seen(image) + 20, rtol=1e-4)
    half = networks.brightness(tmp_path / "half.onnx", shape=(1, 3, 70, "w"))
    assert import_network(half, out, fields, image_size=(100, 100)).input_size == (70, 98)
    fixed = networks.brightness(tmp_path / "fixed.onnx", shape=(1, 3, 70, 98))
    with pytest.raises(ConfigError, match="images of 98x70 alone; leave --image-size out"):
        import_network(fixed, out, fields, image_size=(100, 100))


def test_an_export_that_fixed_the_size_of_its_answer_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Resize", ["mean", "", "", "size"], ["out"]),
    ]
    net = networks.write(tmp_path / "net.onnx", nodes, values={"size": np.int64([1, 1, 33, 48])})

    import_network(net, tmp_path / "day.onnx", FIELDS, SIZE)  # half of it, and a pixel more
    with pytest.raises(CheckpointError, match="answers 48x33 to an image of 64x64; its export"):
        import_network(net, tmp_path / "day.onnx", FIELDS, (64, 64))


def test_a_preset_knows_it_and_flags_win(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, preset = tmp_path / "day.onnx", "depth-anything-v2-metric-outdoor-small"
    command = [
        str(net),
        str(out),
        "--preset",
        preset,
        "--input-size",
        "98x70",
        "--range",
        "1",
        "9",
    ]

    assert module.main(command) == 0

    card, known = read_card(out), PRESETS[preset]
    assert (card.licence, card.source) == (known["licence"], known["source"])
    assert (card.input_size, card.multiple, card.fit) == ((70, 98), 14, "keep")
    assert card.depth_range_m == (1, 9)
    assert preset in card.command
    assert "metric, 98x70, licence Apache-2.0" in capsys.readouterr().out


def test_one_of_several_outputs_is_depth(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["pixels"], ["class"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMax", ["pixels"], ["depth"], axes=[1], keepdims=0),
    ]
    net = networks.write(tmp_path / "net.onnx", nodes, outputs=("class", "depth"))

    with pytest.raises(
        CheckpointError, match="expected one dense map of depth; --depth-output takes"
    ):
        import_network(net, tmp_path / "day.onnx", FIELDS, SIZE)
    with pytest.raises(CheckpointError, match="no output 'sky', it has class, depth"):
        import_network(net, tmp_path / "day.onnx", FIELDS | {"depth_output": "sky"}, SIZE)
    import_network(net, tmp_path / "day.onnx", FIELDS | {"depth_output": "depth"}, SIZE)


def test_what_needs_a_network_of_ours_says_so(net: Path, tmp_path: Path) -> None:
    out = tmp_path / "day.onnx"
    import_network(net, out, FIELDS, SIZE)

    with pytest.raises(CheckpointError, match="a network of others, which engines alone run"):
        load_depth(out)
    with pytest.raises(ConfigError, match=r"'torch' does not do fp32 on cpu; expected one of"):
        DepthEstimator(out, "cpu", engine="torch")
    with pytest.raises(ConfigError, match="int8, which networks of others do not have"):
        DepthEstimator(out, "cpu", engine="onnxruntime", precision="int8")
    Odometry(out, "cpu")  # by fixed features, guesses by the last velocity


def test_a_file_that_changed_or_has_no_card_is_refused(net: Path, tmp_path: Path) -> None:
    out = tmp_path / "day.onnx"
    with pytest.raises(CheckpointError, match="import_network makes it"):
        DepthEstimator(net, "cpu")
    import_network(net, out, FIELDS, SIZE)
    out.write_bytes(net.read_bytes())
    with pytest.raises(CheckpointError, match="not the weights of its card"):
        DepthEstimator(out, "cpu")
