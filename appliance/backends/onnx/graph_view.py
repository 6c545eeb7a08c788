"""Look into an ONNX graph: its real inputs, who produces a value, and what nobody needs any more."""

from collections.abc import Iterator
from typing import Any

import onnx
from onnx import helper


def inputs_of(graph: Any) -> dict[str, Any]:
    """Return the inputs that a caller gives, by name: older exporters list the weights among them."""
    initialized = {tensor.name for tensor in graph.initializer}
    return {value.name: value for value in graph.input if value.name not in initialized}


def producers_in(graph: Any) -> dict[str, Any]:
    """Return the node behind each value."""
    return {name: node for node in graph.node for name in node.output if name}


def drop_unused(graph: Any) -> None:
    """Remove the nodes that no output needs, then the inputs that no node reads."""
    producers = producers_in(graph)
    wanted = [value.name for value in graph.output]
    needed: set[int] = set()
    while wanted:
        node = producers.get(wanted.pop())
        if node is not None and id(node) not in needed:
            needed.add(id(node))
            wanted += [name for name in node.input if name]
    _keep(graph.node, [node for node in graph.node if id(node) in needed])
    read = {name for node in graph.node for name in node.input}
    _keep(graph.input, [value for value in graph.input if value.name in read])


def tensors_in(graph: Any) -> Iterator[Any]:
    """Return the weights and the tensors that are attributes of nodes, those of its branches among them."""
    for each in graphs_in(graph):
        yield from each.initializer
        for node in each.node:
            yield from (item.t for item in node.attribute if item.type == onnx.AttributeProto.TENSOR)


def graphs_in(graph: Any) -> Iterator[Any]:
    """Return the graph and all graphs within it: the branches of its `If` nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs_in(attribute.g)


def attribute_of(node: Any, name: str) -> Any:
    """Return a node's attribute, None if it has none of that name."""
    return next((helper.get_attribute_value(item) for item in node.attribute if item.name == name), None)


def fixed_size(dim: Any) -> int | None:
    """Return the size of a dimension, None if it is left open."""
    return dim.dim_value if dim.HasField("dim_value") else None


def _keep(values: Any, kept: list[Any]) -> None:
    del values[:]
    values.extend(kept)
