"""`appliance cache`: what the cache of responses holds and saved, emptying it, and filling it ahead."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from appliance.client import Client, ClientError
from appliance.core.jobs import JobProgress
from appliance.core.response_cache import CacheFigures
from appliance.core.units import format_bytes, format_seconds
from appliance.words import tr

from .arguments import Group, add_command, add_parser
from .context import Context
from .exits import DONE, FAILED, WRONG_USAGE, CommandError
from .output import fields, print_json, printable, table
from .progress import meter

DESCRIPTION = """
Look after the cache of responses. An answer that would come out the same again (temperature 0, or a seed) is kept and
given again, whole or as a stream; the header X-Cache says so. What else is kept, for whom and how long: see [cache] in
appliance.toml.
"""
EXAMPLES = """
appliance cache status
appliance cache warm questions.txt
appliance cache clear
"""
WARM_DESCRIPTION = """
Ask the questions of a file ahead, so that whoever asks them later waits for nothing. Each line is a question, or the
JSON body of a request to /v1/chat/completions. They give way to all other requests, and their answers are kept whatever
their temperature.
"""
EVALUATE_DESCRIPTION = """
Try how well an embedding model tells questions that mean the same from those that do not, before its answers are given
to both (cache.semantic_model). Each line of the file holds two questions and a word, with tabs between them: 'same' or
'different'. The table says for each threshold how many of the former would be answered from the cache, and how many of
the latter would get a wrong answer. Questions with different numbers in them are never taken for the same.
"""
NUM_AT_ONCE = 8


def register(group: Group) -> None:
    """Add the group and its commands."""
    parser = add_parser(group, "cache", "look after the cache of responses", DESCRIPTION, EXAMPLES)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    examples = "appliance cache status\nappliance cache status --json"
    add_command(commands, "status", _status, "what it holds and saved", "Show what it holds and saved.", examples)
    add_command(commands, "clear", _clear, "forget all answers", "Forget all answers.", "appliance cache clear")
    examples = "appliance cache warm questions.txt\nappliance cache warm requests.jsonl --model qwen3-0.6b"
    warm = add_command(commands, "warm", _warm, "ask questions ahead", WARM_DESCRIPTION, examples)
    warm.add_argument("file", type=Path, metavar="FILE", help="one question, or one JSON body, on each line")
    warm.add_argument("--model", metavar="NAME", help="the model for lines that name none (default: the default model)")
    examples = "appliance cache evaluate pairs.txt --model all-minilm-l6-v2"
    evaluate = add_command(
        commands, "evaluate", _evaluate, "try questions that mean the same", EVALUATE_DESCRIPTION, examples
    )
    evaluate.add_argument(
        "file", type=Path, metavar="FILE", help="lines 'QUESTION <tab> QUESTION <tab> same|different'"
    )
    evaluate.add_argument("--model", required=True, metavar="NAME", help="a model that makes embeddings")


def _status(arguments: argparse.Namespace, context: Context) -> int:
    figures = context.client().response_cache()
    if context.is_json:
        print_json(figures)
    else:
        print(fields(_facts(figures)))
    return DONE


def _facts(figures: CacheFigures) -> list[tuple[str, str | None]]:
    num_asked = figures.num_hits + figures.num_shared + figures.num_misses
    hits, shared = figures.num_hits, figures.num_shared
    share = tr(", {ratio:.0%} not computed", ratio=(hits + shared) / num_asked) if num_asked else ""
    size, time = _of(figures.disk_bytes, figures.max_disk_bytes), format_seconds(figures.saved_s)
    return [
        ("mode", tr("{mode}, answers belong to {whose}", mode=figures.mode, whose=tr(_OWNERS[figures.scope]))),
        ("answers", tr("{number}, {size} on disk", number=figures.num_entries, size=size)),
        ("in memory", _of(figures.memory_bytes, figures.max_memory_bytes)),
        ("asked", tr("{number} times since the daemon's start{share}", number=num_asked, share=share)),
        ("hits", tr("{hits}, and {shared} joined a computation that was under way", hits=hits, shared=shared)),
        ("saved", tr("{number} tokens, {time} of computing", number=figures.saved_tokens, time=time)),
    ]


_OWNERS = {"caller": "whoever asked", "shared": "everybody"}


def _of(part_bytes: int, whole_bytes: int) -> str:
    return tr("{part} of {whole}", part=format_bytes(part_bytes), whole=format_bytes(whole_bytes))


def _clear(arguments: argparse.Namespace, context: Context) -> int:
    cleared = context.client().clear_response_cache()
    if context.is_json:
        print_json(cleared)
    else:
        size = format_bytes(cleared.freed_bytes)
        print(tr("{number} answers forgotten, {size} freed", number=cleared.num_entries, size=size))
    return DONE


def _warm(arguments: argparse.Namespace, context: Context) -> int:
    bodies = [_body(line, arguments.model) for line in _lines(arguments.file)]
    client = context.client()
    before, problems = client.response_cache(), list[str]()
    with meter(is_json=False) as show, ThreadPoolExecutor(NUM_AT_ONCE) as pool:
        for number, problem in enumerate(pool.map(lambda body: _ask(client, body), bodies), 1):
            problems += [problem] if problem else []
            show(JobProgress(text="asking", done=number, total=len(bodies), unit="questions"))
    num_computed = client.response_cache().num_misses - before.num_misses
    if context.is_json:
        print_json({"num_asked": len(bodies), "num_computed": num_computed, "num_failed": len(problems)})
    else:
        counts = {"asked": len(bodies), "computed": num_computed, "failed": len(problems)}
        print(tr("{asked} asked, {computed} of them computed; {failed} failed", **counts))
    for problem in list(dict.fromkeys(problems))[:5]:
        print(f"  {printable(problem)}", file=sys.stderr)
    return FAILED if problems else DONE


def _body(line: str, model: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": line.strip()}], "temperature": 0}
    if line.lstrip().startswith("{"):
        try:
            body = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError as error:
            problem = tr("this line is no JSON object ({error}): {line}", error=error, line=line[:80])
            raise CommandError(problem, WRONG_USAGE) from None
    named = {} if model is None or "model" in body else {"model": model}
    return body | named | {"stream": False, "priority": "batch", "cache": {"mode": "force"}}


def _ask(client: Client, body: dict[str, Any]) -> str | None:
    """Return what went wrong, None when the answer is there."""
    try:
        client.complete_chat(body)
    except ClientError as error:
        return str(error)
    return None


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(tr("{path} cannot be read: {error}", path=path, error=error), WRONG_USAGE) from error


def _evaluate(arguments: argparse.Namespace, context: Context) -> int:
    from .near_questions import advice, judge, read_pairs, similarities

    pairs = read_pairs(_lines(arguments.file))
    judged = judge(pairs, similarities(context.client(), arguments.model, pairs))
    if context.is_json:
        print_json({"model": arguments.model, "num_pairs": len(pairs), "thresholds": judged})
        return DONE
    rows = [(f"{each.threshold:.2f}", f"{each.hit_ratio:.0%}", f"{each.wrong_ratio:.0%}") for each in judged]
    print(table(("THRESHOLD", "HITS", "WRONG"), rows, right=("THRESHOLD", "HITS", "WRONG")))
    print(advice(judged, arguments.model))
    return DONE
