# One command each; all of them set up what they need first.  TORCH_INDEX=URL: another torch build.
SHELL := /bin/bash
PY := .venv/bin/python
PACKAGES := ros2_ws/src/sdepth/sdepth ros2_ws/src/sdepth_ros/sdepth_ros

# Tests of nodes mostly wait: one process more than cores. A file's tests share what they render.
SIDE_BY_SIDE := -n $(shell expr $$(nproc) + 1) --dist loadfile --no-loadscope-reorder
# On a busy machine a node may be late: what failed is run once more, one test at a time.
AGAIN := --last-failed --last-failed-no-failures none

.DEFAULT_GOAL := help
.PHONY: help setup lint test test-jazzy demo bench train-smoke ros-build clean clean-venv
export TORCH_INDEX

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## */\1|/' | column -t -s '|'

setup:  ## make .venv: packages, ROS 2, messages (a second run takes a second)
	@tools/setup.sh

lint: setup  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m mypy --strict ros2_ws/src/sdepth/sdepth
	$(PY) -m mypy ros2_ws/src/sdepth_ros/sdepth_ros training bags demo benchmarks

test: setup  ## all tests, with the reason of each skipped one
	$(PY) -m pytest $(SIDE_BY_SIDE) -q -rs $(PYTEST) || $(PY) -m pytest $(AGAIN) -q -rs $(PYTEST)

test-jazzy: setup  ## the nodes' tests on Jazzy's client libraries, in .venv-jazzy
	@tools/setup.sh jazzy
	.venv-jazzy/bin/python -m pytest $(SIDE_BY_SIDE) -q -rs tests/ros $(PYTEST) || \
		.venv-jazzy/bin/python -m pytest $(AGAIN) -q -rs tests/ros $(PYTEST)

demo: setup  ## a day-to-night drive through the real nodes; writes demo/report.html
	$(PY) -m demo

bench: setup  ## time networks, messages, training (minutes); name what got slower than committed
	$(PY) -m benchmarks $(BENCH)

train-smoke: setup  ## two steps of training on synthetic frames, on the CPU
	$(PY) -m pytest -q -rs tests/training -k loss_falls

ros-build: setup  ## colcon build of both packages, and a check of what it installed
	tools/ros_build.sh ros2_ws $(COLCON)

clean:  ## remove what builds and demos wrote; .venv stays
	rm -rf ros2_ws/build ros2_ws/install ros2_ws/log .mypy_cache .ruff_cache .pytest_cache
	git clean -fdqX demo

clean-venv:  ## remove .venv and .venv-jazzy
	rm -rf .venv .venv-jazzy
