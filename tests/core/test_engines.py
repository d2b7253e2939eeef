"""One network in several libraries: the same answers, or a refusal."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sdepth.alignment import pyramid
from sdepth.checkpoint import bundled, load_depth, load_pose, load_refiner, read_card, save
from sdepth.depth.estimator import DepthEstimator
from sdepth.engines import (
    ENGINES,
    FEATURES,
    POSE,
    Source,
    auto,
    candidates,
    choose,
    golden,
    installed,
)
from sdepth.engines.graph import DepthGraph, write_onnx
from sdepth.engines.torch_engine import TorchEngine
from sdepth.errors import CheckpointError, ConfigError, EngineError
from sdepth.geometry.camera import Camera
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD

CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("engine_cache")


def need(name: str) -> None:
    if name not in installed():
        pytest.skip(f"{name} is not installed: pip install {name}")
    if not ENGINES[name].cpu and not torch.cuda.is_available():
        pytest.skip(f"{name} needs an NVIDIA GPU")


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_answers_as_pytorch_does(name: str, source: Source) -> None:
    need(name)
    device = "cpu" if ENGINES[name].cpu else "cuda"
    image = np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8)
    camera = Camera(90.0, 90.0, 47.5, 31.5, 96, 64)
    expected = DepthEstimator(source.checkpoint, "cpu").predict(image, camera).depth

    estimator = DepthEstimator(source.checkpoint, device, engine=name)

    assert np.allclose(estimator.predict(image, camera).depth, expected, rtol=1e-4)
    assert estimator.engine == f"{name} fp32, as asked for"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["torch", "onnxruntime", "openvino"])
def test_every_engine_sees_features_of_any_size_and_motions(
    name: str, precision: str, source: Source
) -> None:
    need(name)
    if precision not in ENGINES[name].cpu:
        pytest.skip(f"{name} has no {precision}")
    source = replace(source, checkpoint=bundled("day"), precision=precision)
    source = replace(source, card=read_card(source.checkpoint))
    tolerance = {"fp32": 1e-4, "bf16": 0.02}[precision]
    image = torch.from_numpy(golden.golden_frame((96, 320))).permute(2, 0, 1)[None] / 255

    features, _ = choose(replace(source, part=FEATURES), name)
    for scale in (0.5, 1.5):
        seen = F.interpolate(image, scale_factor=scale, mode="area")
        even = pyramid.normalise(pyramid.grey(seen)).numpy()
        maps = load_refiner(source.checkpoint)[0].maps(seen)
        found = features.run(even)
        expected = [x for m in maps for x in (m.features, m.confidence)]
        for one, other in zip(found, expected, strict=True):
            exact = other.detach().permute(0, 2, 3, 1).numpy()
            assert one.shape == exact.shape
            assert np.abs(one - exact).mean() < tolerance * np.abs(exact).mean()

    pose, _ = choose(replace(source, part=POSE), name)
    pair = golden.golden_inputs(replace(source, part=POSE))
    (motion,) = pose.run(*pair)
    earlier, later = (torch.from_numpy(x).permute(0, 3, 1, 2) / 255 for x in pair)
    exact = load_pose(source.checkpoint)[0].motion(torch.cat([earlier, later], 1)).detach().numpy()
    assert np.abs(motion - exact).max() < tolerance * np.abs(exact).max()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_an_answer_is_not_overwritten_by_the_next(name: str, source: Source) -> None:
    need(name)
    engine, _ = choose(source, name)
    first = engine.infer(golden.golden_frame((64, 96)), 1.0)
    before = first.copy()

    engine.infer(np.zeros((64, 96, 3), np.uint8), 2.0)

    assert np.array_equal(first, before)


def test_auto_times_once_and_says_why(source: Source, engine_cache: Path) -> None:
    need("onnxruntime")
    _, why = choose(source)
    (known,) = engine_cache.glob("*.json")
    times = json.loads(known.read_text())
    known.write_text(json.dumps(dict.fromkeys(times, 2.0) | {"onnxruntime": 1.0}))

    engine, known_why = choose(source)

    assert set(times) == {n for n in installed() if ENGINES[n].cpu}
    assert all(f"{name} {ms:.1f} ms" in why for name, ms in times.items())
    assert type(engine) is ENGINES["onnxruntime"].make
    assert known_why.startswith("onnxruntime fp32: onnxruntime 1.0 ms, ")


def test_a_library_is_loaded_only_where_that_is_worth_it(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("openvino")
    names = candidates(source)
    monkeypatch.delitem(sys.modules, "openvino", raising=False)

    auto.keep(source, names, dict.fromkeys(names, 9.0) | {"torch": 4.0, "openvino": 2.5})
    engine, why = choose(source)
    assert type(engine) is TorchEngine
    assert why.endswith("; openvino is not worth loading")

    auto.keep(source, names, dict.fromkeys(names, 9.0) | {"torch": 6.0, "openvino": 2.5})
    assert choose(source)[1].startswith("openvino fp32: ")  # loads it
    auto.keep(source, names, dict.fromkeys(names, 9.0) | {"torch": 4.0, "openvino": 2.5})
    assert choose(source)[1].startswith("openvino fp32: ")


def test_precision_auto_takes_what_the_card_knows_to_be_harmless(
    source: Source, engine_cache: Path
) -> None:
    need("openvino")
    costs = {"bf16": 0.002, "int8": 0.5}
    source = replace(source, precision="auto", card=replace(source.card, costs=costs))
    assert {one.precision for one, _ in candidates(source).values()} == {"fp32", "bf16"}
    choose(source)
    (known,) = engine_cache.glob("*.json")
    times = json.loads(known.read_text())
    known.write_text(json.dumps(dict.fromkeys(times, 2.0) | {"openvino bf16": 1.0}))

    assert choose(source)[1].startswith("openvino bf16: openvino bf16 1.0 ms, ")
    assert choose(source, "torch")[1].startswith("torch ")


def test_precision_auto_is_fp32_where_nothing_was_measured(source: Source) -> None:
    found = candidates(replace(source, precision="auto"))

    assert {one.precision for one, _ in found.values()} == {"fp32"}


def test_an_engine_that_answers_otherwise_is_refused(source: Source) -> None:
    torch_engine = TorchEngine(source)
    right = torch_engine.run
    for wrong in (
        lambda image, focal_scale: right(image, np.ones_like(focal_scale)),
        lambda image, focal_scale: [right(image, focal_scale)[0] * np.float32(np.nan)],
        lambda image, focal_scale: [right(image, focal_scale)[0][..., :32]],
    ):
        with pytest.raises(EngineError, match=r"engine x \(fp32\): depth of the golden frame"):
            golden.check(SimpleNamespace(run=wrong), source, "x")
    assert golden.check(torch_engine, source, "x") == 0


def test_a_cached_graph_of_other_weights_is_refused(source: Source, tmp_path: Path) -> None:
    need("onnxruntime")
    other = tmp_path / "other.safetensors"
    save(other, DepthNet("tiny"), PoseNet("tiny"), CARD)
    net, card = load_depth(other)
    write_onnx(DepthGraph(net, card), source.onnx())

    with pytest.raises(EngineError, match=r"remove .*cache and try again"):
        choose(source, "onnxruntime")


@pytest.mark.parametrize("name", ["torch", "onnxruntime", "openvino"])
@pytest.mark.parametrize(
    ("content", "reason"), [(b"garbage", "damaged"), (None, "not the weights of its card")]
)
def test_weights_that_changed_are_refused_whatever_was_kept_of_them(
    name: str, source: Source, content: bytes | None, reason: str
) -> None:
    need(name)
    DepthEstimator(source.checkpoint, "cpu", engine=name)
    source.checkpoint.write_bytes(content or bundled("day").read_bytes())

    with pytest.raises(CheckpointError, match=rf"{source.checkpoint.name}: {reason}"):
        DepthEstimator(source.checkpoint, "cpu", engine=name)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_damaged_graph_is_refused_with_the_way_out(name: str, source: Source) -> None:
    need(name)
    source.onnx().write_bytes(source.onnx().read_bytes()[:1000])

    with pytest.raises(EngineError, match=rf"engine {name}: .*; remove .*cache and try again"):
        choose(source, name)


def test_other_weights_size_precision_or_version_is_another_file(source: Source) -> None:
    card = source.card
    variants = [
        source.cached("onnx", "1"),
        source.cached("onnx", "2"),
        replace(source, precision="bf16").cached("onnx", "1"),
        replace(source, card=replace(card, sha256="0")).cached("onnx", "1"),
        replace(source, card=replace(card, input_size=(96, 64))).cached("onnx", "1"),
    ]
    assert len(set(variants)) == len(variants)


def test_what_cannot_be_is_named_with_the_way_out(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="engine 'tflite': expected one of"):
        choose(source, "tflite")
    with pytest.raises(ConfigError, match="precision 'fp8': expected one of"):
        choose(replace(source, precision="fp8"))
    with pytest.raises(ConfigError, match="'tensorrt' does not do fp32 on cpu"):
        choose(source, "tensorrt")
    monkeypatch.setattr("sdepth.engines.selection.installed", lambda: ["torch"])
    with pytest.raises(ConfigError, match="pip install openvino, or take auto"):
        choose(source, "openvino")
    assert choose(source)[1] == "torch fp32, the only one here"


def test_int8_wants_the_checkpoint_quantised(source: Source) -> None:
    need("onnxruntime")
    with pytest.raises(
        CheckpointError, match=r"never quantised; python -m training\.weights\.quantize"
    ):
        choose(replace(source, precision="int8"))
    source.checkpoint.with_name("net.int8-0123.onnx").touch()
    with pytest.raises(CheckpointError, match=r"net\.int8-0123\.onnx is of other weights"):
        choose(replace(source, precision="int8"))


def test_resize_in_the_graph_is_opencvs(source: Source) -> None:
    (net, card), (twin, _) = load_depth(bundled("day")), load_depth(bundled("day"))
    image = np.random.default_rng(2).integers(0, 255, (187, 621, 3), np.uint8)
    small = cv2.resize(image, card.input_size[::-1], interpolation=cv2.INTER_AREA)
    one = torch.ones(1)
    with torch.inference_mode():
        expected = DepthGraph(net, card)(torch.from_numpy(small)[None], one)
        found = DepthGraph(twin, card, (187, 621))(torch.from_numpy(image)[None], one)

    # A sum in another order may round a pixel that is halfway to the other side.
    assert torch.allclose(found, expected, rtol=0.02)


def test_images_smaller_than_the_network_are_refused(source: Source) -> None:
    net, card = load_depth(source.checkpoint)
    with pytest.raises(ConfigError, match="image size 63: expected 64"):
        DepthGraph(net, card, (63, 640))


@pytest.mark.parametrize("image_size", [None, (70, 130)])
def test_exported_graph_takes_any_batch(
    source: Source, tmp_path: Path, image_size: tuple[int, int] | None
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    net, card = load_depth(source.checkpoint)
    graph = DepthGraph(net, card, image_size)
    write_onnx(graph, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    height, width = image_size or card.input_size
    images = np.random.default_rng(3).integers(0, 255, (3, height, width, 3), np.uint8)
    scales = np.array([0.5, 1, 2], np.float32)

    (depth,) = session.run(None, {"image": images, "focal_scale": scales})

    with torch.inference_mode():
        expected = graph(torch.from_numpy(images), torch.from_numpy(scales)).numpy()
    assert depth.shape == (3, 1, 64, 96)
    assert np.allclose(depth, expected, rtol=1e-3)


def test_openvino_leaves_its_threads_to_the_scheduler(source: Source) -> None:
    need("openvino")
    engine, _ = choose(source, "openvino")
    engine.infer(golden.golden_frame((64, 96)), 1.0)

    assert engine._request.get_compiled_model().get_property("ENABLE_CPU_PINNING") is False
