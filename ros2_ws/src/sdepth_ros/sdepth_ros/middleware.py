"""Fast DDS's profile for large images: the variable that names it, and our file."""

from __future__ import annotations

import os
from importlib.metadata import distributions
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory


def _is_fast_dds_2() -> bool:
    """Tell whether the middleware is older than Fast DDS 3, in a sourced ROS or of PyPI."""
    of_pypi = any(True for _ in distributions(name="ros-fastrtps"))
    return os.environ.get("ROS_DISTRO") in ("humble", "iron", "jazzy") or of_pypi


# Fast DDS 3 renamed it, and reads a file twice where both are set.
PROFILES_VARIABLE = (
    "FASTRTPS_DEFAULT_PROFILES_FILE" if _is_fast_dds_2() else "FASTDDS_DEFAULT_PROFILES_FILE"
)
TRANSPORTS_VARIABLE = "FASTDDS_BUILTIN_TRANSPORTS"


def profile_file() -> Path:
    """Return our profile: as installed, otherwise in the source tree."""
    try:
        package = Path(get_package_share_directory("sdepth_ros"))
    except (PackageNotFoundError, OSError):  # OSError: no ROS workspace is sourced
        package = Path(__file__).parents[1]
    return package / "config" / "fastdds.xml"
