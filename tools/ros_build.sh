#!/usr/bin/env bash
# colcon build of WORKSPACE, then check that everything was installed: colcon may return 0 without.
#
#   tools/ros_build.sh ros2_ws [--symlink-install ...]
set -euo pipefail
python=${SDEPTH_PYTHON:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.venv/bin/python}
cd "$1"
# The virtual environment's interpreter, so that the nodes find its torch.
"$python" -m colcon build "${@:2}"
python=$("$python" -c 'import sys; print(sys.executable)')
sed -i "1s|^#!.*python.*|#!$python|" install/sdepth_ros/lib/sdepth_ros/*
missing=0
for file in sdepth/share/sdepth/package.xml sdepth_ros/lib/sdepth_ros/{depth_node,odometry_node} \
    sdepth_ros/lib/sdepth_ros/{replay,record} sdepth_ros/share/sdepth_ros/launch/sdepth.launch.py \
    sdepth_ros/share/sdepth_ros/rviz/sdepth.rviz \
    sdepth_ros/share/sdepth_ros/config/{depth,odometry}.param.yaml; do
    [[ -e install/$file ]] || { echo "ros_build: install/$file is missing" >&2 && missing=1; }
done
exit $missing
