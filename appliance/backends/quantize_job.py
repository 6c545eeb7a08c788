"""The child process of the job `quantize`: a float model in, smaller ones out, with what they cost. By its format."""

from pathlib import Path

from appliance.backends.gguf_source import find_source, is_gguf
from appliance.backends.job_arguments import QuantizeArguments
from appliance.backends.made_model import MadeModel, MadeModels, with_origin
from appliance.child import Reporter, run_child
from appliance.errors import InvalidRequest


def quantize(arguments: QuantizeArguments, report: Reporter) -> MadeModel | MadeModels:
    """Do the job. Each format's library is imported only for it. Raises: ApplianceError."""
    return with_origin(_quantize(arguments, report), arguments.model, report.home)


def _quantize(arguments: QuantizeArguments, report: Reporter) -> MadeModel | MadeModels:
    if not is_gguf(arguments.model, report.home):
        from appliance.backends.onnx.quantize_job import quantize as quantize_onnx

        try:
            order = arguments.as_onnx()
        except ValueError as error:
            raise InvalidRequest(f"{arguments.model!r} is no GGUF file: {error}") from None
        return quantize_onnx(order, report)
    from appliance.backends.llama_cpp.quantize_job import Trial, names_for, try_types

    try:
        types = arguments.gguf_types()
    except ValueError as error:
        raise InvalidRequest(f"{arguments.model!r} is a GGUF file: {error}") from None
    source = find_source(arguments.model, report.home)
    trial = Trial(
        types=types,
        names=names_for(source, types, arguments.name, report.home),
        max_loss_ratio=arguments.max_loss_ratio,
        texts=None if arguments.texts is None else Path(arguments.texts),
        accepts_loss=arguments.accept_loss,
        is_forced=arguments.force,
    )
    return try_types(source, trial, report)


if __name__ == "__main__":
    run_child(quantize, QuantizeArguments)
