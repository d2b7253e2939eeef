"""Published evaluation protocols by id, as data.

Numbers of two protocols must not stand in one table: cap, crop, order of scaling and test images
move AbsRel more than most methods do. The same 411 nights of RobotCar are counted in four ways
here. Every value was read in the public code that ``source`` names.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from sdepth.errors import ConfigError
from sdepth.metrics.depth import CAP_LAST
from sdepth.metrics.trajectory import KITTI_LENGTHS_M, KITTI_STEP, Alignment
from training.evaluate.scoring import Protocol, Window

GARG = Window((0.40810811, 0.99189189), (0.03594771, 0.96405229))
"""Garg et al. 2016."""
ROBOTCAR, NUSCENES, CITYSCAPES = (960, 1280), (900, 1600), (1024, 2048)
"""Sizes of the datasets' own images (height, width)."""

_KITTI = Protocol(
    id="kitti-eigen",
    crop=GARG,
    shrink="lanczos",
    resolution=(192, 640),
    images=697,
    split="monodepth2 splits/eigen/test_files.txt; truth: one LiDAR sweep each",
    source="Godard et al. 2019; github.com/nianticlabs/monodepth2 evaluate_depth.py",
)
_RNW = Protocol(
    id="robotcar-night-rnw40",
    min_m=1e-5,
    cap_m=40.0,
    view=Window((160, 800), (64, 1216), ROBOTCAR),
    shrink="linear",
    resize="nearest",
    resolution=(320, 576),
    images=411,
    split="RNW split_files/robotcar/2014-12-16-18-44-24/test_split.txt",
    source="Wang et al. 2021 (RNW); github.com/w2kun/RNW evaluation/eval_robotcar.py",
)
_ADDS = Protocol(
    id="robotcar-night-adds40",
    min_m=0.0,
    cap_m=40.0,
    order=CAP_LAST,
    clamp_m=(1e-3, 80.0),
    view=Window((160, 800), (0, 1280), ROBOTCAR),
    shrink="lanczos",
    resolution=(256, 512),
    images=411,
    split="ADDS-DepthNet splits/oxford_night_411/val_files.txt",
    source="Liu et al. 2021 (ADDS); github.com/LINA-lln/ADDS-DepthNet evaluate_depth.py",
)
_MD4ALL = Protocol(
    id="robotcar-night-md4all50",
    min_m=0.1,
    cap_m=50.0,
    scale="none",
    view=Window((0, 768), (0, 1280), ROBOTCAR),
    shrink="lanczos",
    resize="corners",
    resolution=(320, 544),
    split="md4all's own RobotCar test list (by form from its authors), night-clear",
    source="Gasperini et al. 2023 (md4all); github.com/md4all/md4all utils/depth.py",
)
_STEREO = Protocol(
    id="stereo80",
    split="one's own pairs; truth: training.data.export_truth --stereo",
    source="this repository; truth as Hirschmueller 2008, cap and order as Godard et al. 2019",
)
_DEPTH = (
    Protocol(),
    _STEREO,
    dataclasses.replace(
        _STEREO,
        id="kitti-stereo",
        crop=GARG,
        split="KITTI's own pairs; truth: training.data.export_truth --stereo",
    ),
    _KITTI,
    dataclasses.replace(
        _KITTI,
        id="kitti-eigen-improved",
        min_m=0.0,
        cap_m=256.0,  # all that the truth's PNG can hold: only the estimate is clamped
        clamp_m=(1e-3, 80.0),
        crop=Protocol.crop,
        images=652,
        split="monodepth2 splits/eigen_benchmark/test_files.txt; truth: proj_depth/groundtruth",
    ),
    dataclasses.replace(
        _KITTI,
        id="cityscapes",
        view=Window((0, 768), (0, 2048), CITYSCAPES),
        crop=Window((256, 768), (192, 1856), (768, 2048)),
        resolution=(128, 416),
        images=1525,
        split="manydepth splits/cityscapes/test_files.txt",
        source="Watson et al. 2021; github.com/nianticlabs/manydepth evaluate_depth.py",
    ),
    dataclasses.replace(
        _KITTI,
        id="nyuv2",
        min_m=0.1,
        cap_m=10.0,
        crop=Window((45, 471), (41, 601), (480, 640)),
        resolution=(256, 320),
        images=654,
        split="GasMono splits/test_files.txt, the official test images",
        source="Zhao et al. 2023 (GasMono); github.com/zxcqlf/GasMono evaluate_nyu.py",
    ),
    _RNW,
    dataclasses.replace(
        _RNW,
        id="robotcar-night-steps60",
        cap_m=60.0,
        split="STEPS split_files/robotcar_night_2014-12-16-18-44-24_test.txt, RNW's",
        source="Zheng et al. 2023 (STEPS); github.com/ucaszyp/STEPS evaluation/eval_robotcar.py",
    ),
    _ADDS,
    dataclasses.replace(_ADDS, id="robotcar-night-adds60", cap_m=60.0),
    _MD4ALL,
    dataclasses.replace(
        _RNW,
        id="nuscenes-night-rnw60",
        cap_m=60.0,
        view=Window((0, 900), (0, 1600), NUSCENES),
        resolution=(384, 768),
        images=500,
        split="RNW split_files/nuscenes/night_test_split.txt",
        source="Wang et al. 2021 (RNW); github.com/w2kun/RNW evaluation/eval_nuscenes.py",
    ),
    dataclasses.replace(
        _MD4ALL,
        id="nuscenes-md4all80",
        cap_m=80.0,
        view=Window((0, 900), (0, 1600), NUSCENES),
        resolution=(320, 576),
        split="nuScenes validation scenes, CAM_FRONT, by condition",
    ),
)
PROTOCOLS: dict[str, Protocol] = {protocol.id: protocol for protocol in _DEPTH}


@dataclass(frozen=True)
class OdometryProtocol:
    """How a trajectory is compared; ``lengths_m`` are of the sub-paths that drift is taken on."""

    id: str = "kitti-odom"
    alignment: Alignment = "7dof"
    lengths_m: tuple[float, ...] = KITTI_LENGTHS_M
    step: int = KITTI_STEP
    split: str = "sequences 09 and 10; 00 to 08 train"
    source: str = "Geiger et al. 2012; github.com/Huangying-Zhan/kitti-odom-eval"

    def describe(self) -> str:
        """Return the protocol in a line."""
        return (
            f"{self.id}: aligned by {self.alignment}; drift over {self.lengths_m[0]:g} to "
            f"{self.lengths_m[-1]:g} m from every {self.step}th pose; ATE root mean square; RPE "
            "mean from pose to pose"
        )


def find(name: str) -> Protocol:
    """Return the depth protocol of that id.

    Raises:
        ConfigError: there is none.
    """
    if name not in PROTOCOLS:
        raise ConfigError(f"protocol {name!r}: expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def record(protocol: Protocol | OdometryProtocol) -> dict[str, Any]:
    """Return the protocol as it reads back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(protocol)))
    return plain
