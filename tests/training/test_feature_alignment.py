"""Features taught by known depth and motion: they learn, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sdepth.checkpoint import load_depth, load_refiner, read_card
from sdepth.errors import ConfigError, DataError
from sdepth.geometry import se3
from tests.helpers import write_drive
from training.config import LogConfig, ModelConfig, OptimConfig, TrainConfig
from training.data.triplets import DataConfig
from training.evaluate.__main__ import main
from training.feature_alignment import reprojection_error
from training.losses.photometric import LossConfig
from training.networks import build_model, parameter_groups
from training.refinement import RefineTraining
from training.trainer import load_batches, take_step, train

NETWORKS = ModelConfig("tiny", "tiny", (1.0, 100.0), start_depth_m=8.0, pose_output_scale=0.1)


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drive(tmp_path_factory.mktemp("data"), frames=8, size=(64, 96))


def config(drives: Path, steps: int = 3, start: Path | None = None, **refine) -> TrainConfig:
    model = ModelConfig(**{**vars(NETWORKS), "init_from": str(start or "")})
    return TrainConfig(
        data=DataConfig(train=(str(drives),), size=(64, 96), workers=0, depth=True),
        model=model,
        loss=LossConfig(scales=1, speed_weight=0.02),
        refine=RefineTraining(features="unet", only=True, unroll=True, **refine),
        optim=OptimConfig(steps=steps, batch=2, lr=2e-3),
        log=LogConfig(save_every=2),
    )


def test_points_that_land_right_have_no_error() -> None:
    T = se3.from_rotvec(torch.zeros(1, 3), torch.tensor([[0.0, 0, -1]]))
    K = torch.tensor([[[60.0, 0, 47.5], [0, 60, 31.5], [0, 0, 1]]])
    depth = torch.full((1, 1, 64, 96), 10.0)

    exact, shifted = (
        float(reprojection_error(other, T, depth, K))
        for other in (T, se3.from_rotvec(torch.zeros(1, 3), torch.tensor([[0.3, 0, -1]])))
    )

    assert exact < 1e-3
    assert shifted == pytest.approx(60 * 0.3 / 9, rel=1e-3)  # f * sideways / depth from there


def test_features_learn_to_carry_points_where_they_are(drives: Path) -> None:
    torch.manual_seed(0)
    model = build_model(config(drives))
    optimizer = torch.optim.Adam(parameter_groups(model, config(drives)), lr=2e-3)
    batch = next(load_batches(config(drives), 0, 0, 1))

    losses = [
        float(take_step(model, optimizer, batch, config(drives).optim, 7).losses["total"])
        for _ in range(15)
    ]

    assert min(losses[-3:]) < 0.7 * losses[0]


def test_depth_and_its_card_stay_as_they_are(drives: Path, tmp_path: Path) -> None:
    video = TrainConfig(
        data=DataConfig(train=(str(drives),), size=(64, 96), workers=0),
        model=NETWORKS,
        loss=LossConfig(scales=1, speed_weight=0.02),
        optim=OptimConfig(steps=1, batch=2),
    )
    before = train(video, tmp_path / "video", "cpu", "make depth")

    after = train(config(drives, start=before), tmp_path / "features", "cpu", "teach features")

    a, b = (load_depth(path)[0].state_dict() for path in (before, after))
    assert all(torch.equal(a[key], b[key]) for key in a)
    card = read_card(after)
    assert card.metric
    assert (card.features, card.command) == ("unet", "make depth; teach features")
    assert load_refiner(after)[0].kind == "unet"


def test_drives_without_depth_cannot_teach(tmp_path: Path) -> None:
    root = write_drive(tmp_path / "data", frames=4, size=(64, 96))
    for path in root.glob("sequences/*/depth_2/*.png"):
        path.unlink()

    with pytest.raises(DataError, match="no depth beside it"):
        next(load_batches(config(root), 0, 0, 1))


def test_what_features_need_is_asked_for_at_once(drives: Path) -> None:
    with pytest.raises(ConfigError, match=r"refine\.only: .*data\.depth: true"):
        TrainConfig(refine=RefineTraining(features="unet", only=True))


def test_the_figure_shows_the_pair(drives: Path, tmp_path: Path) -> None:
    weights = train(config(drives), tmp_path / "run", "cpu")
    png = tmp_path / "figure.png"

    code = main(
        [
            "refinement",
            str(weights),
            str(drives / "sequences/00"),
            "--frame",
            "2",
            "--png",
            str(png),
        ]
    )

    image = cv2.imread(str(png))
    assert code == 0
    assert image.shape[1] > 1000
    assert np.unique(image.reshape(-1, 3), axis=0).shape[0] > 1000
