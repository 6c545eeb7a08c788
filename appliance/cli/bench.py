"""`appliance bench`: a model measured now in every way in which it can run here, and compared with what it was."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from appliance.client import Client
from appliance.core.calibration import Benchmark
from appliance.core.jobs import Job
from appliance.words import tr

from .arguments import Group, add_command
from .benchmark_text import BenchmarkReport, FailedBenchmark, changes, report_lines
from .context import Context
from .exits import DONE, FAILED, INTERRUPTED, TRY_LATER, WRONG_USAGE, CommandError
from .output import print_json, printable
from .progress import meter

DESCRIPTION = """
Measure how fast a model is on this machine: prompts of two lengths, one chat and eight at once, on each backend that
can run it now. It takes about 20 seconds for each with half a billion parameters on two cores. Requests go first: they
stop it at once, and it goes on when they are answered. Ctrl-C cancels it.

The daemon does the same by itself after half a minute without requests, and runs each model where it is the fastest.
What was measured now is compared with what was known before, or with the output of an earlier 'appliance bench --json'.
"""
EXAMPLES = """
appliance bench
appliance bench qwen3 --json > before.json
appliance bench qwen3 --baseline before.json --max-regression 0.1
"""


def register(group: Group) -> None:
    """Add the command."""
    parser = add_command(group, "bench", _run, "measure how fast a model is here", DESCRIPTION, EXAMPLES)
    parser.add_argument("name", metavar="MODEL", nargs="?", help="an installed model (default: the default model)")
    text = "backends or variants to measure, with commas between them (default: all)"
    parser.add_argument("--backends", metavar="NAME,...", default="all", help=text)
    text = "compare with what an earlier 'appliance bench --json' printed into this file"
    parser.add_argument("--baseline", metavar="FILE", type=Path, help=text)
    text = "exit with 1 where a speed fell by more than this, such as 0.1 for a tenth, with 75 if that cannot be told"
    parser.add_argument("--max-regression", metavar="RATIO", type=float, help=text)


def _run(arguments: argparse.Namespace, context: Context) -> int:
    baseline = None if arguments.baseline is None else _read_baseline(arguments.baseline)
    backends = () if arguments.backends == "all" else tuple(filter(None, arguments.backends.split(",")))
    client = context.client()
    found = client.calibrate_model(arguments.name, backends)
    if found.waits_for is not None:
        print(tr("waiting for {what}", what=printable(found.waits_for)), file=sys.stderr)
    ended = _follow(client, found.jobs)
    if len(ended) < len(found.jobs):
        return INTERRUPTED
    report = _report(found.model, ended, client, baseline)
    if context.is_json:
        print_json(report)
    else:
        print("\n".join(report_lines(report)))
    code = FAILED if report.failed else DONE
    return code if arguments.max_regression is None else _judge(report, arguments.max_regression) or code


def _follow(client: Client, jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs as they ended; Ctrl-C cancels those that have not, which are then not among them."""
    ended: list[Job] = []
    try:
        with meter(is_json=False) as show:
            for job in jobs:
                for news in client.follow_job(job.id):
                    if text := _doing(news):
                        show(msgspec.structs.replace(news.progress, text=text))
                    last = news
                ended.append(last)
    except KeyboardInterrupt:
        for job in jobs[len(ended) :]:
            client.cancel_job(job.id)
    return ended


def _doing(job: Job) -> str:
    what = "" if job.has_ended else job.progress.text if job.state == "running" else job.state
    return f"{str(job.arguments['candidate']).partition('@')[2]}: {what}" if what else ""


def _report(model: str, jobs: Sequence[Job], client: Client, baseline: BenchmarkReport | None) -> BenchmarkReport:
    done = [msgspec.convert(job.result, Benchmark) for job in jobs if job.state == "done"]
    if baseline is not None:
        known = {each.candidate: each.measurement for each in baseline.benchmarks}
        done = [msgspec.structs.replace(each, before=known.get(each.candidate)) for each in done]
    chosen = [each for each in client.explain(model).candidates if each.is_chosen]
    return BenchmarkReport(
        model=model,
        benchmarks=tuple(done),
        failed=tuple(_failed(job) for job in jobs if job.state != "done"),
        chosen=f"{chosen[0].model}@{chosen[0].variant}" if chosen else None,
    )


def _failed(job: Job) -> FailedBenchmark:
    problem = job.error.message if job.error is not None else tr("it was {state}", state=tr(job.state))
    return FailedBenchmark(candidate=str(job.arguments["candidate"]), problem=problem)


def _judge(report: BenchmarkReport, limit: float) -> int:
    """Return what to exit with for speeds that fell. Of what was disturbed nothing can be said."""
    slower = [each for each in report.benchmarks if any(change.ratio < -limit for change in changes(each))]
    if slower:
        names = ", ".join(each.candidate for each in slower)
        slow = tr("slower than before by more than {limit:.0%}: {names}", limit=limit, names=names)
        print(f"appliance: {slow}", file=sys.stderr)
        return FAILED
    return TRY_LATER if any(each.measurement.is_disturbed for each in report.benchmarks) else DONE


def _read_baseline(path: Path) -> BenchmarkReport:
    try:
        return msgspec.json.decode(path.read_bytes(), type=BenchmarkReport)
    except msgspec.DecodeError as error:
        problem = tr("{path} is not what 'appliance bench --json' printed: {error}", path=path, error=error)
        raise CommandError(problem, WRONG_USAGE) from error
