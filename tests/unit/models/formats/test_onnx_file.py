"""The walk over an ONNX file: sound graphs pass, and no damage ends otherwise than in OnnxError."""

import contextlib
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from models.formats.onnx_file import MAX_DEPTH, OnnxError, check_onnx

FLOATS = (2, 3)


def tensor(name: str = "w", dims: tuple[int, ...] = FLOATS, **changes: object) -> TensorProto:
    made = TensorProto(name=name, dims=dims, data_type=TensorProto.FLOAT, raw_data=bytes(24))
    for field, value in changes.items():
        setattr(made, field, value)
    return made


def external(**entries: str) -> TensorProto:
    made = TensorProto(name="w", dims=FLOATS, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        made.external_data.add(key=key, value=value)
    return made


def model(*tensors: TensorProto, nodes: tuple[NodeProto, ...] = ()) -> bytes:
    graph = GraphProto(name="g", node=nodes, initializer=tensors)
    data: bytes = ModelProto(ir_version=8, producer_name="test", graph=graph).SerializeToString()
    return data


def nested(depth: int) -> NodeProto:
    graph = GraphProto(name="innermost", initializer=[tensor()])
    for _ in range(depth):
        node = helper.make_node("If", ["c"], ["o"])
        node.attribute.add(name="then_branch", type=5, g=graph)
        graph = GraphProto(name="around", node=[node])
    return graph.node[0]


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    (tmp_path / "model.onnx.data").write_bytes(bytes(64))
    return tmp_path / "model.onnx"


def test_a_sound_graph_is_counted_with_its_files(graph: Path) -> None:
    graph.write_bytes(
        model(
            tensor("a"),
            external(location="model.onnx.data", offset="40", length="24"),
            nodes=(helper.make_node("Relu", ["a"], ["b"]), nested(3)),
        )
    )
    found = check_onnx(graph)
    assert (found.num_nodes, found.num_tensors, found.data_files) == (4, 3, ("model.onnx.data",))


def test_a_tensor_of_packed_small_numbers_is_counted_in_bits(graph: Path) -> None:
    graph.write_bytes(model(tensor(dims=(3,), data_type=TensorProto.INT4, raw_data=bytes(2))))
    assert check_onnx(graph).num_tensors == 1


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (tensor(raw_data=bytes(23)), "has 23 bytes, its shape needs 24 bytes"),
        (tensor(data_type=99), "no bytes of this type"),
        (tensor(dims=(-2, 3)), "negative dimension"),
        (tensor(dims=(1,) * 17), "more than 16 dimensions"),
        (tensor(name="n" * 70_000), "longer than"),
        (external(), "outside the folder"),
        (external(location="../secret"), "outside the folder"),
        (external(location="/etc/passwd"), "outside the folder"),
        (external(location="a/../../b"), "outside the folder"),
        (external(location="..\\b"), "outside the folder"),
        (external(location="nowhere.data"), "nowhere.data is missing"),
        (external(location="model.onnx.data", offset="41"), "ends at byte 65 of model.onnx.data, which has 64"),
        (external(location="model.onnx.data", offset="-1"), "is no number"),
        (external(location="model.onnx.data", offset="9" * 30), "is no number"),
        (external(location="model.onnx.data", length="25"), "has 25 bytes, its shape needs 24"),
    ],
)
def test_what_a_tensor_says_wrongly_is_named(graph: Path, made: TensorProto, words: str) -> None:
    graph.write_bytes(model(made))
    with pytest.raises(OnnxError, match=words.replace("longer than", "more than")):
        check_onnx(graph)


@pytest.mark.parametrize("place", ["node", "function", "sparse"])
def test_a_tensor_is_found_wherever_it_stands(graph: Path, place: str) -> None:
    wrong = external(location="../secret")
    node = helper.make_node("Constant", [], ["c"])
    node.attribute.add(name="value", type=4, t=wrong)
    whole = ModelProto(ir_version=8)
    whole.graph.name = "g"
    if place == "node":
        whole.graph.node.append(node)
    elif place == "function":
        whole.functions.add(name="f").node.append(node)
    else:
        whole.graph.sparse_initializer.add(values=wrong)
    graph.write_bytes(whole.SerializeToString())
    with pytest.raises(OnnxError, match="outside the folder"):
        check_onnx(graph)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it has no graph"),
        (b"no graph at all", "not an ONNX file"),
        (b"\x08\x07", "it has no graph"),
        (b"\x3a\xff\xff\xff\xff\x0f", "ends past byte"),
        (b"\x3a" + b"\xff" * 11, "longer than 64 bits"),
        (b"\x3a\x80", "ends past what holds it"),
        (b"\x3b", "not an ONNX file"),
    ],
)
def test_what_is_no_graph_is_said_to_be_none(graph: Path, data: bytes, words: str) -> None:
    graph.write_bytes(data)
    with pytest.raises(OnnxError, match=words):
        check_onnx(graph)


def test_graphs_within_graphs_end_somewhere(graph: Path) -> None:
    graph.write_bytes(model(nodes=(nested(MAX_DEPTH + 2),)))
    with pytest.raises(OnnxError, match="more than 24 deep"):
        check_onnx(graph)


def test_a_flood_of_dimensions_costs_no_memory(graph: Path) -> None:
    flood = b"\x0a" + b"\x80\x80\x80\x08" + bytes(16 * 2**20)  # one packed field of sixteen million numbers
    initializer = b"\x2a" + b"\x85\x80\x80\x08" + flood
    graph.write_bytes(b"\x3a" + b"\x8a\x80\x80\x08" + initializer)
    began_s = time.process_time()
    with pytest.raises(OnnxError, match="more than 16 dimensions"):
        check_onnx(graph)
    assert time.process_time() - began_s < 0.5


@given(seed=st.integers(0, 2**32 - 1))
def test_no_damage_ends_otherwise_than_in_an_error(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    (path.parent / "model.onnx.data").write_bytes(bytes(64))
    whole = bytearray(
        model(tensor("a"), external(location="model.onnx.data", offset="0"), nodes=(nested(2), nested(1)))
    )
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(whole))
        change = chance.randrange(3)
        if change == 0:
            whole[at] = chance.randrange(256)
        elif change == 1:
            del whole[at:]
            whole += b"\x00"
        else:
            whole[at:at] = chance.randbytes(chance.randint(1, 12))
    path.write_bytes(whole)
    with contextlib.suppress(OnnxError):
        check_onnx(path)
