"""Protocols against the public evaluation code that they stand for, written out again here."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sdepth.errors import ConfigError, DataError
from sdepth.geometry.camera import Camera
from sdepth.metrics.depth import DepthErrors
from training.evaluate.protocols import GARG, PROTOCOLS, find, record
from training.evaluate.scoring import WHOLE, Protocol, Window, resized, shrunk

Depth = NDArray[np.float32]


def scene(size: tuple[int, int], far_m: float = 90.0) -> tuple[Depth, Depth]:
    """Return sparse truth of ``size`` and a smaller estimate of another scale."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.5, far_m, size) * (rng.random(size) < 0.3)
    estimate = rng.uniform(0.3, 30, (size[0] // 3, size[1] // 3))
    return truth.astype(np.float32), estimate.astype(np.float32)


def numbers(t: Depth, d: Depth) -> tuple[float, ...]:
    """Return AbsRel, SqRel, RMSE, RMSE log and delta1 of the pixels given."""
    ratio = np.maximum(t / d, d / t)
    rms = [np.sqrt(np.mean((t - d) ** 2)), np.sqrt(np.mean((np.log(t) - np.log(d)) ** 2))]
    return (
        float(np.mean(np.abs(t - d) / t)),
        float(np.mean((t - d) ** 2 / t)),
        *map(float, rms),
        float(np.mean(ratio < 1.25)),
    )


def public_monodepth2(truth: Depth, estimate: Depth, eigen: bool) -> tuple[float, ...]:
    height, width = truth.shape
    d = 1 / cv2.resize(1 / estimate, (width, height))
    mask = truth > 0
    if eigen:
        mask = (truth > 1e-3) & (truth < 80)
        box = (
            np.array([0.40810811, 0.99189189]) * height,
            np.array([0.03594771, 0.96405229]) * width,
        )
        (top, bottom), (left, right) = (edges.astype(np.int32) for edges in box)
        inside = np.zeros_like(mask)
        inside[top:bottom, left:right] = True
        mask &= inside
    t, d = truth[mask], d[mask]
    return numbers(t, np.clip(d * np.median(t) / np.median(d), 1e-3, 80))


def public_adds(truth: Depth, estimate: Depth, cap_m: float) -> tuple[float, ...]:
    truth = truth[160 : 960 - 160]
    d = 1 / cv2.resize(1 / estimate, truth.shape[::-1])
    t, d = truth[truth > 0], d[truth > 0]
    d = np.clip(d * np.median(t) / np.median(d), 1e-3, 80)
    return numbers(t[t <= cap_m], d[t <= cap_m])


def public_rnw(truth: Depth, estimate: Depth, cap_m: float) -> tuple[float, ...]:
    height, width = truth.shape
    if (width, height) == (1280, 960):
        truth = truth[160:800, 64:1216]
    d = cv2.resize(estimate, truth.shape[::-1], interpolation=cv2.INTER_NEAREST)
    mask = (truth > 1e-5) & (truth < cap_m)
    t, d = truth[mask], d[mask]
    return numbers(t, np.clip(d * np.median(t) / np.median(d), 1e-5, cap_m))


def score(name: str, truth: Depth, estimate: Depth) -> DepthErrors:
    """Return what the protocol says of an estimate of its view."""
    height, width = truth.shape
    camera = Camera(500, 500, width / 2, height / 2, width, height)
    image = np.zeros((height, width, 3), np.uint8)
    return find(name).score(find(name).look(image, camera, truth)[2], estimate)


@pytest.mark.parametrize(
    ("name", "size", "public"),
    [
        ("kitti-eigen", (375, 1242), lambda t, d: public_monodepth2(t, d, eigen=True)),
        ("kitti-eigen-improved", (375, 1242), lambda t, d: public_monodepth2(t, d, eigen=False)),
        ("robotcar-night-rnw40", (960, 1280), lambda t, d: public_rnw(t, d, 40)),
        ("robotcar-night-steps60", (960, 1280), lambda t, d: public_rnw(t, d, 60)),
        ("robotcar-night-adds40", (960, 1280), lambda t, d: public_adds(t, d, 40)),
        ("robotcar-night-adds60", (960, 1280), lambda t, d: public_adds(t, d, 60)),
        ("nuscenes-night-rnw60", (900, 1600), lambda t, d: public_rnw(t, d, 60)),
    ],
)
def test_protocol_gives_the_public_codes_numbers(name: str, size: tuple[int, int], public) -> None:
    truth, estimate = scene(size)

    e = score(name, truth, estimate)

    # 1e-4: the public code sums in float32, ours in float64
    ours = (e.abs_rel, e.sq_rel, e.rmse, e.rmse_log, e.delta1)
    assert ours == pytest.approx(public(truth, estimate), rel=1e-4)


def test_the_same_depth_gets_other_numbers_by_other_protocols() -> None:
    truth, estimate = scene((960, 1280))
    names = [name for name in PROTOCOLS if name.startswith("robotcar")]

    assert (
        len({round(score(name, truth, estimate).abs_rel, 4) for name in names}) == len(names) == 5
    )


def test_cityscapes_counts_the_middle_of_the_upper_three_quarters() -> None:
    truth = np.full((1024, 2048), 5, np.float32)
    truth[256:768, 192:1856] = 10  # as manydepth cuts: rows :768, then [256:, 192:1856]

    errors = score("cityscapes", truth, np.full((128, 416), 3, np.float32))

    assert errors.scale == pytest.approx(10 / 3)
    assert errors.abs_rel == pytest.approx(0, abs=1e-6)


def test_metres_are_judged_where_a_protocol_does_not_scale() -> None:
    truth = np.full((900, 1600), 10, np.float32)

    assert score("nuscenes-md4all80", truth, 1.5 * truth).abs_rel == pytest.approx(0.5)


def test_garg_crop_has_the_published_rows_and_columns() -> None:
    assert GARG.slices(375, 1242) == (slice(153, 371), slice(44, 1197))


def test_image_of_another_size_than_the_datasets_is_refused() -> None:
    with pytest.raises(DataError, match=r"1152x640 pixels: this protocol cuts 1280x960"):
        score("robotcar-night-rnw40", *scene((640, 1152)))


def test_view_moves_the_principal_point_with_the_image() -> None:
    protocol = dataclasses.replace(Protocol(), view=Window((1, 3), (2, 6), (4, 8)))
    image = np.arange(96, dtype=np.uint8).reshape(4, 8, 3)

    part, camera, truth = protocol.look(
        image, Camera(5, 5, 4, 2, 8, 4), np.ones((4, 8), np.float32)
    )

    assert np.array_equal(part, image[1:3, 2:6])
    assert (camera.cx, camera.cy, camera.width, camera.height) == (2, 1, 4, 2)
    assert truth.shape == (2, 4)


def test_corners_keep_their_values_where_corners_are_aligned() -> None:
    depth = np.arange(6, dtype=np.float32).reshape(2, 3)
    big = resized(depth, (5, 7), "corners")

    assert (big[0, 0], big[0, -1], big[-1, 0], big[-1, -1]) == (0, 2, 3, 5)
    assert big[0] == pytest.approx(np.linspace(0, 2, 7))


def test_lanczos_smooths_and_linear_does_not() -> None:
    stripes = np.zeros((8, 64, 3), np.uint8)
    stripes[:, ::2] = 255

    spread = {rule: shrunk(stripes, (4, 10), rule).std() for rule in ("lanczos", "area", "linear")}

    assert spread["lanczos"] < 15 < spread["linear"]
    assert spread["area"] < 25


def test_unknown_names_are_refused() -> None:
    with pytest.raises(
        ConfigError, match="expected one of synth, stereo80, kitti-stereo, kitti-eigen"
    ):
        find("kitti")
    with pytest.raises(ConfigError, match="shrink 'cubic'"):
        shrunk(np.zeros((4, 4, 3), np.uint8), (2, 2), "cubic")
    with pytest.raises(ConfigError, match="resize 'cubic'"):
        resized(np.ones((4, 4), np.float32), (2, 2), "cubic")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocol_says_what_it_does_and_where_it_is_from(name: str) -> None:
    protocol = PROTOCOLS[name]

    assert protocol.source
    assert protocol.split
    assert f"{name}: truth {protocol.min_m:g} to {protocol.cap_m:g} m" in protocol.describe()
    assert ("no crop" in protocol.describe()) == (protocol.view == protocol.crop == WHOLE)
    assert record(protocol)["cap_m"] == protocol.cap_m
