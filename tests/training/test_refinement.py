"""Refinement in training: by configuration alone, and gone from what is used afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sdepth.checkpoint import load_depth, load_refiner, read_tensors
from sdepth.config import load_config
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.helpers import write_drive
from training import trainer
from training.config import LogConfig, ModelConfig, OptimConfig, TrainConfig
from training.data.triplets import DataConfig
from training.losses.photometric import LossConfig
from training.networks import build_model
from training.refinement import RefineTraining, refine_motions
from training.self_supervised import SelfSupervised
from training.trainer import load_batches, take_step, train

VARIANTS = {
    "A": RefineTraining("unet", initial_weight=0.0),
    "B": RefineTraining("unet", initial_weight=0.5),
    "C": RefineTraining("unet", initial_weight=0.0, consistency_weight=0.1),
    "D": RefineTraining("unet", initial_weight=0.5, consistency_weight=0.1),
}
"""Refined motion only; both; the pose network pulled to it; both and pulled."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    data = write_drive(tmp_path_factory.mktemp("data"), frames=8, size=(64, 96))
    return TrainConfig(
        data=DataConfig(train=(str(data),), size=(64, 96), workers=0),
        model=ModelConfig(
            "tiny", "tiny", (1.0, 100.0), start_depth_m=8.0, start_motion_m=0.5,
            pose_output_scale=0.1,
        ),
        loss=LossConfig(scales=2),
        optim=OptimConfig(steps=4, batch=2, lr=1e-3),
        log=LogConfig(scalars_every=1, images_every=2, save_every=2),
    )  # fmt: skip


def model_and_batch(config: TrainConfig) -> tuple[SelfSupervised, dict[str, Tensor]]:
    torch.manual_seed(0)
    return build_model(config), next(load_batches(config, 0, 0, 1))


def learns(net: nn.Module) -> bool:
    """Return whether any parameter has a gradient."""
    return any(p.grad is not None and bool(p.grad.any()) for p in net.parameters())


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_teaches_what_it_should(base: TrainConfig, variant: str) -> None:
    model, batch = model_and_batch(replace(base, refine=VARIANTS[variant]))
    assert model.refiner is not None

    losses = model(batch).losses
    losses["total"].backward()

    assert float(losses["refine/kept"]) > 0
    assert learns(model.depth_net)
    assert learns(model.refiner.features)
    assert learns(model.pose_net) == (variant != "A")
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(bool(torch.isfinite(g).all()) for g in grads)


@pytest.mark.parametrize("depth", ["light", "resnet18"])
@pytest.mark.parametrize("pose", ["tiny", "posecnn"])
def test_any_networks_are_refined_by_configuration_alone(
    base: TrainConfig, tmp_path: Path, depth: str, pose: str
) -> None:
    before = replace(base, model=replace(base.model, depth=depth, pose=pose))
    (tmp_path / "plain.yaml").write_text("name: plain\n")
    refine = load_config(TrainConfig, tmp_path / "plain.yaml", ["refine.features=unet"]).refine
    model, batch = model_and_batch(replace(before, refine=refine))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    losses = take_step(model, optimizer, batch, base.optim, 0).losses

    assert bool(torch.isfinite(losses["total"]))
    assert "refine/kept" in losses
    assert learns(model.depth_net)
    assert learns(model.pose_net)


def test_warm_up_is_the_baseline_to_the_last_bit(base: TrainConfig) -> None:
    plain, batch = model_and_batch(base)
    waiting, _ = model_and_batch(replace(base, refine=replace(VARIANTS["D"], warmup_steps=5)))

    losses = plain(batch, 4).losses

    early, late = (waiting(batch, step).losses for step in (4, 5))
    assert early.keys() == losses.keys()
    assert all(torch.equal(early[k], losses[k]) for k in losses)
    assert late.keys() > losses.keys()


@pytest.mark.parametrize("attach", [True, False])
def test_depth_learns_through_the_refinement_only_where_attached(
    base: TrainConfig, attach: bool
) -> None:
    config = replace(VARIANTS["B"], attach_depth=attach)
    model, batch = model_and_batch(replace(base, refine=config))
    assert model.refiner is not None
    depth = torch.full((2, 1, 64, 96), 8.0, requires_grad=True)
    T_src_now = torch.eye(4).repeat(2, 2, 1, 1)
    T_src_now[:, 0, 2, 3], T_src_now[:, 1, 2, 3] = 0.3, -0.3

    found = refine_motions(model.refiner, batch, depth, T_src_now, config)
    found.T_src_now[..., 2, 3].sum().backward()

    assert float(found.reports["refine/kept"]) > 0
    assert (depth.grad is not None and bool(depth.grad.any())) == attach


def test_the_depth_network_is_the_same_with_and_without(base: TrainConfig, tmp_path: Path) -> None:
    weights = {
        name: train(replace(base, refine=r, optim=replace(base.optim, steps=1)), tmp_path / name)
        for name, r in {"plain": RefineTraining(), "refined": VARIANTS["B"]}.items()
    }
    nets = {name: load_depth(path)[0] for name, path in weights.items()}

    names = {n: {k for k in read_tensors(w) if not k.startswith("refiner.")}
             for n, w in weights.items()}  # fmt: skip
    programs = {n: operators(net) for n, net in nets.items()}
    assert names["plain"] == names["refined"]
    assert programs["plain"] == programs["refined"]
    assert len(programs["plain"]) > 20
    assert load_refiner(weights["refined"])[0].kind == "unet"
    assert load_refiner(weights["plain"])[0].kind == "intensity"


def operators(net: DepthNet) -> list[str]:
    """Return what runs when the network is used, in order."""
    program = torch.export.export(net, (torch.rand(1, 3, 64, 96),), {"scales": 1})
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


@pytest.mark.parametrize("features", ["unet", "encoder"])
def test_a_stopped_refined_run_continues_bit_for_bit(
    base: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, features: str
) -> None:
    config = replace(base, refine=replace(VARIANTS["D"], features=features, warmup_steps=1))
    train(config, tmp_path / "whole", "cpu")

    def interrupted(*args: object) -> object:
        if args[4] == 3:
            raise KeyboardInterrupt
        return take_step(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "take_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "parts", "cpu")
    train(config, tmp_path / "parts", "cpu")

    whole, parts = (read_tensors(tmp_path / r / "state.safetensors") for r in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert any(k.startswith("model.refiner.") for k in whole)
    assert all(torch.equal(whole[k], parts[k]) for k in whole)


def test_a_refined_run_goes_on_from_refined_weights(base: TrainConfig, tmp_path: Path) -> None:
    config = replace(base, refine=VARIANTS["B"], optim=replace(base.optim, steps=2))
    weights = train(config, tmp_path / "first", "cpu")

    again = build_model(replace(config, model=replace(base.model, init_from=str(weights))))

    assert again.refiner is not None
    assert isinstance(again.pose_net, PoseNet)
    expected = read_tensors(weights)
    for k, v in again.refiner.state_dict().items():
        assert torch.equal(v, expected[f"refiner.{k}"])
