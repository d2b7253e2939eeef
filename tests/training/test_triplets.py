"""Training samples and their order."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import pytest
import torch

from sdepth.errors import DataError
from tests.helpers import write_drive
from tests.training.trees import pictures
from training.data import triplets
from training.data.open_drive import read_drive
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


def test_frames_of_a_triplet_are_as_far_apart_as_asked(tmp_path: Path) -> None:
    root = write_drive(tmp_path, frames=8)
    near, far = (Triplets(config(root, flip=False, apart=n), FOCAL_RATIO, 0) for n in (1, 3))
    sample = far[0, 1]

    assert (len(near), len(far)) == (6, 2)
    assert sample["motions"][:, 2, 3].tolist() == pytest.approx([1.5, -1.5])
    assert torch.equal(sample["images"][0], near[0, 1]["images"][0])


def test_all_depths_of_a_clip_are_mirrored_with_it(tmp_path: Path) -> None:
    samples = Triplets(config(write_drive(tmp_path), clip_depth=True), FOCAL_RATIO, 0)
    wall = samples[0, 1]["depths"].mean((1, 2))

    assert wall.tolist() == pytest.approx([10.0, 9.5, 9.0], abs=0.01)


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


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_images_of_two_sizes_in_a_drive_are_refused_before_training(
    tmp_path: Path, ending: str
) -> None:
    root = write_drive(tmp_path, frames=5)
    for image in sorted((root / "sequences/00/image_2").iterdir()):
        size = (64, 32) if image.stem != "000003" else (128, 32)
        pixels = cv2.resize(cv2.imread(str(image)), size)
        image.unlink()
        cv2.imwrite(str(image.with_suffix(ending)), pixels)
    with pytest.raises(
        DataError, match=rf"000003\{ending}: image of 128x32, its camera's is 64x32"
    ):
        Triplets(config(root), FOCAL_RATIO, 0)


@pytest.mark.parametrize(
    "line",
    [
        "00 000002 l",
        "00 2",
        "00/000002.png",
        "00/000002",
        "00/image_2/000002.JPG",
        "sequences/00/image_2/000002.png",
        "/somewhere else/sequences/00/image_02/data/000002.png",
        "sequences\\00\\image_2\\000002.png\r",
        "000002.png",
    ],
)
def test_lists_name_images_in_every_form(tmp_path: Path, line: str) -> None:
    root = write_drive(tmp_path, frames=5)
    (tmp_path / "list.txt").write_text(f"{line}\n")

    data = Triplets(config(root, split=str(tmp_path / "list.txt")), FOCAL_RATIO, 0)

    assert [frame for _, frame in data.items] == [2]


def test_listed_images_without_neighbours_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_drive(tmp_path, frames=5)
    (tmp_path / "list.txt").write_text("00 0 l\n00 4 l\n00 2 l\n")
    assert len(Triplets(config(root, split=str(tmp_path / "list.txt")), FOCAL_RATIO, 0)) == 1
    assert "2 of 3 images left out: no frame before or after them" in caplog.text


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


def write_raw(root: Path, frames: int, suffix: str = ".png") -> Path:
    """Write two KITTI raw drives of both cameras; the right one's principal point is 5 further."""
    day = root / "2011_09_26"
    images = pictures(frames, (32, 64))
    P = "P_rect_0{}: 60 0 {} {} 0 60 15.5 0 0 0 1 0\n"
    for number in (1, 2):
        drive = day / f"2011_09_26_drive_000{number}_sync"
        for camera in ("image_02", "image_03"):
            (drive / camera / "data").mkdir(parents=True)
            for i, image in enumerate(images):
                cv2.imwrite(str(drive / camera / f"data/{i:010d}{suffix}"), image)
    (day / "calib_cam_to_cam.txt").write_text(P.format(2, 31.5, 0) + P.format(3, 36.5, -30))
    return root


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_list_names_the_middle_frames_of_either_camera(tmp_path: Path, suffix: str) -> None:
    root, split = write_raw(tmp_path / "kitti", 5, suffix), tmp_path / "train_files.txt"
    folder = "2011_09_26/2011_09_26_drive_0002_sync"
    split.write_text(f"{folder} 2 l\n{folder} 0000000003 r\n{folder} 1 r\n")

    data = Triplets(config(root, split=str(split), flip=False), 1.0, 0)

    assert [frame(data, i) for i in range(3)] == [
        ("0002_sync", "image_02", 2),
        ("0002_sync", "image_03", 3),
        ("0002_sync", "image_03", 1),
    ]
    assert [float(data[(i, 0)]["K"][0, 2]) for i in range(3)] == [31.5, 36.5, 36.5]


def frame(data: Triplets, index: int) -> tuple[str, str, int]:
    """Return drive, camera and number of a sample's middle image."""
    drive, i = data.items[index]
    path = drive.frames[i].image
    return path.parts[-4][-9:], path.parts[-3], int(path.stem)


def test_list_of_images_that_are_not_there_is_refused(tmp_path: Path) -> None:
    root, split = write_raw(tmp_path / "kitti", 5), tmp_path / "train_files.txt"
    split.write_text("2011_09_26/2011_09_26_drive_0009_sync 2 l\n")
    with pytest.raises(DataError, match=r"train_files.txt: no image of '2011.*0009_sync 2 l'"):
        Triplets(config(root, split=str(split)), 1.0, 0)
    with pytest.raises(DataError, match=r"list.txt: no such list"):
        Triplets(config(root, split=str(tmp_path / "list.txt")), 1.0, 0)


def test_list_of_kitti_odometry_numbers_its_sequences(tmp_path: Path, shared_data: Path) -> None:
    lines = (shared_data / "splits/monodepth2/odom/train_files.txt").read_text().splitlines()
    mine = [line for line in lines if line.split()[0] == "6" and int(line.split()[1]) < 50]
    (tmp_path / "train_files.txt").write_text("\n".join(mine))
    root = shared_data / "kitti_odom"

    data = Triplets(config(root, split=str(tmp_path / "train_files.txt")), 1.0, 0)

    names = {"l": "image_0", "r": "image_1"}  # grey, as far as this sample goes
    wanted = [(names[line.split()[2]], int(line.split()[1])) for line in mine]
    assert len(mine) > 10
    found = [drive.frames[i].image for drive, i in data.items]
    assert [(path.parent.name, int(path.stem)) for path in found] == wanted


def test_images_are_those_the_drives_camera_is_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = read_drive(write_drive(tmp_path, 3, (64, 96)) / "sequences" / "00")
    raw = replace(drive, rectify=lambda pixels: 255 - pixels)
    given = DataConfig(train=(str(tmp_path),), size=(64, 96), jitter=0.0, flip=False)

    plain = Triplets(given, 1.0, 0)[0, 0]["images"]
    monkeypatch.setattr(triplets, "read_drive", lambda *_: raw)

    rectified = Triplets(given, 1.0, 0)[0, 0]["images"]
    torch.testing.assert_close(rectified, 1 - plain, atol=1e-6, rtol=0)  # float32 rounds once
