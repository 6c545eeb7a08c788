"""The child process of the job `compile`: an installed model, made ready for our kernels."""

from appliance.backends.tvm import runtime
from appliance.backends.tvm.folders import WEIGHTS_FILE
from appliance.backends.tvm.job_arguments import CompileArguments, Compiled
from appliance.backends.tvm.target import Target, target_of
from appliance.child import Reporter, run_child
from appliance.core.units import format_bytes


def compile_model(arguments: CompileArguments, report: Reporter) -> Compiled:
    """Do the job. Raises: ModelNotFound; BackendError, with the reason why the kernels cannot run it."""
    runtime.set_up(arguments.num_threads, with_compiler=True)
    target = target_of(arguments.model, report.home, arguments.instruction_set, arguments.bits)
    was_made = not target.ensure(arguments.tiles, report)
    if not was_made:
        report.progress("measuring its speed")
    size_bytes = (target.folder / WEIGHTS_FILE).stat().st_size
    return Compiled(
        model=arguments.model,
        size_bytes=size_bytes,
        speed=target.speed(arguments.num_threads),
        note="it is compiled already" if was_made else _cost(target, size_bytes),
    )


def _cost(target: Target, size_bytes: int) -> str:
    sizes = f"{format_bytes(size_bytes)} beside the file's {format_bytes(target.size_bytes)}"
    if target.is_exact:
        return f"its weights are the file's own, in another order: {sizes}"
    return f"what is neither Q4_0 nor Q8_0 of its weights was quantized anew, to {target.bits} bits: {sizes}"


if __name__ == "__main__":
    run_child(compile_model, CompileArguments)
