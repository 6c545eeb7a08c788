"""The workloads that an engine for many callers is measured by, against one server or two, side by side.

    python tests/bench/workloads.py --a http://127.0.0.1:8484 --b http://127.0.0.1:8080
    python tests/bench/workloads.py --model MODEL.gguf --start-a appliance --start-b PATH/llama-server --json OUT.json

Both servers are up, one works at a time, in turns A B A B; the first round is not measured, and every turn has fresh
prompts. The ratio A / B is that of the pairs: median (least to greatest). Times are in seconds, as a client sees them.
`restart` needs a server that is started here. `copying` needs the model of copying_model.py, and the conversations and
`repetitive` a chat template. A server that dies or stays silent is a line in the table, and the next scenario goes on.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import shlex
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import peers
from tests.bench.stream import Server
from tests.bench.workload_client import Site
from tests.bench.workload_drafts import Copying, Repetitive
from tests.bench.workload_figures import Scenario
from tests.bench.workload_prefixes import Conversations, Restart, SharedPrefix
from tests.bench.workload_sharing import Decode, Fairness, LongArrival
from tests.bench.workload_turns import compare, lines_of

SCENARIOS: dict[str, Scenario] = {
    "shared-prefix": SharedPrefix(),
    "long-arrival": LongArrival(),
    "conversations": Conversations(),
    "restart": Restart(),
    "repetitive": Repetitive(),
    "copying": Copying(),
    "decode": Decode(),
    "fairness": Fairness(),
}
BUSY_LOAD = 0.3


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the arguments; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for side in "ab":
        parser.add_argument(f"--{side}", metavar="URL", help=f"base URL of server {side.upper()}, which is up")
        parser.add_argument(
            f"--start-{side}", metavar="WHAT", help="start it: 'appliance', or the path of llama-server"
        )
        parser.add_argument(f"--model-{side}", metavar="NAME", help="model to name in requests (default: none)")
        parser.add_argument(f"--key-{side}", metavar="KEY", help="sent as a bearer token")
        parser.add_argument(f"--other-key-{side}", metavar="KEY", help="of the small caller of 'fairness'")
        parser.add_argument(
            f"--options-{side}",
            type=shlex.split,
            default=[],
            metavar="WORDS",
            help="for a server that is started: options of llama-server, or NAME=VALUE for our environment",
        )
    parser.add_argument("--model", type=Path, metavar="FILE", help="model of the servers that are started")
    parser.add_argument(
        "--checkout", type=Path, default=Path(__file__).resolve().parents[2], help="ours is run from it"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of llama-server (default: all)")
    parser.add_argument("--scenarios", type=lambda text: text.split(","), default=[*SCENARIOS], metavar="NAMES")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds")
    parser.add_argument("--warm-up-rounds", type=int, default=1, help="rounds before them (default: 1)")
    parser.add_argument("--ids", type=ids_of, default=range(512, 100_000), metavar="FROM-TO", help="of random prompts")
    parser.add_argument("--plain", type=json.loads, metavar="JSON", help="fields that switch speculation off")
    parser.add_argument("--timeout", type=float, default=900.0, metavar="S", help="of one turn (default: 900)")
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="of the prompts; no server sees it twice")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.scenarios) - set(SCENARIOS)
    if unknown:
        parser.error(f"no scenario is called {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    for side in "ab":
        if getattr(arguments, f"start_{side}") and arguments.model is None:
            parser.error(f"--start-{side} needs --model")
    if not (arguments.a or arguments.start_a):
        parser.error("name server A by --a or --start-a")
    return arguments


def ids_of(text: str) -> range:
    """Return the ids that `FROM-TO` names, without the last."""
    first, _, stop = text.partition("-")
    return range(int(first), int(stop))


def site_of(arguments: argparse.Namespace, side: str, rng: random.Random, stack: ExitStack) -> Site | None:
    """Return one side, started if it has to be; None when there is no such side."""
    chosen = {name: getattr(arguments, f"{name}_{side}") for name in ("start", "model", "key", "other_key", "options")}
    url, peer = getattr(arguments, side), None
    if chosen["start"]:
        peer = peer_of(arguments, chosen["start"], chosen["options"])
        stack.callback(peer.close)
        print(f"{side.upper()}: {peer.name}, ready after {peer.start():.1f} s", file=sys.stderr)
        url = peer.url
    if url is None:
        return None
    server = Server(url, chosen["model"], chosen["key"])
    return Site(server, arguments.ids, rng, chosen["other_key"], arguments.plain, peer)


def peer_of(arguments: argparse.Namespace, start: str, options: list[str]) -> peers.Peer:
    """Return the server that `--start-a` or `--start-b` means."""
    model = arguments.model.absolute()
    if start != "appliance":
        return peers.llama_server(Path(start), model, arguments.threads, options)
    return peers.appliance(arguments.checkout.absolute(), model, dict(option.split("=", 1) for option in options))


async def run(arguments: argparse.Namespace, sites: dict[str, Site]) -> list[dict[str, Any]]:
    """Measure every scenario, printing each as it is known."""
    results = []
    for name in arguments.scenarios:
        results.append(
            await compare(name, SCENARIOS[name], sites, arguments.warm_up_rounds, arguments.rounds, arguments.timeout)
        )
        print("\n".join(lines_of(results[-1])), flush=True)
    return results


def main() -> None:
    arguments = parse()
    signal.signal(signal.SIGTERM, _interrupt)
    load_1_min = os.getloadavg()[0]
    if load_1_min > BUSY_LOAD:
        print(f"warning: the machine is busy (load {load_1_min:.1f}); figures will be off", file=sys.stderr)
    with ExitStack() as stack:
        rng = random.Random(arguments.seed)
        try:
            found = {side: site_of(arguments, side, rng, stack) for side in "ab"}
            sites = {side: site for side, site in found.items() if site is not None}
            results = asyncio.run(run(arguments, sites))
        except (OSError, TimeoutError) as error:
            sys.exit(f"a server gave no answer: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted; the servers that were started here are stopped")
    if arguments.json:
        arguments.json.write_text(json.dumps(_report(arguments, load_1_min, results), indent=2) + "\n")


def _report(arguments: argparse.Namespace, load_1_min: float, results: list[dict[str, Any]]) -> dict[str, Any]:
    settings = {name: str(value) for name, value in vars(arguments).items() if "key" not in name}
    machine = {"processors": os.cpu_count(), "system": platform.platform(), "load_1_min_before": load_1_min}
    return {"settings": settings, "machine": machine, "results": results}


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
