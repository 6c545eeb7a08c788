"""How near the predicted memory of a model is to what its worker takes, from the outside, at several contexts.

    python tests/bench/memory.py MODEL.gguf FOLDER_OF_ONNX... [--variants tvm ...] [--contexts 2048 8192 32768]

Each model runs in a real daemon whose context is set and nearly filled by one prompt, with nothing kept of prefixes.
Prints a row for each way of running it: predicted, the greatest resident size of its worker, and their ratio; the
resident size counts the file's pages that are mapped. `--variants` are tried beside what is chosen by itself.
"""

import argparse
import re
import tempfile
from pathlib import Path

import httpx

from appliance.core.units import format_bytes
from tests.conftest import RealDaemon, running_daemon

_LEFT_TOKENS = 64
_FIRST_TOKEN, _NUM_TOKENS = 300, 600  # ordinary ones in every vocabulary that we have, so that no prefix repeats


def peak_bytes(pid: int) -> int:
    """Return the greatest resident size that a process ever had. Source: proc_pid_status(5), VmHWM."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def fill(http: httpx.Client, model: str, num_tokens: int) -> int:
    """Send a prompt of nearly so many tokens and return how many it had."""
    tokens = [_FIRST_TOKEN + number * 7919 % _NUM_TOKENS for number in range(num_tokens - _LEFT_TOKENS)]
    asked = {"model": model, "prompt": tokens, "max_tokens": 8, "temperature": 0, "cache": {"mode": "off"}}
    answer = http.post("/v1/completions", json=asked).raise_for_status().json()
    return int(answer["usage"]["prompt_tokens"])


def measure(daemon: RealDaemon, variant: str | None) -> tuple[str, int, int, int]:
    """Return the backend, the prediction, the peak and the tokens of the prompt, for one way of running the model."""
    model = "measured" if variant is None else f"measured@{variant}"
    headers = {"Authorization": f"Bearer {(daemon.home / 'run' / 'local.key').read_text()}"}
    with httpx.Client(base_url=daemon.url, headers=headers, timeout=1800) as http:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        before = set(daemon.worker_pids())
        shown = http.get(f"/admin/v1/models/{model}").raise_for_status().json()
        http.post("/admin/v1/models/load", json={"model": model}).raise_for_status()
        num_tokens = fill(http, model, shown["context_tokens"])
        peak = max(peak_bytes(pid) for pid in set(daemon.worker_pids()) - before)
        loaded = next(each for each in http.get("/admin/v1/status").json()["models"] if each["name"] == model)
        http.post("/admin/v1/models/unload", json={"model": model}).raise_for_status()
    return loaded["backend"], shown["estimated_bytes"], peak, num_tokens


def main() -> None:
    """Measure all that was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--variants", nargs="*", default=[])
    parser.add_argument("--contexts", nargs="*", type=int, default=[2048, 8192, 32_768])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    print(f"{'model':24} {'backend':10} {'context':>8} {'prompt':>7} {'predicted':>10} {'peak':>10} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for model in arguments.models:
            home = Path(folder) / model.name
            for context_tokens in arguments.contexts:
                limits = {
                    "APPLIANCE_ENGINE__CONTEXT_TOKENS": str(context_tokens),
                    "APPLIANCE_ENGINE__KV_CAPACITY_TOKENS": str(context_tokens),
                    "APPLIANCE_ENGINE__THREADS": str(arguments.threads),
                    "APPLIANCE_KV__MEMORY_BYTES": "0",
                    "APPLIANCE_KV__DISK_BYTES": "0",
                }
                with running_daemon(home, **limits) as daemon:
                    if context_tokens == arguments.contexts[0]:
                        for _ in daemon.client.add_model(str(model.resolve()), name="measured"):
                            pass
                    for variant in (None, *arguments.variants):
                        backend, predicted, peak, num_tokens = measure(daemon, variant)
                        print(
                            f"{model.name[:24]:24} {backend:10} {context_tokens:8} {num_tokens:7} "
                            f"{format_bytes(predicted):>10} {format_bytes(peak):>10} {peak / predicted:6.2f}",
                            flush=True,
                        )


if __name__ == "__main__":
    main()
