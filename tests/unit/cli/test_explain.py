"""What `appliance explain` shows, with a daemon and without."""

from appliance.core.measurement import Candidate, Explanation, ModelSpeed, PrefillSpeed
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon

PATH = "/admin/v1/explain/qwen3"


def speed(prefill: float, one: float, eight: float) -> ModelSpeed:
    read = (PrefillSpeed(num_tokens=128, tokens_per_s=1.0), PrefillSpeed(num_tokens=512, tokens_per_s=prefill))
    return ModelSpeed(prefill=read, decode_1_tokens_per_s=one, decode_8_tokens_per_s=eight)


CHOSEN = Candidate(
    variant="tvm-Q4_0",
    backend="tvm",
    device="cpu",
    model="qwen3",
    format="gguf",
    quantization="Q4_0",
    is_chosen=True,
    is_ready=True,
    reason="tvm reads prompts 2.3 times as fast",
    speed=speed(1593.0, 118.2, 592.0),
    is_measured=True,
    memory_bytes=2**30,
    loss_ratio=0.0,
    time_ratio=1.0,
)
SLOW = Candidate(
    variant="llama_cpp-Q4_0",
    backend="llama_cpp",
    device="cpu",
    model="qwen3",
    format="gguf",
    quantization="Q4_0",
    is_chosen=False,
    is_ready=False,
    reason="not installed\x1b[2J",
    mend="pip install it",
    speed=speed(690.0, 8.96, 200.0),
    memory_bytes=2**31,
    loss_ratio=0.004,
    time_ratio=2.0,
)
UNKNOWN = Candidate(
    variant="echo",
    backend="echo",
    device="cpu",
    model="qwen3",
    format="gguf",
    quantization=None,
    is_chosen=False,
    is_ready=True,
    reason="nothing is known of its speed",
)
FOUND = Explanation(
    model="qwen3",
    task="generate",
    chosen_by="measurement",
    candidates=(CHOSEN, SLOW, UNKNOWN),
    reasons=(CHOSEN.reason, "4 threads"),
)


def test_it_shows_all_ways_with_their_numbers_and_why_not_the_others(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", PATH, FOUND)
    assert appliance("explain", "qwen3").out.splitlines() == [
        "qwen3 runs on tvm as tvm-Q4_0: by measuring",
        "",
        "VARIANT         READS  WRITES  8 AT ONCE  KNOWN       MEMORY  LOSS  TIME",
        "tvm-Q4_0        1,593     118        592  measured   1.0 GiB     -  1.00 ██████████            taken",
        "llama_cpp-Q4_0    690     9.0        200  predicted  2.0 GiB  0.4%  2.00 ████████████████████  not ready",
        "echo                -       -          -  -                -     -  -",
        "",
        "llama_cpp-Q4_0: not installed[2J",
        "  pip install it",
        "echo: nothing is known of its speed",
        "",
        "- tvm reads prompts 2.3 times as fast",
        "- 4 threads",
    ]


def test_json_is_the_explanation_itself(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", PATH, FOUND)
    answer = appliance("explain", "qwen3", "--json").json
    assert isinstance(answer, dict)
    assert (answer["chosen_by"], len(answer["candidates"])) == ("measurement", 3)


def test_what_cannot_run_is_a_failure(appliance: Command, daemon: FakeDaemon) -> None:
    found = Explanation(model="qwen3", task="generate", chosen_by=None, candidates=(SLOW,), problem="no memory")
    daemon.reply("GET", PATH, found)
    result = appliance("explain", "qwen3")
    assert (result.code, result.out.splitlines()[0]) == (1, "qwen3 cannot run here: no memory")


def test_it_works_without_a_daemon(run: Command) -> None:
    result = run("explain", "guide")
    assert result.code == 0, result.err
    assert result.out.startswith("guide runs on llama_cpp as llama_cpp-Q8_0")
    assert run("explain", "nobody").code != 0
