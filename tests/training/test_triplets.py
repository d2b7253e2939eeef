"""Training samples and their order."""

from itertools import islice
from pathlib import Path

import pytest
import torch

from sdepth.errors import DataError
from tests.helpers import write_drive
from training.data.triplets import DataConfig, ResumableOrder, Triplets

FOCAL_RATIO = 1.055


def config(root: Path, **changes: object) -> DataConfig:
    return DataConfig(train=(str(root),), size=(32, 64), workers=0, **changes)  # type: ignore[arg-type]


def test_every_sample_is_seen_once_per_epoch() -> None:
    keys = list(islice(ResumableOrder(10, 2, 0, 0), 20))

    assert sorted(i for i, _ in keys[:10]) == sorted(i for i, _ in keys[10:]) == list(range(10))
    assert [i for i, _ in keys[:10]] != [i for i, _ in keys[10:]]


def test_order_resumes_at_any_step() -> None:
    whole = list(islice(ResumableOrder(7, 3, 5, 0), 30))

    assert list(islice(ResumableOrder(7, 3, 5, 4), 18)) == whole[12:]


def test_processes_share_the_order_of_one() -> None:
    whole = list(islice(ResumableOrder(7, 4, 5, 0), 20))
    parts = [list(islice(ResumableOrder(7, 2, 5, 0, rank, 2), 10)) for rank in (0, 1)]

    assert parts == [whole[0::2], whole[1::2]]


def test_sample_is_a_function_of_its_key(tmp_path: Path) -> None:
    data = Triplets(config(write_drive(tmp_path, frames=5)), FOCAL_RATIO, seed=3)

    a, b, c = data[(1, 7)], data[(1, 7)], data[(1, 9)]

    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["noise"], c["noise"])


def test_sample_has_frames_camera_and_distance(tmp_path: Path) -> None:
    root = write_drive(tmp_path, frames=4, size=(64, 128), step_m=0.7)
    sample = Triplets(config(root, flip=False, jitter=0.0), FOCAL_RATIO, 0)[(0, 0)]

    assert sample["images"].shape == sample["inputs"].shape == (3, 3, 32, 64)
    assert sample["K"][0, 2] == pytest.approx((63.5 + 0.5) / 2 - 0.5)
    assert sample["motions"][:, 2, 3].tolist() == pytest.approx([0.7, -0.7])


def test_flip_mirrors_images_and_principal_point(tmp_path: Path) -> None:
    root = write_drive(tmp_path, frames=3, size=(32, 64))
    data = Triplets(config(root, jitter=0.0), FOCAL_RATIO, 0)
    samples = [data[(0, draw)] for draw in range(16)]
    plain = next(s for s in samples if torch.equal(s["K"], samples[0]["K"]))
    flipped = next(s for s in samples if not torch.equal(s["images"], plain["images"]))

    assert torch.equal(flipped["images"].flip(-1), plain["images"])
    assert flipped["K"][0, 2] == pytest.approx(63 - float(plain["K"][0, 2]))
    assert torch.allclose(flipped["motions"], plain["motions"])  # straight ahead stays so


def test_jitter_changes_inputs_only(tmp_path: Path) -> None:
    data = Triplets(config(write_drive(tmp_path, frames=3), flip=False), FOCAL_RATIO, 0)
    samples = [data[(0, draw)] for draw in range(8)]

    assert all(torch.equal(s["images"], samples[0]["images"]) for s in samples)
    assert any(not torch.equal(s["inputs"], s["images"]) for s in samples)


def test_drive_that_stands_still_gives_nothing_to_learn_from(tmp_path: Path) -> None:
    root = write_drive(tmp_path, frames=4, step_m=0.0)

    with pytest.raises(DataError, match="no three consecutive frames that move"):
        Triplets(config(root, min_motion_m=0.1), FOCAL_RATIO, 0)


def test_folder_without_drives_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path}: no drives found"):
        Triplets(config(tmp_path), FOCAL_RATIO, 0)


def test_truncated_image_is_named(tmp_path: Path) -> None:
    root = write_drive(tmp_path, frames=3)
    image = next(root.glob("sequences/*/image_2/000001.png"))
    image.write_bytes(image.read_bytes()[:100])

    with pytest.raises(DataError, match=r"000001.png: missing or not a whole image"):
        Triplets(config(root), FOCAL_RATIO, 0)[(0, 0)]
