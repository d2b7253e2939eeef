"""Fast DDS's profile for large images: the variable that names it, and our file."""

from __future__ import annotations

import os
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

PROFILES_VARIABLE = (  # Fast DDS 3 renamed it, and reads a file twice where both are set
    "FASTRTPS_DEFAULT_PROFILES_FILE"
    if os.environ.get("ROS_DISTRO") in ("humble", "iron", "jazzy")
    else "FASTDDS_DEFAULT_PROFILES_FILE"
)
TRANSPORTS_VARIABLE = "FASTDDS_BUILTIN_TRANSPORTS"


def profile_file() -> Path:
    """Return our profile: as installed, otherwise in the source tree."""
    try:
        package = Path(get_package_share_directory("sdepth_ros"))
    except (PackageNotFoundError, OSError):  # OSError: no ROS workspace is sourced
        package = Path(__file__).parents[1]
    return package / "config" / "fastdds.xml"
