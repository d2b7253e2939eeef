"""Self-describing weights, and every way they can be wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sdepth.alignment.refiner import FIXED_STRIDES, Refiner
from sdepth.card import Card
from sdepth.checkpoint import (
    bundled,
    load_depth,
    load_pose,
    load_refiner,
    read_tensors,
    save,
)
from sdepth.errors import CheckpointError
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseCNN, PoseNet

CARD = Card(
    depth_architecture="tiny",
    pose_architecture="tiny",
    input_size=(64, 96),
    depth_range_m=(1.0, 100.0),
    metric=False,
    domain="day",
    training_data="none",
    command="none",
    commit="none",
    step=0,
    focal_ratio=1.055,
    pose_output_scale=0.01,
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "net.safetensors"
    save(path, DepthNet("tiny"), PoseNet("tiny"), CARD, half=False)
    return path


def test_saved_networks_come_back_equal(checkpoint: Path) -> None:
    torch.manual_seed(0)
    expected = DepthNet("tiny").state_dict()

    net, card = load_depth(checkpoint)

    assert card.input_size == (64, 96)
    assert all(torch.equal(v, expected[k]) for k, v in net.state_dict().items())
    assert load_pose(checkpoint)[1] == card


def test_plain_pose_network_comes_back_equal(tmp_path: Path) -> None:
    pose, path = PoseCNN(), tmp_path / "net.safetensors"
    card = replace(CARD, pose_architecture="posecnn")
    save(path, DepthNet("tiny"), pose, card, half=False)

    net, _ = load_pose(path)

    assert isinstance(net, PoseCNN)
    assert all(torch.equal(v, pose.state_dict()[k]) for k, v in net.state_dict().items())


def test_half_precision_is_half_the_size(checkpoint: Path, tmp_path: Path) -> None:
    save(tmp_path / "half.safetensors", DepthNet("tiny"), PoseNet("tiny"), CARD, half=True)

    ratio = (tmp_path / "half.safetensors").stat().st_size / checkpoint.stat().st_size

    assert ratio == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kind", ["unet", "encoder", "random"])
def test_refiner_comes_back_with_its_networks(tmp_path: Path, kind: str, half: bool) -> None:
    torch.manual_seed(0)
    path, depth = tmp_path / "net.safetensors", DepthNet("tiny").eval()
    refiner = Refiner(kind, (8, 4), encoder=depth.encoder).eval()
    torch.nn.init.normal_(refiner.damping_logit)
    card = replace(CARD, features=kind, feature_strides=(8, 4))
    save(path, depth, PoseNet("tiny"), card, half, refiner)

    again, card = load_refiner(path)
    image = torch.rand(1, 3, 64, 96)

    assert (again.kind, again.strides, card.features) == (kind, (8, 4), kind)
    close = (
        {"rtol": 2e-3, "atol": 5e-3} if half else {"rtol": 0, "atol": 1e-5}
    )  # another layout adds up in another order
    assert torch.allclose(again.damping_logit, refiner.damping_logit, **close)
    for a, b in zip(again.maps(image), refiner.maps(image), strict=True):
        assert torch.allclose(a.features, b.features, **close)


def test_weights_from_before_refinement_align_brightness(checkpoint: Path) -> None:
    card = checkpoint.with_suffix(".json")
    old = json.loads(card.read_text())
    del old["features"], old["feature_strides"]
    card.write_text(json.dumps(old))

    refiner, _ = load_refiner(checkpoint)

    assert (refiner.kind, refiner.strides) == ("intensity", FIXED_STRIDES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": "sift", "feature_strides": [4]}, "net.json: features 'sift'"),
        ({"features": "unet", "feature_strides": [3]}, r"net.json: strides \[3\]"),
        ({"features": "unet", "feature_strides": [4, 2]}, "does not hold the networks"),
    ],
)
def test_features_the_weights_do_not_hold_are_named(
    checkpoint: Path, change: dict[str, object], message: str
) -> None:
    card = checkpoint.with_suffix(".json")
    card.write_text(json.dumps({**json.loads(card.read_text()), **change}))

    with pytest.raises(CheckpointError, match=message):
        load_refiner(checkpoint)


@pytest.mark.parametrize("domain", ["day", "night"])
def test_shipped_weights_load_and_are_small(domain: str) -> None:
    net, card = load_depth(bundled(domain))

    assert card.domain == domain
    assert card.metric
    assert bundled(domain).stat().st_size < 10e6
    assert all(bool(torch.isfinite(p).all()) for p in net.parameters())


def test_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere.safetensors: no such checkpoint"):
        load_depth(tmp_path / "nowhere.safetensors")


def test_pickle_is_refused_without_opening_it(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    torch.save({"a": torch.ones(1)}, path)

    with pytest.raises(CheckpointError, match=r"a pickle .* training.weights.export"):
        read_tensors(path)


def test_truncated_weights_are_refused(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])

    with pytest.raises(CheckpointError, match="damaged"):
        load_depth(checkpoint)


def test_missing_card_is_named(checkpoint: Path) -> None:
    checkpoint.with_suffix(".json").unlink()

    with pytest.raises(CheckpointError, match=r"net.json: missing"):
        load_depth(checkpoint)


def test_weights_of_another_card_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    save(tmp_path / "other.safetensors", DepthNet("tiny"), PoseNet("tiny"), CARD)
    checkpoint.write_bytes((tmp_path / "other.safetensors").read_bytes())

    with pytest.raises(CheckpointError, match="not the weights of its card"):
        load_depth(checkpoint)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 99, "format 99, this version reads 1"),
        ("depth_architecture", "vit", "'vit', known"),
        ("depth_architecture", "posecnn", "'posecnn', known"),
        ("input_size", "big", "not a card"),
        ("depth_architecture", "light", "does not hold the networks"),
    ],
)
def test_bad_card_is_named(checkpoint: Path, key: str, value: object, message: str) -> None:
    card = checkpoint.with_suffix(".json")
    card.write_text(json.dumps({**json.loads(card.read_text()), key: value}))

    with pytest.raises(CheckpointError, match=message):
        load_depth(checkpoint)
