"""Which layers lose most when they alone are quantized: those are worth 8 bits in an int4 model."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from appliance.backends.onnx.gate import DecoderGate
from appliance.backends.onnx.graph import read_graph
from appliance.backends.onnx.matrices import Matrix, Weights, find_matrices
from appliance.backends.onnx.packing import Packing
from appliance.backends.onnx.prepared import Prepared
from appliance.backends.onnx.weight_only import InGraph, quantize_matrices

Group = int | None
"""A layer by its number, or None for what stands outside the layers: the output and the table of tokens."""

_NUM_TOKENS = 256
_MAX_TIME_S = 600.0
_WORTH_RATIO = 0.5


def outer_groups(matrices: Sequence[Matrix]) -> frozenset[Group]:
    """Return the first and the last layer, and what stands outside: what is commonly lost first."""
    layers = [matrix.layer for matrix in matrices if matrix.layer is not None]
    return frozenset({None, *layers[:1], *layers[-1:]})


def measured_groups(
    gate: DecoderGate, probe: Path, packing: Packing, progress: Callable[[int, int], None]
) -> frozenset[Group]:
    """Return the groups that hold half of the loss, by their loss for each weight.

    Each group is quantized alone, in a graph that is written to `probe` and whose other weights stay where they are.
    After ten minutes what was measured must do: the outer groups are first in line.
    """
    matrices = find_matrices(read_graph(gate.prepared.graph))
    groups = dict.fromkeys(matrix.layer for matrix in matrices)
    outer = outer_groups(matrices)
    order = sorted(groups, key=lambda group: group not in outer)
    losses: dict[Group, float] = {}
    end_s = time.monotonic() + _MAX_TIME_S
    for group in order:
        if time.monotonic() > end_s:
            break
        copy = _with_group_quantized(gate.prepared, probe, group, packing)
        losses[group] = gate.compare_prepared(copy, max_tokens=_NUM_TOKENS).mean_divergence()
        progress(len(losses), len(order))
    sizes = {group: sum(matrix.num_values for matrix in matrices if matrix.layer == group) for group in groups}
    return worth_keeping(losses, sizes)


def worth_keeping(losses: dict[Group, float], sizes: dict[Group, int]) -> frozenset[Group]:
    """Return the groups that hold half of all loss, taken by loss for each weight."""
    total, kept, kept_loss = sum(losses.values()), set(), 0.0
    for group in sorted(losses, key=lambda group: -losses[group] / sizes[group]):
        if kept_loss >= _WORTH_RATIO * total:
            break
        kept.add(group)
        kept_loss += losses[group]
    return frozenset(kept)


def _with_group_quantized(original: Prepared, probe: Path, group: Group, packing: Packing) -> Prepared:
    model = read_graph(original.graph)
    chosen = [(matrix, packing) for matrix in find_matrices(model) if matrix.layer == group]
    weights = Weights(model, original.weights_folder or original.graph.parent)
    quantize_matrices(model, weights, chosen, InGraph(), lambda _: None)
    probe.write_bytes(model.SerializeToString())
    return Prepared(probe, original.weights_folder, original.layout)
