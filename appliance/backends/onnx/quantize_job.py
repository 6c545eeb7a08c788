"""The child process of the job `quantize`: a float model in, a smaller one out, with what it cost."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from appliance.backends.onnx.encoder_gate import EncoderGate
from appliance.backends.onnx.gate import DecoderGate, check_loss
from appliance.backends.onnx.graph import NotServable, read_graph
from appliance.backends.onnx.integer_activations import write_dynamic, write_static
from appliance.backends.onnx.job_arguments import MadeModel, QuantizeArguments
from appliance.backends.onnx.made_model import copy_configuration, find_graph, free_name, write_quality
from appliance.backends.onnx.matrices import Matrix, find_matrices
from appliance.backends.onnx.packing import Packing
from appliance.backends.onnx.sensitivity import Group, measured_groups, outer_groups
from appliance.backends.onnx.weight_only import write_quantized
from appliance.child import Reporter, run_child
from appliance.errors import InvalidRequest
from models.manifest import ModelQuality

_BITS = {"int4": 4, "int8": 8}
Progress = Callable[[str, float, float | None, str], None]


def quantize(arguments: QuantizeArguments, report: Reporter) -> MadeModel:
    """Do the job. Raises: ApplianceError, where the model is not one that can be quantized or loses too much."""
    source, stem = find_graph(arguments.model, report.home)
    name = free_name(arguments.name, f"{stem}-{arguments.precision}", report.home)
    folder = report.folder / "model"
    quantize_graph(source, folder, report.folder / "scratch", arguments, report.progress)
    return MadeModel(folder=str(folder), name=name)


def quantize_graph(
    source: Path, folder: Path, scratch: Path, arguments: QuantizeArguments, progress: Progress
) -> ModelQuality:
    """Write the quantized model and its figures into `folder` and return them. Raises: LossTooLarge, InvalidRequest."""
    scratch.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / copy_configuration(source, folder)
    _check_is_float(source)
    num_threads = os.cpu_count() or 1
    progress("loading the original", 0.0, None, "ratio")
    if _is_decoder(source):
        gate = DecoderGate(source, scratch, num_threads)
        try:
            method = _write_decoder(gate, source, graph, scratch, arguments, progress)
            quality = gate.compare(graph, lambda done: progress("comparing", done, gate.num_tokens, "tokens"))
        finally:
            gate.close()
    else:
        encoder_gate = EncoderGate(source, num_threads)
        method = _write_encoder(source, graph, arguments, progress)
        progress("comparing", 0.0, None, "ratio")
        quality = encoder_gate.compare(graph)
    check_loss(quality, arguments.max_loss_ratio, arguments.accept_loss)
    quality = msgspec.structs.replace(quality, method=method)
    write_quality(folder, quality)
    return quality


def _write_decoder(
    gate: DecoderGate, source: Path, graph: Path, scratch: Path, arguments: QuantizeArguments, progress: Progress
) -> str:
    """Write the quantized decoder and return how it was done, in words."""
    if arguments.method == "static":
        raise InvalidRequest("static quantization is for encoders; a model that writes keeps int8 weights instead")
    if arguments.method == "dynamic":
        write_dynamic(source, graph)
        return "int8 by columns, activations int8 as they come"
    kept: frozenset[Group] = frozenset()
    if arguments.mixed == "outer":
        kept = outer_groups(find_matrices(read_graph(source)))
    elif arguments.mixed == "measured":
        kept = measured_groups(
            gate,
            scratch / "probe.onnx",
            _packing(arguments),
            lambda done, total: progress("measuring", done, total, "layers"),
        )
    return _write_weights(source, graph, arguments, kept, progress)


def _write_encoder(source: Path, graph: Path, arguments: QuantizeArguments, progress: Progress) -> str:
    """Write the quantized encoder and return how it was done, in words."""
    if arguments.mixed == "measured":
        raise InvalidRequest("layers are measured for models that write; for an encoder choose the outer ones")
    if arguments.method == "dynamic":
        write_dynamic(source, graph)
        return "int8 by columns, activations int8 as they come"
    if arguments.method == "static":
        if arguments.calibration is None:
            raise InvalidRequest("static quantization needs texts like those to come: --calibration FILE, one a line")
        write_static(source, graph, Path(arguments.calibration))
        return "int8 by columns, activations int16 as calibrated"
    kept = outer_groups(find_matrices(read_graph(source))) if arguments.mixed else frozenset()
    return _write_weights(source, graph, arguments, kept, progress)


def _write_weights(
    source: Path, graph: Path, arguments: QuantizeArguments, kept: frozenset[Group], progress: Progress
) -> str:
    model = read_graph(source)
    base = _packing(arguments)
    better = Packing(8, base.block_size, base.is_symmetric)
    matrices = find_matrices(model)
    total_bytes = sum(4 * matrix.num_values for matrix in matrices)
    write_quantized(
        model,
        source.parent,
        [(matrix, better if matrix.layer in kept else base) for matrix in matrices],
        graph,
        lambda done: progress("quantizing", done, total_bytes, "bytes"),
    )
    return _in_words(arguments, kept)


def _in_words(arguments: QuantizeArguments, kept: frozenset[Group]) -> str:
    symmetry = "symmetric" if arguments.is_symmetric else "asymmetric"
    words = f"{arguments.precision} weights in blocks of {arguments.block_size}, {symmetry}"
    layers = sorted(group for group in kept if group is not None)
    parts = [f"layers {', '.join(map(str, layers))}"] * bool(layers) + ["the output"] * (None in kept)
    return f"{words}; {' and '.join(parts)} at 8 bits" if parts else words


def _packing(arguments: QuantizeArguments) -> Packing:
    return Packing(_BITS[arguments.precision], arguments.block_size, arguments.is_symmetric)


def _is_decoder(source: Path) -> bool:
    return any(node.op_type == "GroupQueryAttention" for node in read_graph(source).graph.node)


def _check_is_float(source: Path) -> None:
    """Raise InvalidRequest unless there are float matrices to quantize, and none is quantized yet."""
    try:
        model = read_graph(source)
    except NotServable as error:
        raise InvalidRequest(str(error)) from None
    if any(node.op_type in ("MatMulNBits", "MatMulInteger", "QLinearMatMul") for node in model.graph.node):
        raise InvalidRequest(f"{source} is quantized already; begin with the float model")
    matrices: list[Matrix] = find_matrices(model)
    if not any(matrix.product is not None for matrix in matrices):
        raise InvalidRequest(f"{source} has no float (32 bits) matrices that could be quantized")


if __name__ == "__main__":
    run_child(quantize, QuantizeArguments)
