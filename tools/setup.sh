#!/usr/bin/env bash
# Make .venv ready: Python packages, ROS 2, generated messages, our two packages. Safe to run again:
# a finished step is skipped until its inputs change, an interrupted one is done again.
#
#   tools/setup.sh                                           what `make setup` runs
#   SDEPTH_PYTHON=/path/to/python3.12 tools/setup.sh         another interpreter
#   TORCH_INDEX=https://download.pytorch.org/whl/cpu tools/setup.sh    torch without CUDA
#   tools/setup.sh jazzy                          .venv-jazzy as well, for `make test-jazzy`
#
# ROS is one of: "sourced" (a ROS 2 install is sourced: its rclpy and messages are used),
# "wheels" (the real client libraries from PyPI, x86_64 only), "none" (neither: no nodes here).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
VENV=$PWD/.venv
STAMPS=$VENV/.setup

die() {
    echo "setup: $*" >&2
    exit 2
}

# step NAME INPUT...: run step_NAME unless it has finished with the same inputs before.
step() {
    local name=$1 key
    key=$({ echo "$ROS ${TORCH_INDEX:-}" && cat "${@:2}"; } | sha256sum)
    [[ -f $STAMPS/$name && $(<"$STAMPS/$name") == "$key" ]] && return
    echo "setup: $name"
    "step_$name"
    echo "$key" >"$STAMPS/$name"
}

find_python() {
    local candidates=${SDEPTH_PYTHON:-python3.11 python3.12 python3} candidate
    for candidate in $candidates; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] not in [(3, 11), (3, 12)])' \
            2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "no Python 3.11 or 3.12 among: $candidates. Debian 12, Ubuntu 24.04: sudo apt install" \
        "python3-venv python3-dev build-essential cmake. Ubuntu 22.04: sudo apt install" \
        "python3.11-venv python3.11-dev build-essential cmake"
}

choose_ros() {
    local system=${SDEPTH_PYTHON:-/usr/bin/python3}
    if [[ -n ${ROS_DISTRO:-} ]] && "$system" -c 'import rclpy.node' 2>/dev/null; then
        ROS=sourced PYTHON=$system CONSTRAINTS=requirements/constraints-sourced-ros.txt
        return
    fi
    PYTHON=$(find_python) CONSTRAINTS=requirements/constraints.txt
    if [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]]; then ROS=wheels; else ROS=none; fi
}

check_tools() {
    local tool missing=()
    for tool in gcc g++ cmake make; do
        command -v $tool >/dev/null || missing+=("$tool")
    done
    [[ ${#missing[@]} == 0 ]] ||
        die "missing: ${missing[*]}; sudo apt install build-essential cmake"
    "$PYTHON" -c 'import sys, sysconfig, os
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        die "$PYTHON has no Python.h (messages are compiled against it);" \
            "sudo apt install $(basename "$(readlink -f "$PYTHON")")-dev"
}

# A venv whose package installation was cut off may hold half a package: made anew.
make_venv() {
    if [[ -f $STAMPS/ros && $(<"$STAMPS/ros") != "$ROS" ]]; then
        die ".venv was made for ROS '$(<"$STAMPS/ros")', now it is '$ROS': source (or do not" \
            "source) your ROS 2 as before, or make it anew: make clean-venv setup"
    fi
    if [[ -f $STAMPS/installing ]]; then
        echo "setup: the last set-up was interrupted; starting again"
        rm -rf "$VENV"
    fi
    if [[ ! -x $VENV/bin/pip ]]; then
        echo "setup: .venv with $("$PYTHON" --version), ROS: $ROS"
        [[ $ROS != wheels ]] || check_tools
        local site=()
        [[ $ROS != sourced ]] || site=(--system-site-packages)
        "$PYTHON" -m venv --clear "${site[@]}" "$VENV" ||
            die "python -m venv failed; sudo apt install $(basename "$(readlink -f "$PYTHON")")-venv"
    fi
    mkdir -p "$STAMPS"
    echo "$ROS" >"$STAMPS/ros"
}

pip_install() {
    "$VENV/bin/python" -m pip install -qq --disable-pip-version-check "$@"
}

# pip's setting $1, from its variables or files; nothing where it has none.
pip_setting() {
    "$VENV/bin/python" -m pip config list |
        sed -nE "s/^(:env:|global|install)\.$1='(.*)'$/\2/p" | sed 's/\\n/ /g' | head -n 1
}

# uv installs faster than pip, from where pip is told to; pip does it where uv cannot. Of what a
# sourced ROS 2 brings uv knows nothing.
install() {
    local links index url cert options=(--index-strategy unsafe-best-match --compile-bytecode)
    if [[ $ROS == sourced ]] || ! pip_install --constraint "$CONSTRAINTS" uv; then
        pip_install "$@"
        return
    fi
    for links in $(pip_setting find-links); do options+=(--find-links "$links"); done
    for index in $(pip_setting index-url); do options+=(--default-index "$index"); done
    for url in $(pip_setting extra-index-url); do options+=(--extra-index-url "$url"); done
    cert=${SSL_CERT_FILE:-$(pip_setting cert)}
    env ${cert:+"SSL_CERT_FILE=$cert"} UV_HTTP_TIMEOUT=180 "$VENV/bin/uv" pip install --quiet \
        --python "$VENV/bin/python" "${options[@]}" "$@" || {
        (($? <= 128)) || return
        echo "setup: uv failed, see above; trying pip"
        pip_install "$@"
    }
}

step_packages() {
    local lists=(-r requirements/base.txt -r requirements/dev.txt)
    [[ $ROS != wheels ]] || lists+=(-r requirements/ros.txt)
    echo "setup: about 2 GB to download the first time, some minutes"
    touch "$STAMPS/installing"
    # A failed installation can be tried again; only a killed one leaves the mark.
    install --constraint "$CONSTRAINTS" ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
        "${lists[@]}" || {
        (($? > 128)) || rm "$STAMPS/installing"
        die "packages failed, see above"
    }
    rm "$STAMPS/installing"
}

# The messages that PyPI lacks; a sourced ROS 2 has its own, ours would shadow them.
step_messages() {
    local build
    [[ $ROS == wheels ]] || return 0
    check_tools
    build=$(mktemp -d)
    # The wheels' CMake targets name the Python include folder of the machine that built them.
    sed -i -E 's#/opt/python/cp3[0-9]+-cp3[0-9]+/[^";]*;?##g' "$VENV"/share/*/cmake/*pyExport.cmake
    {
        local env=(env "PATH=$VENV/bin:$PATH" "AMENT_PREFIX_PATH=$VENV"
            "CMAKE_PREFIX_PATH=$VENV" "LD_LIBRARY_PATH=$VENV/lib")
        "${env[@]}" cmake -S interfaces/tf2_msgs -B "$build" -DCMAKE_INSTALL_PREFIX="$VENV" \
            -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DPython3_EXECUTABLE="$VENV/bin/python" &&
            "${env[@]}" cmake --build "$build" -j2 && "${env[@]}" cmake --install "$build"
    } >"$build/log" 2>&1 || { tail -n 30 "$build/log" >&2 && die "tf2_msgs failed: $build/log"; }
    rm -r "$build"
}

step_sdepth() {
    pip_install --no-deps --no-build-isolation -e ros2_ws/src/sdepth -e ros2_ws/src/sdepth_ros
}

step_check() {
    "$VENV/bin/python" -c 'import cv2, numpy, sdepth, torch'
    if [[ $ROS == none ]]; then
        echo "setup: no ROS 2 here: the PyPI wheels are for Linux x86_64 only. Core and training" \
            "work; for the nodes source an apt ROS 2 or use a container, then make clean-venv setup."
    else
        "$VENV/bin/python" -c 'import rclpy, tf2_msgs.msg, sdepth_ros'
    fi
}

# Jazzy's client libraries in a venv of their own; what is not ROS it takes from .venv.
step_jazzy() {
    local main=$VENV VENV=$PWD/.venv-jazzy pins
    [[ $ROS == wheels ]] ||
        die "Jazzy's client libraries come from PyPI, for Linux x86_64 without a sourced ROS 2;" \
            "on a sourced Jazzy make test is that"
    "$main/bin/python" -m venv --clear "$VENV"
    pins=$(mktemp)
    grep -v '^ros' "$CONSTRAINTS" >"$pins"
    pip_install --constraint "$pins" -r requirements/jazzy/ros.txt || die "pip failed, see above"
    rm "$pins"
    step_messages
    step_sdepth
    local folder='import sysconfig; print(sysconfig.get_path("purelib"))'
    "$main/bin/python" -c "$folder" >"$("$VENV/bin/python" -c "$folder")/zz_shared.pth"
    "$VENV/bin/python" -c 'import rclpy, sdepth_ros, tf2_msgs.msg, torch'
}

exec 9<tools/setup.sh
flock 9 # two set-ups at once would write the same files
choose_ros
make_venv
PACKAGES=(ros2_ws/src/sdepth/setup.py ros2_ws/src/sdepth_ros/setup.py)
step packages requirements/*.txt
step messages requirements/ros.txt requirements/constraints.txt interfaces/tf2_msgs/*.* \
    interfaces/tf2_msgs/msg/*
step sdepth "${PACKAGES[@]}"
step check requirements/*.txt "${PACKAGES[@]}"
[[ ${1:-} != jazzy ]] || step jazzy requirements/jazzy/ros.txt requirements/constraints.txt \
    interfaces/tf2_msgs/*.* interfaces/tf2_msgs/msg/* "${PACKAGES[@]}"
