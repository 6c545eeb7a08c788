"""The work of the job `convert` for ONNX: a folder of float weights in, an ONNX model that can be served out."""

from pathlib import Path

from appliance.backends.made_model import MadeModel, free_name
from appliance.backends.onnx.conversion_environment import ensure_environment
from appliance.backends.onnx.exporter import export_decoder, export_encoder
from appliance.backends.onnx.hugging_face import Convertible, examine
from appliance.backends.onnx.job_arguments import ConvertArguments, QuantizeArguments
from appliance.backends.onnx.made_model import GRAPH_FILE, copy_configuration
from appliance.backends.onnx.prepared import prepare
from appliance.backends.onnx.quantize_job import quantize_graph
from appliance.backends.onnx.room import room_to_convert
from appliance.backends.room import check_room, parameters_in_words
from appliance.child import Reporter
from appliance.errors import BackendError


def convert(arguments: ConvertArguments, report: Reporter) -> MadeModel:
    """Do the job. Raises: ApplianceError, where the model cannot be converted, or loses too much when quantized."""
    source = examine(Path(arguments.model))
    name = free_name(arguments.name, f"{source.folder.name}-{arguments.precision}", report.home)
    if not arguments.force:
        what = f"converting {parameters_in_words(source.num_parameters)} to {arguments.precision}"
        check_room(room_to_convert(source.num_parameters, arguments.precision), what, report.folder)
    python = ensure_environment(report.home, report.folder / "environment", report.progress)
    exported = report.folder / "exported"
    run = export_decoder if source.is_decoder else export_encoder
    run(python, source.folder, exported, report.folder / "cache", report.progress)
    _copy_missing_configuration(source, exported)
    if source.is_decoder:
        prepare(exported / GRAPH_FILE, report.folder / "trial")
    if arguments.precision == "fp32":
        return MadeModel(folder=str(exported), name=name)
    return MadeModel(folder=str(_quantize(exported, arguments, report)), name=name)


def _quantize(exported: Path, arguments: ConvertArguments, report: Reporter) -> Path:
    precision = arguments.precision
    assert precision != "fp32"
    order = QuantizeArguments(
        model=str(exported),
        precision=precision,
        block_size=arguments.block_size,
        is_symmetric=arguments.is_symmetric,
        accept_loss=arguments.accept_loss,
        max_loss_ratio=arguments.max_loss_ratio,
    )
    folder = report.folder / "model"
    quantize_graph(exported / GRAPH_FILE, folder, report.folder / "scratch", order, report.progress)
    return folder


def _copy_missing_configuration(source: Convertible, exported: Path) -> None:
    """Add the model's own files that the exporter leaves out, such as the chat template and the kind of pooling."""
    if not (exported / GRAPH_FILE).is_file():
        raise BackendError(f"the exporter ended without an error and without {GRAPH_FILE}")
    made = {path: path.read_bytes() for path in exported.glob("genai_config.json")}
    copy_configuration(source.folder / GRAPH_FILE, exported)
    for path, content in made.items():
        path.write_bytes(content)
