"""The child process of the job `evaluate`: several types of a model measured against it, and none of them kept."""

from pathlib import Path

from appliance.backends.gguf_source import find_source
from appliance.backends.job_arguments import EvaluateArguments
from appliance.backends.llama_cpp.quantize_job import Trial, try_types
from appliance.backends.llama_cpp.types import types_named
from appliance.child import Reporter, run_child
from appliance.core.quantized import Comparison


def evaluate(arguments: EvaluateArguments, report: Reporter) -> Comparison:
    """Do the job. Raises: ApplianceError."""
    source = find_source(arguments.model, report.home)
    types = tuple(each for each in types_named(arguments.to) if each != source.type)
    trial = Trial(
        types=types,
        max_loss_ratio=arguments.max_loss_ratio,
        texts=None if arguments.texts is None else Path(arguments.texts),
        is_forced=arguments.force,
    )
    return try_types(source, trial, report).comparison


if __name__ == "__main__":
    run_child(evaluate, EvaluateArguments)
