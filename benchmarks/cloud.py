"""How many points of the cloud are right? Shares within 25 % of the truth, as filters are set.

python -m benchmarks.cloud data/synth/day_test
python -m benchmarks.cloud data/synth/night_test --mode night --set cloud.max_m=30.0

Every ``--every``th image, all its pixels (stride 1), metres as the weights have them. A point
where the truth is sky is wrong; "kept" is how much of what is right without filters is left.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.checkpoint import bundled
from sdepth.cli import make_parser, one_or_more, run
from sdepth.config import load_config
from sdepth.depth.daynight import DAY, NIGHT
from sdepth.depth.estimator import DepthEstimator, DepthMap
from sdepth.depth.validity import valid_depth
from sdepth.errors import DataError
from sdepth.markdown import table
from sdepth_ros.depth_outputs import points_fields
from sdepth_ros.node_params import CloudParams, DepthParams
from training.data.drive import read_depth
from training.data.open_drive import find_drives, read_drive

ALL = CloudParams(stride=1, edge_filter=0.0, max_m=1e4, road_height_max=1e4)
Mask = NDArray[np.bool_]


def steps(cloud: CloudParams) -> dict[str, CloudParams]:
    """Return one filter after the other, up to those of ``cloud``."""
    edges = replace(ALL, edge_filter=cloud.edge_filter)
    near = replace(edges, max_m=cloud.max_m)
    return {
        "every point": ALL,
        f"cloud.edge_filter {cloud.edge_filter:g}": edges,
        f"and cloud.max_m {cloud.max_m:g}": near,
        f"and cloud.road_height_max {cloud.road_height_max:g}": replace(cloud, stride=1),
    }


def kept(seen: DepthMap, image: NDArray[np.uint8], cloud: CloudParams) -> Mask:
    """Return which pixels (H, W) become points, by the node's calls."""
    data = points_fields(seen, image, cloud)["data"]
    points = np.frombuffer(data, np.float32).reshape(*seen.depth.shape, 4)
    return np.isfinite(points[..., 2])


def look(data: Path, mode: str, every: int, params: DepthParams) -> dict[str, list[Mask]]:
    """Return, by filter, pixels that became points, and under "right" and "sky" what they are."""
    estimator, limits = DepthEstimator(bundled(mode)), params.depth
    found: dict[str, list[Mask]] = {name: [] for name in ("right", "sky", *steps(params.cloud))}
    for folder in tqdm(find_drives(data), unit="drive", disable=None):
        drive = read_drive(folder)
        for frame in drive.frames[::every]:
            if frame.depth is None:
                raise DataError(f"{frame.image}: no depth beside it; see training.synth")
            image, truth = drive.read(frame), read_depth(frame.depth)
            depth = estimator.predict(image, drive.camera).depth
            ratio = depth / np.maximum(truth, 1e-3)
            found["sky"].append(truth == 0)
            found["right"].append((truth > 0) & (np.maximum(ratio, 1 / ratio) < 1.25))
            seen = DepthMap(valid_depth(depth, limits), drive.camera)
            for name, cloud in steps(params.cloud).items():
                found[name].append(kept(seen, image, cloud))
    return found


def main(args: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = make_parser("python -m benchmarks.cloud", __doc__)
    parser.add_argument("data", type=Path, help="drives with true depth")
    parser.add_argument("--mode", choices=(DAY, NIGHT), default=DAY, help="whose weights")
    parser.add_argument("--every", type=one_or_more, default=10, metavar="N")
    parser.add_argument("--set", action="append", default=[], metavar="cloud.KEY=VALUE")
    o = parser.parse_args(args)

    def work() -> None:
        params = load_config(DepthParams, None, o.set)
        found = {k: np.stack(v) for k, v in look(o.data, o.mode, o.every, params).items()}
        right, sky = found.pop("right"), found.pop("sky")
        best = (right & found["every point"]).sum()
        rows = []
        for name, points in found.items():
            shares = points.mean(), right[points].mean(), sky[points].mean()
            values = (*shares, (right & points).sum() / best)
            rows.append([name, *(f"{100 * value:.1f}" for value in values)])
        print(table(("points", "of the pixels, %", "within 25 %, %", "sky, %", "kept, %"), rows))

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
