"""Training end to end on tiny drives: it learns, it resumes, it runs on two processes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from sdepth.checkpoint import load_depth, read_tensors
from sdepth.config import load_config, to_dict
from sdepth.errors import CheckpointError, ConfigError, DataError
from tests.helpers import write_drive
from training.config import LogConfig, ModelConfig, OptimConfig, TrainConfig
from training.data.triplets import DataConfig
from training.losses.photometric import LossConfig
from training.networks import build_model
from training.train import main
from training.trainer import check_finite, learning_rate, load_batches, take_step, train
from training.weights.export import export

CONFIGS = Path(__file__).parents[2] / "training" / "configs"


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        data=DataConfig(
            train=(str(write_drive(tmp_path / "data", frames=8)),), size=(64, 96), workers=0
        ),
        model=ModelConfig("tiny", "tiny", (1.0, 100.0), start_depth_m=8.0, pose_output_scale=0.1),
        loss=LossConfig(scales=2, speed_weight=0.02),
        optim=OptimConfig(steps=4, batch=2, lr=1e-3),
        log=LogConfig(scalars_every=1, images_every=2, save_every=2),
    )


@pytest.mark.parametrize("depth", ["tiny", "lite-mono-tiny"])
def test_loss_falls(config: TrainConfig, depth: str) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, depth=depth))
    model = build_model(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batch = next(load_batches(config, 0, 0, 1))

    losses = [
        float(take_step(model, optimizer, batch, config.optim, 0).losses["total"])
        for _ in range(12)
    ]

    assert min(losses[-3:]) < 0.97 * losses[0]


def test_stopped_run_continues_bit_for_bit(config: TrainConfig, tmp_path: Path) -> None:
    train(config, tmp_path / "whole", "cpu")
    _train_and_interrupt(config, tmp_path / "parts", at_step=3)

    train(config, tmp_path / "parts", "cpu")

    whole, parts = (read_tensors(tmp_path / r / "state.safetensors") for r in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[k], parts[k]) for k in whole)


def _train_and_interrupt(config: TrainConfig, run: Path, at_step: int) -> None:
    """Train in another process, and press Ctrl-C at a step."""
    code = (
        "import sys, signal, os\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it\n"
        "from training import trainer\nfrom training.train import main\n"
        "real = trainer.take_step\n"
        f"def step(*a):\n    if a[4] == {at_step}: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(*a)\n"
        "trainer.take_step = step\nsys.exit(main(sys.argv[1:]))"
    )
    file = run.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(to_dict(config)))
    done = subprocess.run(
        [sys.executable, "-c", code, str(file), "--out", str(run), "--device", "cpu"],
        env=_environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert "the same command goes on" in done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_two_gloo_processes_train_one_model(config: TrainConfig, tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump(to_dict(config)))

    done = subprocess.run(
        f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node 2 "
        f"-m training.train {file} --out {tmp_path / 'two'}".split(),
        env={**_environment(), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]
    net, card = load_depth(tmp_path / "two" / "weights.safetensors")
    assert card.step == 4
    assert all(bool(torch.isfinite(p).all()) for p in net.parameters())


def test_run_leaves_config_weights_and_board(config: TrainConfig, tmp_path: Path) -> None:
    weights = train(config, tmp_path / "run", "cpu", command="made so")
    export(tmp_path / "run", tmp_path / "small.safetensors", "a wall")

    again = load_config(TrainConfig, tmp_path / "run" / "config.yaml")
    card = load_depth(tmp_path / "small.safetensors")[1]

    assert again == config
    assert (card.command, card.metric, card.training_data) == ("made so", True, "a wall")
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert (tmp_path / "small.safetensors").stat().st_size < 0.6 * weights.stat().st_size


def test_folder_of_another_run_is_not_overwritten(config: TrainConfig, tmp_path: Path) -> None:
    train(config, tmp_path / "run", "cpu")

    with pytest.raises(CheckpointError, match="another configuration"):
        train(dataclasses.replace(config, seed=1), tmp_path / "run", "cpu")


def test_run_goes_on_whose_configuration_lacks_a_key_with_its_default(
    config: TrainConfig, tmp_path: Path
) -> None:
    train(config, tmp_path / "run", "cpu")
    path = tmp_path / "run" / "config.yaml"
    path.write_text(path.read_text().replace("  split: ''\n", ""))

    train(config, tmp_path / "run", "cpu")

    assert "  split: ''\n" in path.read_text()
    path.write_text(path.read_text() + "forgotten: 1\n")
    with pytest.raises(CheckpointError, match="another configuration"):
        train(config, tmp_path / "run", "cpu")


def test_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not a number at step 7 .*optim.lr"):
        check_finite({"total": torch.tensor(float("nan"))}, 7, tmp_path)


def test_learning_rate_warms_up_holds_and_decays() -> None:
    o = OptimConfig(steps=100, lr=1.0, warmup_steps=10, decay_from=0.5, decay_to=0.1)

    rates = [learning_rate(o, step) for step in (0, 9, 30, 50, 75, 100)]

    assert rates == pytest.approx([0.1, 1.0, 1.0, 1.0, 0.55, 0.1])


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_configs_in_the_tree_are_valid(path: Path) -> None:
    assert load_config(TrainConfig, path).name == path.stem


def test_bad_value_is_refused_before_training() -> None:
    with pytest.raises(
        ConfigError, match=r"data.size: got \(100, 320\), expected .* multiples of 32"
    ):
        load_config(TrainConfig, None, ["data.size=[100, 320]"])
    with pytest.raises(ConfigError, match=r"loss.scales: got 4, expected 1 to 3 with lite-mono"):
        load_config(TrainConfig, None, ["model.depth=lite-mono"])


def test_command_line_names_the_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(f"{CONFIGS}/kitti.yaml --out {tmp_path}/r --set data.train=[nowhere]".split())

    assert code == 2
    assert "training.train: nowhere: no drives found" in capsys.readouterr().err


def test_known_motion_reaches_the_warp_and_the_pose_network(config: TrainConfig) -> None:
    loss = LossConfig(scales=1, known_motion=True, motion_weight=0.1)
    model = build_model(dataclasses.replace(config, loss=loss))
    batch = next(load_batches(config, 0, 0, 1))
    unknown = {**batch, "motions": torch.full_like(batch["motions"], float("nan"))}

    known_losses, predicted_losses = (model(b).losses for b in (batch, unknown))

    assert float(known_losses["motion"].detach()) > 0
    assert float(predicted_losses["motion"].detach()) == 0
    assert not torch.equal(known_losses["photometric"], predicted_losses["photometric"])
