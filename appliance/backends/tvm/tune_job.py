"""The child process of the job `tune`: which tiles are the fastest on this machine for the models' matrices."""

from appliance.backends.tvm import runtime
from appliance.backends.tvm.folders import is_made
from appliance.backends.tvm.job_arguments import TuneArguments
from appliance.backends.tvm.target import compiled_targets, target_of
from appliance.child import Reporter, run_child
from appliance.core.kernels import MatrixTile, TunedTiles
from appliance.errors import BackendError
from kernels.shape import MatrixShape


def tune(arguments: TuneArguments, report: Reporter) -> TunedTiles:
    """Do the job: measure, then give the models that are compiled the better tiles. Raises: ApplianceError."""
    runtime.set_up(arguments.num_threads, with_compiler=True)
    if arguments.model is None:
        targets = compiled_targets(report.home, arguments.instruction_set)
        if not targets:
            raise BackendError("no model is compiled yet: appliance kernels compile NAME")
    else:
        targets = [target_of(arguments.model, report.home, arguments.instruction_set)]
    shapes = list(dict.fromkeys(shape for target in targets for shape in target.shape.products()))
    found = _search(shapes, arguments, report)
    tiles = (*(tile for tile in arguments.tiles if tile.matrix not in shapes), *found)
    for target in targets:
        if is_made(target.folder):
            target.ensure(tiles, report)
            report.progress(f"measuring {target.name}")
            target.measure(arguments.num_threads)
    return TunedTiles(
        instruction_set=arguments.instruction_set,
        measured=tuple(shapes),
        tiles=tuple(found),
        note=f"{len(found)} of {len(shapes)} matrices are faster with another tile than the usual one",
    )


def _search(shapes: list[MatrixShape], arguments: TuneArguments, report: Reporter) -> list[MatrixTile]:
    from kernels.instruction_sets import INSTRUCTION_SETS
    from kernels.tune import search

    found: list[MatrixTile] = []
    report.progress("trying tiles", 0, len(shapes), "matrices")
    measured = search(shapes, INSTRUCTION_SETS[arguments.instruction_set], arguments.num_threads)
    for number, (shape, tile) in enumerate(measured):
        if tile is not None:
            found.append(
                MatrixTile(
                    num_outputs=shape.num_outputs,
                    num_inputs=shape.num_inputs,
                    bits=shape.bits,
                    num_tokens=tile.num_tokens,
                    num_blocks=tile.num_blocks,
                )
            )
        report.progress("trying tiles", number + 1, len(shapes), "matrices")
    return found


if __name__ == "__main__":
    run_child(tune, TuneArguments)
