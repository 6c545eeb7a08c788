"""`appliance models`, with a daemon and without."""

from pathlib import Path

import msgspec
import pytest

from appliance.core.admin import Done, Problem, Progress, Removed
from appliance.core.catalogue import FitAt
from models.embedded import EMBEDDED_PATH
from tests.catalogues import fit_of
from tests.unit.backends.ways import measurement
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, installed

MODELS = "/admin/v1/models"


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """A small model's file that is not in the store."""
    path = tmp_path / "Small Model.gguf"
    path.write_bytes(EMBEDDED_PATH.read_bytes())
    return path


def test_list_shows_one_aligned_line_for_each_model(appliance: Command, daemon: FakeDaemon) -> None:
    unknown = installed("a", is_default=False, num_parameters=None, quantization=None, trained_context_tokens=None)
    daemon.reply("GET", MODELS, {"models": [installed(is_pinned=True), unknown]})

    assert appliance("models", "list").out.splitlines() == [
        "NAME      SIZE  PARAMS  QUANT  CONTEXT  STATE",
        "guide  3.0 MiB    920K  Q8_0      2048  stopped  default, pinned",
        "a      3.0 MiB       -  -            -  stopped",
    ]


def test_show_lists_what_is_known_and_says_what_is_not(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", f"{MODELS}/guide", installed(licence=None, context_tokens=1024, reasons=("only one",)))
    fit = fit_of(contexts=(FitAt(context_tokens=2048, memory_bytes=2**30, is_fitting=False),), notes=("estimated",))
    daemon.reply("GET", "/admin/v1/fit/guide", fit)

    lines = appliance("models", "show", "guide").out.splitlines()

    assert "licence           unknown" in lines
    assert "context here      1024 tokens" in lines
    assert "why so            only one" in lines
    assert "with 2048 tokens  1.0 GiB, too much now" in lines
    assert lines[-1] == "note              estimated"


def test_show_says_in_one_line_what_runs_a_model_and_why_and_what_was_measured(
    appliance: Command, daemon: FakeDaemon
) -> None:
    model = installed(backend="llama_cpp", reasons=("the name asks for it", "4 threads"))
    daemon.reply("GET", f"{MODELS}/guide", model)
    found = msgspec.structs.replace(measurement(900.0, 90.5, 300.0), is_disturbed=True)
    daemon.reply("GET", "/admin/v1/fit/guide", fit_of(measured=found))

    lines = appliance("models", "show", "guide").out.splitlines()

    assert "runs on          llama_cpp: the name asks for it" in lines
    assert "why so           4 threads" in lines
    measured = next(line for line in lines if line.startswith("measured"))
    assert "reads 900 tokens/s of 128 at once, reads 900 tokens/s of 512 at once, writes 90 tokens/s" in measured
    assert measured.endswith("300 in 8 chats together; on 2026-11-02 beside other programs")


def test_show_says_of_a_model_that_is_not_here_how_it_would_fit(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", "/admin/v1/fit/qwen3-8b", fit_of("qwen3-8b", is_installed=False, reference="hf:a/b:Q4_K_M"))

    out = appliance("models", "show", "qwen3-8b").out

    assert "not installed; get it with: appliance pull qwen3-8b" in out
    assert "hf:a/b:Q4_K_M" in out


def test_add_sends_the_whole_path_and_says_how_to_go_on(
    appliance: Command, daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    progress = [Progress(text="reading", done=done, total=100.0, unit="bytes") for done in (0.0, 1.0, 50.0, 51.0)]
    daemon.stream(MODELS, *progress, Done(model=installed("small")))

    result = appliance("models", "add", "small.gguf", "--name", "small", "--copy")

    assert daemon.asked[-1].body == {"path": str(tmp_path / "small.gguf"), "name": "small", "copy": True}
    assert result.out == "added 'small'; chat with it: appliance run small\n"
    assert result.err.splitlines() == ["reading: 0 B of 100 B", "reading: 50 B of 100 B"]


def test_progress_as_json_is_a_line_for_each_event(appliance: Command, daemon: FakeDaemon) -> None:
    events = [Progress(text="loading", done=0.5, total=1.0, unit="ratio"), Done(model=installed())]
    daemon.stream(f"{MODELS}/load", *events)

    result = appliance("models", "load", "guide", "--json")

    assert [msgspec.json.decode(line)["type"] for line in result.out.splitlines()] == ["progress", "done"]
    assert result.err == ""


@pytest.mark.parametrize(
    ("code", "exit_code"), [("does_not_fit", 4), ("model_loading", 75), ("backend_error", 1), ("model_not_found", 4)]
)
def test_a_load_that_fails_exits_with_what_its_code_means(
    appliance: Command, daemon: FakeDaemon, code: str, exit_code: int
) -> None:
    daemon.stream(f"{MODELS}/load", Problem(message="no", code=code))

    result = appliance("models", "load", "guide")

    assert (result.code, result.err) == (exit_code, "appliance: no\n")


@pytest.mark.parametrize(
    ("argv", "path", "body"),
    [
        (["unload", "guide"], "unload", {"model": "guide", "is_pinned": True}),
        (["pin", "guide"], "pin", {"model": "guide", "is_pinned": True}),
        (["pin", "guide", "--off"], "pin", {"model": "guide", "is_pinned": False}),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_verbs_go_to_their_routes(
    appliance: Command, daemon: FakeDaemon, argv: list[str], path: str, body: object, flags: list[str]
) -> None:
    daemon.reply("POST", f"{MODELS}/{path}", None)

    result = appliance("models", *argv, *flags)

    assert (result.code, daemon.asked[-1].body) == (0, body)
    assert "guide" in result.out


@pytest.mark.parametrize("verb", ["load", "unload", "pin"])
def test_what_needs_memory_needs_a_daemon(run: Command, verb: str) -> None:
    assert run("models", verb, "guide").code == 3


def test_rm_says_what_became_of_the_file(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("DELETE", f"{MODELS}/a", Removed(name="a", freed_bytes=2**30))
    daemon.reply("DELETE", f"{MODELS}/b", Removed(name="b", freed_bytes=9000, kept_path="/my/b.onnx"))
    daemon.reply("DELETE", f"{MODELS}/c", Removed(name="c", freed_bytes=0))

    assert appliance("models", "rm", "a").out == "removed 'a'; 1.0 GiB freed\n"
    assert appliance("models", "rm", "b").out == "removed 'b'; its file stays where it is: /my/b.onnx\n"
    assert appliance("models", "rm", "c").out == "removed 'c'; its files stay, as another model is made of the same\n"


def test_without_a_daemon_a_model_is_added_listed_shown_and_removed(run: Command, gguf: Path) -> None:
    added = run("models", "add", str(gguf))
    listed = run("models", "list", "--json").json
    shown = run("models", "show", "small-model", "--json").json

    assert (added.code, added.out) == (0, "added 'small-model'; chat with it: appliance run small-model\n")
    assert [model["name"] for model in listed] == ["guide", "small-model"]
    assert (shown["path"], shown["state"]) == (str(gguf), "stopped")

    assert run("models", "rm", "small-model").code == 0
    assert [model["name"] for model in run("models", "list", "--json").json] == ["guide"]
    assert gguf.exists()


def test_without_a_daemon_a_copy_is_freed_when_its_model_is_removed(run: Command, gguf: Path) -> None:
    run("models", "add", str(gguf), "--copy", "--name", "mine")
    gguf.unlink()

    assert run("models", "show", "mine").code == 0
    assert run("models", "rm", "mine", "--json").json["freed_bytes"] == EMBEDDED_PATH.stat().st_size


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["show", "gide"], "did you mean 'guide'"),
        (["rm", "nothing"], "no model is called 'nothing'"),
        (["rm", "guide"], "cannot be removed"),
        (["add", "/nowhere/a.gguf"], "does not exist"),
        (["add", __file__], "not a GGUF file"),
    ],
)
def test_without_a_daemon_what_cannot_be_is_refused_in_words(run: Command, argv: list[str], words: str) -> None:
    result = run("models", *argv)

    assert result.code == 4
    assert words in result.err


def test_a_daemon_that_was_named_is_never_replaced_by_the_files_here(run: Command) -> None:
    result = run("models", "list", APPLIANCE_URL="http://127.0.0.1:9")

    assert (result.code, result.out) == (3, "")
