"""Compares two servers with an OpenAI-compatible API, side by side, on one machine.

    python tests/bench/serve.py --a http://127.0.0.1:8484 --b http://127.0.0.1:8080

Both are up, one works at a time, in turns A B A B. Every turn has fresh random prompts and a fixed output length
(`ignore_eos`); the first round is not measured. Tokens are those that the usage of the answers counts.
A busy machine changes figures by half, so the ratio of the pairs is what to read; start when nothing else runs.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import string
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.stream import Server, stream

TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Round:
    """One turn of one server: all streams started together."""

    tokens_per_s: float
    first_text_s: list[float]
    gaps_s: list[float]
    num_short_answers: int
    client_cpu_ratio: float


@dataclass(frozen=True)
class Summary:
    """One server's rounds at one number of streams."""

    tokens_per_s: float
    ttft_ms: float
    itl_p50_ms: float
    itl_p99_ms: float
    num_short_answers: int
    client_cpu_ratio: float


def random_prompt(rng: random.Random, num_words: int) -> str:
    """Return words that no cache has seen."""
    return " ".join("".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 7))) for _ in range(num_words))


def body_of(arguments: argparse.Namespace, prompt: str) -> dict[str, Any]:
    """Return the request for one prompt."""
    question = {"messages": [{"role": "user", "content": prompt}]} if arguments.chat else {"prompt": prompt}
    return {**question, "max_tokens": arguments.tokens, "ignore_eos": True, **arguments.body}


async def words_for(server: Server, arguments: argparse.Namespace, rng: random.Random) -> int:
    """Return how many random words make about `--prompt-tokens` tokens for this model."""
    answer = await stream(server, path_of(arguments), {**body_of(arguments, random_prompt(rng, 64)), "max_tokens": 1})
    return max(1, round(64 * arguments.prompt_tokens / max(1, answer.prompt_tokens)))


def path_of(arguments: argparse.Namespace) -> str:
    return "/v1/chat/completions" if arguments.chat else "/v1/completions"


async def measure(server: Server, arguments: argparse.Namespace, prompts: list[str]) -> Round:
    """Send all prompts at once and wait for all answers."""
    start_s, cpu_start_s = time.perf_counter(), time.process_time()
    work = (stream(server, path_of(arguments), body_of(arguments, prompt)) for prompt in prompts)
    answers = await asyncio.wait_for(asyncio.gather(*work), TIMEOUT_S)
    duration_s, cpu_s = time.perf_counter() - start_s, time.process_time() - cpu_start_s
    return Round(
        tokens_per_s=sum(answer.completion_tokens for answer in answers) / duration_s,
        first_text_s=[answer.time_to_first_text_s for answer in answers],
        gaps_s=[gap_s for answer in answers for gap_s in answer.gaps_s],
        num_short_answers=sum(
            answer.error is not None or answer.completion_tokens != arguments.tokens for answer in answers
        ),
        client_cpu_ratio=cpu_s / duration_s,
    )


def summary_of(rounds: list[Round]) -> Summary:
    """Return the medians of several rounds."""
    gaps_s = sorted(gap_s for turn in rounds for gap_s in turn.gaps_s) or [0.0]
    return Summary(
        tokens_per_s=statistics.median(turn.tokens_per_s for turn in rounds),
        ttft_ms=1000 * statistics.median(first_s for turn in rounds for first_s in turn.first_text_s),
        itl_p50_ms=1000 * gaps_s[len(gaps_s) // 2],
        itl_p99_ms=1000 * gaps_s[len(gaps_s) * 99 // 100],
        num_short_answers=sum(turn.num_short_answers for turn in rounds),
        client_cpu_ratio=statistics.median(turn.client_cpu_ratio for turn in rounds),
    )


async def compare(
    arguments: argparse.Namespace, num_streams: int, num_words: int, rng: random.Random
) -> dict[str, Any]:
    """Return the figures of both servers at one number of streams."""
    servers = (
        Server(arguments.a, arguments.model_a, arguments.key_a),
        Server(arguments.b, arguments.model_b, arguments.key_b),
    )
    rounds: tuple[list[Round], list[Round]] = ([], [])
    for turn in range(1 + arguments.rounds):
        for server, measured in zip(servers, rounds, strict=True):
            prompts = [random_prompt(rng, num_words) for _ in range(num_streams)]
            result = await measure(server, arguments, prompts)
            if turn > 0:
                measured.append(result)
    ratios = [a.tokens_per_s / b.tokens_per_s for a, b in zip(*rounds, strict=True)]
    return {
        "streams": num_streams,
        "a": asdict(summary_of(rounds[0])),
        "b": asdict(summary_of(rounds[1])),
        "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
    }


def line_of(figures: dict[str, Any]) -> str:
    a, b, ratio = figures["a"], figures["b"], figures["ratio"]
    return (
        f"{figures['streams']:7} {a['tokens_per_s']:9.1f} {b['tokens_per_s']:9.1f} "
        f"{ratio['median']:7.3f} ({ratio['min']:.3f} to {ratio['max']:.3f}) "
        f"{a['ttft_ms']:8.0f} {b['ttft_ms']:8.0f}   "
        f"{a['itl_p50_ms']:6.1f} / {a['itl_p99_ms']:6.1f}  {b['itl_p50_ms']:6.1f} / {b['itl_p99_ms']:6.1f}   "
        f"{100 * a['client_cpu_ratio']:4.1f} {100 * b['client_cpu_ratio']:4.1f}"
    )


HEADER = (
    "streams  A tok/s   B tok/s   A / B (min to max)         A TTFT   B TTFT   A ITL p50 / p99  B ITL p50 / p99   "
    "client CPU %: A B   (times in ms)"
)


async def run(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure every number of streams, printing each line as it is known."""
    rng = random.Random(arguments.seed)
    num_words = await words_for(Server(arguments.a, arguments.model_a, arguments.key_a), arguments, rng)
    if not arguments.json:
        print(HEADER)
    results = []
    for num_streams in arguments.streams:
        results.append(await compare(arguments, num_streams, num_words, rng))
        if not arguments.json:
            print(line_of(results[-1]), flush=True)
        short = results[-1]["a"]["num_short_answers"], results[-1]["b"]["num_short_answers"]
        if any(short):
            print(f"note: {short[0]} answers of A and {short[1]} of B ended early or with an error", file=sys.stderr)
    return results


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the arguments; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for side in "ab":
        parser.add_argument(f"--{side}", required=True, metavar="URL", help=f"base URL of server {side.upper()}")
        parser.add_argument(f"--model-{side}", metavar="NAME", help="model to name in requests (default: none)")
        parser.add_argument(f"--key-{side}", metavar="KEY", help="sent as a bearer token")
    parser.add_argument("--streams", type=lambda text: [int(n) for n in text.split(",")], default=[1, 4, 8, 16])
    parser.add_argument("--tokens", type=int, default=64, help="length of every answer")
    parser.add_argument("--prompt-tokens", type=int, default=64, help="approximate length of every prompt")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds for each number of streams")
    parser.add_argument("--chat", action="store_true", help="use /v1/chat/completions instead of /v1/completions")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns(), help="of the prompts; one server never sees it twice"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--body",
        type=json.loads,
        default={"temperature": 0.8, "top_k": 40, "top_p": 0.95},
        metavar="JSON",
        help="further fields of every request (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main() -> None:
    arguments = parse()
    load_1_min = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    if load_1_min is not None and load_1_min > 0.5:
        print(f"warning: the machine is busy (load {load_1_min:.1f}); figures will be off", file=sys.stderr)
    try:
        results = asyncio.run(run(arguments))
    except (OSError, TimeoutError) as error:
        sys.exit(f"a server gave no answer: {error}")
    if arguments.json:
        settings = {name: value for name, value in vars(arguments).items() if not name.startswith("key_")}
        machine = {"processors": os.cpu_count(), "system": platform.platform(), "load_1_min": load_1_min}
        print(json.dumps({"settings": settings, "machine": machine, "results": results}, indent=2))


if __name__ == "__main__":
    main()
