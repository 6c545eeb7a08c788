"""The work of the job `quantize` for ONNX: a float model in, a smaller one out, with what it cost."""

import os
from pathlib import Path
from typing import Any

import msgspec

from appliance.backends.loss import check_loss
from appliance.backends.made_model import MadeModel, free_name, write_quality
from appliance.backends.onnx.details import num_parameters
from appliance.backends.onnx.encoder_gate import EncoderGate
from appliance.backends.onnx.gate import DecoderGate
from appliance.backends.onnx.graph import NotServable, read_graph
from appliance.backends.onnx.integer_activations import write_dynamic, write_static
from appliance.backends.onnx.job_arguments import QuantizeArguments
from appliance.backends.onnx.made_model import copy_configuration, find_graph
from appliance.backends.onnx.matrices import find_matrices
from appliance.backends.onnx.packing import Packing
from appliance.backends.onnx.room import room_to_quantize
from appliance.backends.onnx.sensitivity import Group, measured_groups, outer_groups
from appliance.backends.onnx.weight_only import write_quantized
from appliance.backends.room import check_room, parameters_in_words
from appliance.child import Progress, Reporter
from appliance.errors import InvalidRequest
from models.finding.quality_file import QUALITY_FILE
from models.manifest import ModelQuality

_BITS = {"int4": 4, "int8": 8}
_QUANTIZED_PRODUCTS = ("MatMulNBits", "MatMulInteger", "QLinearMatMul")


def quantize(arguments: QuantizeArguments, report: Reporter) -> MadeModel:
    """Do the job. Raises: ApplianceError, where the model is not one that can be quantized or loses too much."""
    source, stem = find_graph(arguments.model, report.home)
    name = free_name(arguments.name, f"{stem}-{arguments.precision}", report.home)
    if not arguments.force:
        num_weights = num_parameters(_read_floats(source).graph)
        what = f"quantizing {parameters_in_words(num_weights)} to {arguments.precision}"
        graph_bytes = source.stat().st_size
        needed = room_to_quantize(num_weights, arguments.precision, arguments.method, graph_bytes)
        check_room(needed, what, report.folder)
    folder = report.folder / "model"
    quantize_graph(source, folder, report.folder / "scratch", arguments, report.progress)
    return MadeModel(folder=str(folder), name=name)


def quantize_graph(
    source: Path, folder: Path, scratch: Path, arguments: QuantizeArguments, progress: Progress
) -> ModelQuality:
    """Write the quantized model and its figures into `folder` and return them. Raises: LossTooLarge, InvalidRequest."""
    is_decoder = _is_decoder(_read_floats(source))
    _check_method(arguments, is_decoder)
    scratch.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / copy_configuration(source, folder)
    num_threads = os.cpu_count() or 1
    progress("loading the original", 0.0, None, "ratio")
    if is_decoder:
        gate = DecoderGate(source, scratch, num_threads)
        try:
            method = _write_decoder(gate, source, graph, scratch, arguments, progress)
            quality = gate.compare(graph, lambda done: progress("comparing", done, gate.num_tokens, "tokens"))
        finally:
            gate.close()
    else:
        encoder_gate = EncoderGate(source, num_threads)
        method = _write_encoder(source, graph, scratch, arguments, progress)
        progress("comparing", 0.0, None, "ratio")
        quality = encoder_gate.compare(graph)
    check_loss(quality, arguments.max_loss_ratio, arguments.accept_loss)
    quality = msgspec.structs.replace(quality, method=method)
    write_quality(folder / QUALITY_FILE, quality)
    return quality


def _write_decoder(
    gate: DecoderGate, source: Path, graph: Path, scratch: Path, arguments: QuantizeArguments, progress: Progress
) -> str:
    """Write the quantized decoder and return how it was done, in words."""
    if arguments.method == "dynamic":
        return _write_dynamic(source, graph, scratch, progress)
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


def _write_encoder(source: Path, graph: Path, scratch: Path, arguments: QuantizeArguments, progress: Progress) -> str:
    """Write the quantized encoder and return how it was done, in words."""
    if arguments.method == "dynamic":
        return _write_dynamic(source, graph, scratch, progress)
    if arguments.calibration is not None:
        progress("calibrating and quantizing", 0.0, None, "ratio")
        write_static(source, graph, scratch, Path(arguments.calibration))
        return "int8 by columns, activations int16 as calibrated"
    kept = outer_groups(find_matrices(read_graph(source))) if arguments.mixed else frozenset()
    return _write_weights(source, graph, arguments, kept, progress)


def _write_dynamic(source: Path, graph: Path, scratch: Path, progress: Progress) -> str:
    progress("quantizing", 0.0, None, "ratio")
    write_dynamic(source, graph, scratch)
    return "int8 by columns, activations int8 as they come"


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


def _is_decoder(model: Any) -> bool:
    return any(node.op_type == "GroupQueryAttention" for node in model.graph.node)


def _check_method(arguments: QuantizeArguments, is_decoder: bool) -> None:
    """Raise InvalidRequest where the method is not one for such a model."""
    if is_decoder and arguments.method == "static":
        raise InvalidRequest("static quantization is for encoders; a model that writes keeps int8 weights instead")
    if not is_decoder and arguments.mixed == "measured":
        raise InvalidRequest("layers are measured for models that write; for an encoder choose the outer ones")


def _read_floats(source: Path) -> Any:
    """Return the graph (`onnx.ModelProto`). Raises: InvalidRequest, if it is quantized or has no float matrices."""
    try:
        model = read_graph(source)
    except NotServable as error:
        raise InvalidRequest(str(error)) from None
    if any(node.op_type in _QUANTIZED_PRODUCTS for node in model.graph.node):
        raise InvalidRequest(f"{source} is quantized already; begin with the float model")
    if not any(matrix.product is not None for matrix in find_matrices(model)):
        raise InvalidRequest(f"{source} has no float (32 bits) matrices that could be quantized")
    return model
