"""Public monodepth2 weights give the public network's answers in ours."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sdepth.checkpoint import load_depth, load_pose
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import CheckpointError
from sdepth.geometry.camera import Camera
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from training.weights.import_monodepth2 import import_monodepth2, main

Weights = dict[str, Tensor]


def public_encoder(w: Weights, image: Tensor) -> list[Tensor]:
    """Return ResNet-18's features by the public parameter names, step by step."""

    def norm(x: Tensor, name: str) -> Tensor:
        keys = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(w[f"encoder.{name}.{key}"] for key in keys))

    x = F.conv2d((image - 0.45) / 0.225, w["encoder.conv1.weight"], stride=2, padding=3)
    features = [F.relu(norm(x, "bn1"))]
    x = F.max_pool2d(features[0], 3, 2, 1)
    for layer in range(1, 5):
        for block in range(2):
            name, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            y = F.conv2d(x, w[f"encoder.{name}.conv1.weight"], stride=stride, padding=1)
            y = F.conv2d(
                F.relu(norm(y, f"{name}.bn1")), w[f"encoder.{name}.conv2.weight"], padding=1
            )
            y = norm(y, f"{name}.bn2")
            if stride == 2:
                x = F.conv2d(x, w[f"encoder.{name}.downsample.0.weight"], stride=2)
                x = norm(x, f"{name}.downsample.1")
            x = F.relu(y + x)
        features.append(x)
    return features


def public_disparity(w: Weights, image: Tensor) -> Tensor:
    """Return monodepth2's finest disparity."""

    def conv(x: Tensor, name: str) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, w[f"{name}.conv.weight"], w[f"{name}.conv.bias"])

    features = public_encoder(w, image)
    x = features[-1]
    for n, i in enumerate(range(4, -1, -1)):
        x = F.interpolate(F.elu(conv(x, f"decoder.{2 * n}.conv")), scale_factor=2, mode="nearest")
        x = torch.cat([x, features[i - 1]], 1) if i > 0 else x
        x = F.elu(conv(x, f"decoder.{2 * n + 1}.conv"))
    return torch.sigmoid(conv(x, "decoder.10"))


def lively(weights: Weights) -> Weights:
    """Return the weights with normalisation statistics that matter."""
    return {k: v + 0.1 * torch.rand_like(v) if v.ndim == 1 else v for k, v in weights.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write four files with monodepth2's names, shapes and extras."""
    torch.manual_seed(0)
    for net, names in (
        (DepthNet("resnet18"), ("encoder.pth", "depth.pth")),
        (PoseNet("resnet18"), ("pose_encoder.pth", "pose.pth")),
    ):
        weights = lively(net.state_dict())
        encoder = {k: v for k, v in weights.items() if k.startswith("encoder.")}
        rest = {k: v for k, v in weights.items() if k not in encoder}
        extras = {
            "encoder.fc.weight": torch.zeros(1000, 512),
            "encoder.fc.bias": torch.zeros(1000),
        }
        if names[0] == "encoder.pth":
            extras |= {"height": 192, "width": 640, "use_stereo": False}
        torch.save({**encoder, **extras}, tmp_path / names[0])
        torch.save(rest, tmp_path / names[1])
    return tmp_path


def test_imported_depth_is_the_public_networks(folder: Path) -> None:
    import_monodepth2(folder, folder / "ours.safetensors")
    net, card = load_depth(folder / "ours.safetensors")
    parts = [torch.load(folder / n, weights_only=True) for n in ("encoder.pth", "depth.pth")]
    image = torch.rand(1, 3, 64, 96)

    with torch.no_grad():
        ours, public = net(image, 1)[0], public_disparity(parts[0] | parts[1], image)

    assert torch.allclose(ours, public, atol=1e-6)
    assert float(public.std()) > 1e-4
    assert (card.input_size, card.metric) == ((192, 640), False)


def test_imported_pose_network_is_the_public_one(folder: Path) -> None:
    import_monodepth2(folder, folder / "ours.safetensors")
    net, _ = load_pose(folder / "ours.safetensors")
    w = torch.load(folder / "pose_encoder.pth", weights_only=True)
    w |= torch.load(folder / "pose.pth", weights_only=True)
    a, b = torch.rand(1, 3, 64, 96), torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        x = public_encoder(w, torch.cat([a, b], 1))[-1]
        for n in range(3):
            x = F.relu(F.conv2d(x, w[f"net.{n}.weight"], w[f"net.{n}.bias"], padding=int(n > 0)))
        out = 0.01 * F.conv2d(x, w["net.3.weight"], w["net.3.bias"]).mean((2, 3))

        assert torch.allclose(net(a, b)[0, :3, 3], out[0, 3:6], atol=1e-6)


def test_known_scale_makes_depth_and_motion_metres(folder: Path) -> None:
    paths = folder / "unit.safetensors", folder / "metres.safetensors"
    assert main([str(folder), str(paths[0])]) == 0
    assert main([str(folder), str(paths[1]), "--scale", "5.4"]) == 0
    camera = Camera(100.0, 100.0, 47.5, 31.5, 96, 64)
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    pair = torch.rand(1, 3, 64, 96), torch.rand(1, 3, 64, 96)

    unit, metres = (DepthEstimator(path, "cpu").predict(image, camera).depth for path in paths)
    (a, _), (b, card) = (load_pose(path) for path in paths)
    T_unit, T_metres = a(*pair).detach(), b(*pair).detach()

    np.testing.assert_allclose(metres, 5.4 * unit, rtol=1e-5)
    assert torch.allclose(T_metres[:, :3, 3], 5.4 * T_unit[:, :3, 3], rtol=1e-5, atol=0)
    assert torch.equal(T_metres[:, :3, :3], T_unit[:, :3, :3])
    assert card.metric


def test_scale_that_is_no_length_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder), str(folder / "o.safetensors"), "--scale", "0"]) == 2
    assert "scale 0: expected metres in a unit, more than 0" in capsys.readouterr().err


def test_folder_of_something_else_is_refused(folder: Path) -> None:
    torch.save({"a": torch.ones(1)}, folder / "depth.pth")

    with pytest.raises(CheckpointError, match="not a monodepth2 ResNet-18"):
        import_monodepth2(folder, folder / "ours.safetensors")
    (folder / "pose.pth").unlink()
    with pytest.raises(CheckpointError, match=r"not a monodepth2|missing"):
        import_monodepth2(folder, folder / "ours.safetensors")
