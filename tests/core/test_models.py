"""Networks: sizes, shapes, public parameter names."""

import pytest
import torch
from torch import nn

from sdepth.engines.graph import fuse
from sdepth.errors import ConfigError
from sdepth.models.depth_net import DepthNet, depth_to_disp, disp_to_depth
from sdepth.models.efficientnet_lite import EfficientNetLiteEncoder, SameConv
from sdepth.models.pose_net import POSE_ARCHITECTURES, PoseCNN, make_pose_net


def test_light_network_is_light() -> None:
    assert sum(p.numel() for p in DepthNet("light").parameters()) < 3.5e6


@pytest.mark.parametrize("architecture", ["resnet18", "light", "lite0", "tiny"])
def test_disparities_come_at_four_scales(architecture: str) -> None:
    disps = DepthNet(architecture).eval()(torch.rand(1, 3, 64, 96))

    assert [tuple(d.shape[2:]) for d in disps] == [(64, 96), (32, 48), (16, 24), (8, 12)]
    assert all(float(d.detach().min()) > 0 and float(d.detach().max()) < 1 for d in disps)


def test_lite_mono_comes_at_three_scales_and_has_the_published_sizes() -> None:
    disps = DepthNet("lite-mono-tiny").eval()(torch.rand(1, 3, 64, 96))

    assert [tuple(d.shape[2:]) for d in disps] == [(64, 96), (32, 48), (16, 24)]
    published = {"lite-mono": 3.1, "lite-mono-small": 2.5, "lite-mono-tiny": 2.2}  # table 1
    for name, millions in published.items():
        count = sum(p.numel() for p in DepthNet(name).parameters())
        assert count == pytest.approx(millions * 1e6, abs=0.06e6)


def test_one_scale_equals_the_finest_of_four() -> None:
    net, image = DepthNet("tiny").eval(), torch.rand(1, 3, 64, 96)

    assert torch.equal(net(image, scales=1)[0], net(image)[0])


def test_untrained_network_answers_near_the_start_depth() -> None:
    net = DepthNet("tiny").eval()
    net.start_at(8.0, (1.0, 100.0))

    depth = disp_to_depth(net(torch.rand(1, 3, 64, 96), 1)[0], (1.0, 100.0))

    assert 2 < float(depth.detach().median()) < 32


@pytest.mark.parametrize("architecture", ["light", "lite0"])
def test_folded_normalisation_gives_the_same_depth(architecture: str) -> None:
    torch.manual_seed(0)
    net, image = DepthNet(architecture), torch.rand(2, 3, 64, 96)
    net(image)  # moves the running statistics off their defaults
    net.eval()
    with torch.no_grad():
        expected = net(image, 1)[0]
        folded = fuse(net)

        assert torch.allclose(folded(image, 1)[0], expected, atol=1e-5)
    assert not [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]


def test_lite0_has_the_published_size_and_strides() -> None:
    encoder = EfficientNetLiteEncoder().eval()

    features = encoder(torch.rand(1, 3, 64, 96))

    assert [tuple(f.shape[1:]) for f in features] == [
        (c, 64 // s, 96 // s) for c, s in zip(encoder.channels, encoder.strides, strict=True)
    ]
    # Table 1 of the paper less the classifier's 1280 wide layers: 4.65 M - 1.69 M.
    assert sum(p.numel() for p in encoder.parameters()) == pytest.approx(2.96e6, abs=0.01e6)


def test_convolution_of_stride_two_pads_as_tensorflow_does() -> None:
    conv = SameConv(1, 1, 3, stride=2)
    nn.init.ones_(conv.weight)
    image = torch.arange(16.0).view(1, 1, 4, 4)

    # "same" of size 4 and kernel 3: nothing before, one row and column of zeros behind.
    assert conv(image)[0, 0].tolist() == [[45.0, 39.0], [66.0, 50.0]]


@pytest.mark.parametrize("architecture", POSE_ARCHITECTURES)
def test_pose_is_a_small_rigid_motion(architecture: str) -> None:
    net = make_pose_net(architecture).eval()
    T = net(torch.rand(2, 3, 64, 96), torch.rand(2, 3, 64, 96)).detach()

    assert torch.allclose(T[:, :3, :3] @ T[:, :3, :3].mT, torch.eye(3).expand(2, 3, 3), atol=1e-5)
    assert float(T[:, :3, 3].norm(dim=1).max()) < 1


def test_disparity_ends_are_the_ends_of_the_depth_range() -> None:
    depth = disp_to_depth(torch.tensor([0.0, 1.0]), (0.1, 100.0))

    assert depth.tolist() == pytest.approx([100.0, 0.1])


@pytest.mark.parametrize("architecture", POSE_ARCHITECTURES)
def test_pose_network_starts_with_the_motion_it_is_told(architecture: str) -> None:
    torch.manual_seed(0)
    net = make_pose_net(architecture, output_scale=0.001).eval()
    net.start_at(0.7)

    t = net(torch.rand(1, 3, 64, 96), torch.rand(1, 3, 64, 96)).detach()[0, :3, 3]

    assert torch.allclose(t, torch.tensor([0.0, 0.0, -0.7]), atol=0.05)


def test_plain_pose_network_sees_the_order_of_its_images() -> None:
    torch.manual_seed(0)
    net, a, b = PoseCNN(1.0).eval(), torch.rand(1, 3, 64, 96), torch.rand(1, 3, 64, 96)

    motions = [net(a, b).detach(), net(b, a).detach()]

    # At the start of training the answer must already depend on the images, not on biases alone.
    assert (motions[0] - motions[1]).abs().max() > 0.01


def test_unknown_pose_network_is_named() -> None:
    with pytest.raises(ConfigError, match=r"pose 'vit': expected one of .*posecnn"):
        make_pose_net("vit")


def test_disparity_of_depth_is_the_one_it_was_made_of() -> None:
    disp = torch.tensor([0.0, 0.2, 1.0])

    back = depth_to_disp(disp_to_depth(disp, (0.5, 80.0), 1.3), (0.5, 80.0), 1.3)

    assert torch.allclose(back, disp, atol=1e-6)
    assert depth_to_disp(torch.tensor([0.01, 1e4]), (0.5, 80.0)).tolist() == [1.0, 0.0]
