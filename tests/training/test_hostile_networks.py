"""Files that claim to be networks: one clear line each, and nothing in them is executed."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sdepth.checkpoint import read_card
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import CheckpointError, SdepthError
from tests import networks
from tests.training.test_import_network import FIELDS, SIZE
from training.weights import import_network as module
from training.weights.import_network import import_network

pytestmark = pytest.mark.usefixtures("engine_cache")


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


def a_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Trap(path.with_name("executed"))))


def garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def nothing(path: Path) -> None:
    path.touch()


def cut_off(path: Path) -> None:
    whole = networks.brightness(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _with_values_in(path: Path, location: str) -> None:
    networks.brightness(path)
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())


def values_by_absolute_path(path: Path) -> None:
    _with_values_in(path, "/etc/hostname")


def values_above_the_folder(path: Path) -> None:
    _with_values_in(path, "../../../../../../../../etc/hostname")


def values_behind_a_link(path: Path) -> None:
    path.with_name("values.bin").symlink_to("/etc/hostname")
    _with_values_in(path, "values.bin")


def a_custom_operator(path: Path) -> None:
    node = helper.make_node("Shell", ["pixels"], ["out"], domain="evil")
    networks.write(path, [node], opset=[*networks.OPSET, helper.make_opsetid("evil", 1)])


def a_custom_operator_in_a_branch(path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Shell", ["pixels"], ["inner"], domain="evil")], "branch", [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [None] * 4)],
    )  # fmt: skip
    node = helper.make_node("If", ["yes"], ["out"], then_branch=branch, else_branch=branch)
    opset = [*networks.OPSET, helper.make_opsetid("evil", 1)]
    networks.write(path, [node], values={"yes": np.array(True)}, opset=opset)


def a_loop(path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", [f"{n}_in"], [n]) for n in ("go", "x")], "body",
        [helper.make_tensor_value_info(n, k, s) for n, k, s in (
            ("i", TensorProto.INT64, []), ("go_in", TensorProto.BOOL, []),
            ("x_in", TensorProto.FLOAT, None))],
        [helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
    )  # fmt: skip
    node = helper.make_node("Loop", ["", "yes", "pixels"], ["out"], body=body)
    networks.write(path, [node], values={"yes": np.array(True)})


def several_inputs(path: Path) -> None:
    node = helper.make_node("Add", ["pixels", "more"], ["out"])
    networks.write(path, [node], inputs=("pixels", "more"))


def an_input_that_is_no_image(path: Path) -> None:
    networks.write(path, [helper.make_node("Identity", ["pixels"], ["out"])], shape=(1, 768))


def an_absurd_image(path: Path) -> None:
    networks.brightness(path, shape=(1, 3, 1_000_000, 1_000_000))


def an_absurd_tensor(path: Path) -> None:
    networks.brightness(path)
    model = onnx.load(path)
    model.graph.initializer[0].dims[:] = [2**40, 2**20]
    path.write_bytes(model.SerializeToString())


def an_absurd_value_within(path: Path) -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["vast"]),
        helper.make_node("ReduceSum", ["vast"], ["sum"], keepdims=0),
        helper.make_node("Add", ["pixels", "sum"], ["out"]),
    ]
    networks.write(path, nodes, values={"shape": np.int64([1 << 20, 1 << 20])})


def answers_that_are_no_numbers(path: Path) -> None:
    networks.brightness(path, gain=float("nan"))


def a_confidence_that_is_no_number(path: Path) -> None:
    networks.with_beside(path, gain=float("nan"))


def an_answer_that_is_a_class(path: Path) -> None:
    node = helper.make_node("ReduceMax", ["pixels"], ["out"], axes=[2, 3], keepdims=0)
    networks.write(path, [node])


def a_division_by_zero(path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["pixels"], ["whole"], to=TensorProto.INT32),
        helper.make_node("Div", ["whole", "zero"], ["divided"]),
        helper.make_node("Cast", ["divided"], ["out"], to=TensorProto.FLOAT),
    ]
    networks.write(path, nodes, values={"zero": np.int32([0])})


KINDS = {
    a_pickle: "a pickle or a zip, expected ONNX",
    garbage: "not ONNX",
    nothing: "not ONNX, or empty",
    cut_off: "not ONNX",
    values_by_absolute_path: "in '/etc/hostname', expected a file in the folder",
    values_above_the_folder: "expected a file in the folder",
    values_behind_a_link: "in 'values.bin', expected a file in the folder",
    a_custom_operator: "custom operator evil.Shell",
    a_custom_operator_in_a_branch: "custom operator evil.Shell",
    a_loop: "operator Loop, which may never end",
    several_inputs: "inputs pixels, more, expected one image",
    an_input_that_is_no_image: "expected one image of floats or bytes",
    an_absurd_image: "sides of 8192 at most",
    an_absurd_tensor: "values at most",
    an_absurd_value_within: "'vast' would be of shape",
    answers_that_are_no_numbers: "answers NaN or infinity",
    a_confidence_that_is_no_number: "output depth_conf answers NaN or infinity",
    an_answer_that_is_a_class: "expected one dense map",
    a_division_by_zero: "ONNX Runtime cannot run it",
}


@pytest.mark.parametrize("make", KINDS, ids=lambda kind: kind.__name__)
def test_an_import_says_in_one_line_what_is_wrong(
    make: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "net.onnx")
    size = [] if make is an_absurd_image else ["--input-size", "96x64"]
    preset = ["--preset", "dpt-large", "--mean", "0", "0", "0", "--std", "1", "1", "1"]

    code = module.main([str(tmp_path / "net.onnx"), str(tmp_path / "day.onnx"), *preset, *size])

    error = capsys.readouterr().err
    assert code == 2
    assert KINDS[make] in error
    assert error.count("\n") == 1
    assert not [*tmp_path.glob("*day*")]
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("make", KINDS, ids=lambda kind: kind.__name__)
def test_a_node_refuses_the_same_behind_a_card_that_fits(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "day.onnx"
    import_network(networks.brightness(tmp_path / "good.onnx"), path, FIELDS, SIZE)
    make(path)
    card = dataclasses.replace(read_card(path), sha256=sha256(path.read_bytes()).hexdigest())
    path.with_suffix(".json").write_text(json.dumps(dataclasses.asdict(card)))

    with pytest.raises(SdepthError) as error:
        DepthEstimator(path, "cpu")

    assert "\n" not in str(error.value)
    assert not (tmp_path / "executed").exists()


def test_values_in_a_file_beside_it_are_taken_in(tmp_path: Path) -> None:
    (tmp_path / "values.bin").write_bytes(np.float32(10).tobytes())
    _with_values_in(tmp_path / "net.onnx", "values.bin")

    import_network(tmp_path / "net.onnx", tmp_path / "out/day.onnx", FIELDS, SIZE)

    (tmp_path / "values.bin").unlink()
    DepthEstimator(tmp_path / "out/day.onnx", "cpu", engine="onnxruntime")


def test_a_pickle_named_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.safetensors"
    a_pickle(path)
    shutil.copy(Path("weights/day.json"), path.with_suffix(".json"))
    with pytest.raises(CheckpointError, match=r"a pickle \(.pth\), expected safetensors"):
        DepthEstimator(path, "cpu")
    assert not (tmp_path / "executed").exists()
