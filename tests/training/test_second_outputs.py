"""Networks of others that say themselves how sure depth is, and what is sky."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from sdepth.card import in_words
from sdepth.checkpoint import bundled, read_card
from sdepth.depth.cloud import xyzrgb_cloud
from sdepth.depth.daynight import DAY, NIGHT
from sdepth.depth.estimator import DepthEstimator
from sdepth.depth.validity import ConfidenceConfig
from sdepth.engines import installed
from sdepth.errors import CheckpointError, ConfigError
from sdepth.geometry.camera import Camera
from sdepth.pipeline import DepthConfig, DepthPipeline, pinhole
from tests import networks
from training.weights import import_network as module
from training.weights.import_network import import_network
from training.weights.presets import PRESETS, Fields

pytestmark = pytest.mark.usefixtures("engine_cache")
SIZE = (64, 96)
CAMERA = Camera(90.0, 80.0, 47.5, 31.5, 96, 64)
FIELDS: Fields = {
    "output": "metric", "depth_range_m": (1e-3, 80.0), "licence": "none",
    "channel_mean": (0.0,) * 3, "channel_std": (1.0,) * 3,
}  # fmt: skip


@pytest.fixture
def image() -> np.ndarray:
    """Return an image (H, W, 3): blue above, more and more green to the right, some red."""
    image = np.full((*SIZE, 3), (100, 0, 20), np.uint8)
    image[..., 1] = np.linspace(0, 255, SIZE[1])
    image[:16, :, 2] = 200
    return image


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "auto"])
@pytest.mark.parametrize("kind", ["share", "weight"])
def test_every_engine_gives_confidence_and_sky(
    image: np.ndarray, tmp_path: Path, engine: str, kind: str
) -> None:
    if engine not in ("auto", *installed()):
        pytest.skip(f"{engine} is not installed: pip install {engine}")
    gain, offset = (1.0, 0.0) if kind == "share" else (7.0, 1.0)
    net = networks.with_beside(tmp_path / "net.onnx", gain=gain, offset=offset)

    card = import_network(net, tmp_path / "day.onnx", FIELDS, SIZE)

    assert (card.confidence, card.confidence_is, card.sky) == ("depth_conf", kind, "sky")
    seen = DepthEstimator(tmp_path / "day.onnx", "cpu", engine=engine).predict(image, CAMERA)
    green = image[..., 1] / 255
    expected = green if kind == "share" else 1 - 1 / (7 * green + 1)
    assert seen.confidence is not None
    np.testing.assert_allclose(seen.confidence, expected, atol=1e-5)
    np.testing.assert_array_equal(seen.sky, image[..., 2] > 127)
    np.testing.assert_allclose(seen.depth, 100 / 255, rtol=1e-4)


@contextmanager
def counted(runs: list[str], step: str) -> Iterator[None]:
    """Count what is entered."""
    runs.append(step)
    yield


def test_its_own_word_counts_and_it_runs_once(image: np.ndarray, tmp_path: Path) -> None:
    net, runs = networks.with_beside(tmp_path / "net.onnx"), list[str]()
    import_network(net, tmp_path / "day.onnx", FIELDS, SIZE)
    estimator = DepthEstimator(tmp_path / "day.onnx", "cpu", engine="onnxruntime")
    config = DepthConfig(DAY, confidence=ConfidenceConfig(0.5))

    depth_of = DepthPipeline({DAY: estimator}, config, lambda step: counted(runs, step))
    result = depth_of.process(image, pinhole(CAMERA), 0, confidence=True)

    green, sky = image[..., 1] / 255, image[..., 2] > 127
    depth = result.depth.depth
    assert runs.count("network") == 1
    assert result.confidence == pytest.approx(green, abs=1e-5)
    assert np.array_equal(np.isposinf(depth), sky)
    assert np.array_equal(np.isnan(depth), (green < 0.5) & ~sky)
    cloud = xyzrgb_cloud(depth, image, CAMERA)
    assert np.array_equal(np.isfinite(cloud[..., 2]), (green >= 0.5) & ~sky)


@pytest.mark.parametrize("resolution", ["input", "model"])
def test_maps_of_another_size_fit_their_depth(tmp_path: Path, resolution: str) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["pixels"], ["depth"], axes=[1], keepdims=0),
        helper.make_node(
            "AveragePool", ["pixels"], ["small"], kernel_shape=[4, 4], strides=[4, 4]
        ),
        helper.make_node("ReduceMax", ["small"], ["sure"], axes=[1], keepdims=0),
    ]
    net = networks.write(tmp_path / "net.onnx", nodes, outputs=("depth", "sure"))
    fields = FIELDS | {"confidence": "sure", "fit": "keep"}
    import_network(net, tmp_path / "day.onnx", fields, SIZE)
    image = np.full((100, 100, 3), 51, np.uint8)
    camera = Camera(90.0, 90.0, 49.5, 49.5, 100, 100)

    found = DepthEstimator(tmp_path / "day.onnx", "cpu", resolution, "onnxruntime")
    seen = found.predict(image, camera)

    assert seen.depth.shape == ((100, 100) if resolution == "input" else (64, 64))
    assert seen.confidence is not None
    assert seen.confidence.shape == seen.depth.shape
    assert seen.confidence[20:-20, 20:-20] == pytest.approx(0.2, abs=1e-5)


def test_a_change_to_a_network_without_them_works(image: np.ndarray, tmp_path: Path) -> None:
    net = networks.with_beside(tmp_path / "net.onnx")
    import_network(net, tmp_path / "day.onnx", FIELDS, SIZE)
    estimators = {
        DAY: DepthEstimator(tmp_path / "day.onnx", "cpu", engine="onnxruntime"),
        NIGHT: DepthEstimator(bundled(NIGHT), "cpu"),
    }
    depth_of = DepthPipeline(estimators, DepthConfig(DAY))
    shapes, skies = set(), []
    for i, mode in enumerate([DAY, DAY, *[NIGHT] * 8]):
        depth_of.configure(replace(depth_of.config, mode=mode))
        result = depth_of.process(image, pinhole(CAMERA), i * 10**8, confidence=True)
        assert result.confidence is not None
        shapes.add((result.confidence.shape, result.depth.depth.shape))
        skies.append(result.depth.sky is not None)
    assert shapes == {(SIZE, SIZE)}
    assert skies == [True] * 2 + [False] * 8


def test_they_are_known_by_name_and_shape(tmp_path: Path) -> None:
    net = networks.with_beside(tmp_path / "net.onnx", ("pred", "normal_confidence", "skyline"))
    plain = import_network(net, tmp_path / "day.onnx", FIELDS, SIZE)
    none = import_network(net, tmp_path / "day.onnx", FIELDS | {"sky": ""}, SIZE)
    own = {"confidence": "normal_confidence", "sky": "pred", "depth_output": "skyline"}
    asked = import_network(net, tmp_path / "day.onnx", FIELDS | own, SIZE)

    assert (plain.confidence, plain.sky) == ("", "skyline")
    assert (none.confidence, none.sky, none.beside) == ("", "", ())
    assert (asked.confidence, asked.sky) == ("normal_confidence", "pred")
    assert read_card(tmp_path / "day.onnx") == asked
    assert in_words(asked) == "net, 96x64, metres, confidence, sky, licence none"


def test_depth_is_the_first_that_is_neither(image: np.ndarray, tmp_path: Path) -> None:
    net = networks.with_beside(tmp_path / "net.onnx", ("sky_mask", "conf", "inverse"))
    import_network(net, tmp_path / "day.onnx", FIELDS, SIZE)

    seen = DepthEstimator(tmp_path / "day.onnx", "cpu", engine="onnxruntime").predict(
        image, CAMERA
    )

    assert seen.depth == pytest.approx(np.maximum(image[..., 2] / 255, 1e-3), rel=1e-4)


def test_what_is_not_clear_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, out = networks.with_beside(tmp_path / "net.onnx", offset=0.5), tmp_path / "day.onnx"
    words = (
        "--output metric --range 0.001 80 --licence none --mean 0 0 0 --std 1 1 1 "
        "--input-size 96x64"
    )
    command = [str(net), str(out), *words.split()]

    assert module.main(command) == 2
    assert "on a trial image; --confidence-is says how to read it: share (0" in (
        capsys.readouterr().err
    )
    assert module.main([*command, "--confidence-is", "share", "--sky-above", "0.3"]) == 0
    assert "metric, confidence, sky, 96x64" in capsys.readouterr().out
    assert (read_card(out).confidence_is, read_card(out).sky_above) == ("share", 0.3)  # type: ignore[attr-defined]
    assert module.main([*command, "--confidence", ""]) == 0
    assert "metric, sky, 96x64" in capsys.readouterr().out
    assert module.main([*command, "--sky", "clouds"]) == 2
    assert "no output 'clouds', it has depth, depth_conf, sky" in capsys.readouterr().err

    two = networks.with_beside(tmp_path / "two.onnx", ("depth", "depth_conf", "ray_conf"))
    with pytest.raises(ConfigError, match="outputs depth_conf, ray_conf; --confidence says which"):
        import_network(two, out, FIELDS, SIZE)
    nodes = [
        helper.make_node("ReduceMax", ["pixels"], ["conf"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMax", ["pixels"], ["depth"], axes=[1], keepdims=0),
    ]
    flat = networks.write(tmp_path / "flat.onnx", nodes, outputs=("conf", "depth"))
    assert import_network(flat, out, FIELDS, SIZE).confidence == ""
    with pytest.raises(CheckpointError, match="expected one dense map of confidence; --confid"):
        import_network(flat, out, FIELDS | {"confidence": "conf"}, SIZE)


@pytest.mark.parametrize("name", ["depth-anything-3-metric-large", "metric3d-v2-small"])
def test_presets_know_how_to_read_them(name: str, tmp_path: Path) -> None:
    """Metric3D's confidence is not bounded; 1 + exp(x) is how Depth Anything 3 makes its own."""
    gain, offset = (1.2, -0.1) if name.startswith("metric3d") else (5.0, 1.0)
    net = networks.with_beside(tmp_path / "net.onnx", gain=gain / 255, offset=offset)
    size = (70, 98)
    card = import_network(net, tmp_path / "day.onnx", PRESETS[name], size)

    assert card.beside == ("confidence", "sky")
    assert (card.confidence_is, card.sky_above) == (
        ("share", 0.5) if name.startswith("metric3d") else ("weight", 0.3)
    )
