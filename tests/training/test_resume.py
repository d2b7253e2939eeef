"""Which changes of its configuration a run goes on with, and what is said of the others."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sdepth.errors import CheckpointError
from training.config import LogConfig, OptimConfig, TrainConfig
from training.data.triplets import DataConfig
from training.run_folder import CONFIG, STATE, save_config


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder where data is."""
    (tmp_path / "here/mine").mkdir(parents=True)
    return tmp_path / "here/mine"


@pytest.fixture
def config(data: Path) -> TrainConfig:
    """Return a run's configuration."""
    return TrainConfig(data=DataConfig(train=(str(data),)), optim=OptimConfig(steps=10))


@pytest.fixture
def run(tmp_path: Path, config: TrainConfig) -> Path:
    """Return the folder of a run that has begun."""
    save_config(tmp_path / "run", config)
    (tmp_path / "run" / STATE).touch()
    return tmp_path / "run"


def test_what_changes_nothing_learnt_may_change(run: Path, config: TrainConfig) -> None:
    save_config(run, replace(config, log=LogConfig(save_every=7)))
    save_config(run, replace(config, data=replace(config.data, workers=9)))
    save_config(run, replace(config, optim=OptimConfig(steps=20), name="longer"))
    assert "steps: 20" in (run / CONFIG).read_text()


def test_every_other_key_is_named_with_both_values(run: Path, config: TrainConfig) -> None:
    before = (run / CONFIG).read_text()
    changed = replace(config, seed=3, optim=OptimConfig(lr=2e-4, batch=4, steps=20))
    with pytest.raises(CheckpointError) as caught:
        save_config(run, changed)
    said = str(caught.value)
    assert "seed 0 (now 3), optim.batch 12 (now 4), optim.lr 0.0001 (now 0.0002)" in said
    assert "steps" not in said
    assert "overwrite" not in said
    assert (run / CONFIG).read_text() == before


def test_data_may_have_moved(run: Path, config: TrainConfig, data: Path) -> None:
    there = data.parent.parent / "there"
    moved = replace(config, data=replace(config.data, train=(str(there / "mine"),)))
    (there / "mine").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"data\.train .*here/mine.*now .*there/mine"):
        save_config(run, moved)  # both are there: other data
    shutil.rmtree(data)
    save_config(run, moved)


def test_another_way_to_the_same_data_is_the_same(run: Path, config: TrainConfig) -> None:
    (path,) = config.data.train
    (run.parent / "link").symlink_to(Path(path).parent)
    for way in (f"{path}/../mine", str(run.parent / "link/mine")):
        save_config(run, replace(config, data=replace(config.data, train=(way,))))
    with pytest.raises(CheckpointError, match=r"data\.train"):
        save_config(run, replace(config, data=replace(config.data, train=(path, path))))


def test_a_damaged_configuration_is_named(run: Path, config: TrainConfig) -> None:
    (run / CONFIG).write_text("a: [")
    with pytest.raises(CheckpointError, match=r"config\.yaml: damaged"):
        save_config(run, config)
