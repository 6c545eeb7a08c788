import asyncio
import json
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from tests.bench import workloads
from tests.bench.copying_model import CYCLE_TOKENS, successor
from tests.bench.peers import Peer, PeerDied, free_port
from tests.bench.stream import Server
from tests.bench.test_serve import EVENTS, HEAD, FakeServer
from tests.bench.workload_client import Site
from tests.bench.workload_drafts import Copying
from tests.bench.workload_figures import Figures, NotApplicable
from tests.bench.workload_prefixes import Conversations, Restart, SharedPrefix
from tests.bench.workload_sharing import Decode, Fairness, LongArrival
from tests.bench.workload_turns import compare, lines_of, medians, ratios

T = TypeVar("T")
IDS = range(512, 10_000)
CHAT = (
    b'data: {"choices":[{"delta":{"content":"on"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"e"}}],"timings":{"cache_n":4,"draft_n":6,"draft_n_accepted":5}}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}\n\n',
    b"data: [DONE]\n\n",
)


def site_at(url: str) -> Site:
    return Site(Server(url, None, None), IDS, random.Random(1), tokens_per_word=2.0)


def visit(fake: FakeServer, work: Callable[[Site], Awaitable[T]]) -> T:
    async def visiting() -> T:
        async with fake as url:
            return await work(site_at(url))

    return asyncio.run(visiting())


def test_callers_with_a_shared_prefix_send_it_once_each_with_an_end_of_their_own() -> None:
    fake = FakeServer(HEAD, *EVENTS)
    figures = visit(fake, SharedPrefix(num_callers=3, shared_tokens=10, own_tokens=2, answer_tokens=5).run)
    prompts: list[tuple[int, ...]] = [tuple(body["prompt"]) for body in fake.bodies]
    assert {len(prompt) for prompt in prompts} == {12}
    assert len({prompt[:10] for prompt in prompts}) == 1
    assert len(set(prompts)) == 3
    assert 0 < figures["mean_ttft_s"] <= figures["max_ttft_s"]


def test_a_long_prompt_is_sent_after_all_streams_have_written_and_all_tokens_count() -> None:
    fake = FakeServer(HEAD, *EVENTS)
    figures = visit(fake, LongArrival(num_streams=3, short_tokens=4, long_tokens=50, head_start_tokens=1).run)
    assert [len(body["prompt"]) for body in fake.bodies] == [4, 4, 4, 50]
    assert figures["tokens_per_s"] * figures["long_ttft_s"] < 4 * (7 + 5)


def test_a_stream_that_ends_early_does_not_hold_the_long_prompt_back() -> None:
    fake = FakeServer(HEAD, *EVENTS)
    visit(fake, LongArrival(num_streams=1, long_tokens=50, head_start_tokens=1000).run)
    assert len(fake.bodies) == 2


def test_a_conversation_goes_on_after_all_others_with_what_was_answered() -> None:
    fake = FakeServer(HEAD, *CHAT)
    figures = visit(fake, Conversations(num_conversations=3, num_turns=2, num_at_once=2, answer_tokens=5).run)
    histories: list[list[dict[str, str]]] = [body["messages"] for body in fake.bodies]
    assert [len(history) for history in histories] == [1, 1, 1, 3, 3, 3]
    assert {history[1]["content"] for history in histories[3:]} == {"one"}
    assert histories[3][0] in [history[0] for history in histories[:3]]
    assert figures["later_cached_ratio"] == pytest.approx(4 / 7)


def test_the_small_caller_is_another_user_and_is_asked_alone_first() -> None:
    fake = FakeServer(HEAD, *EVENTS)
    figures = visit(fake, Fairness(num_requests=3, head_start_tokens=1).run)
    users = [body["user"] for body in fake.bodies]
    assert users[0] == "b"
    assert sorted(map(str, users[1:])) == ["a", "a", "a", "b"]
    assert figures["beside_by_alone"] == figures["beside_ttft_s"] / figures["alone_ttft_s"]


def test_what_a_server_guessed_is_told_beside_the_speeds() -> None:
    figures = visit(FakeServer(HEAD, *CHAT), Copying(answer_tokens=5).run)
    assert (figures["drafted_tokens"], figures["accepted_tokens"]) == (6, 5)
    assert figures["by_plain"] == figures["tokens_per_s"] / figures["plain_tokens_per_s"]


def test_the_copying_answer_is_the_passage_without_its_edits_and_the_plain_one_repeats_nothing() -> None:
    scenario = Copying()
    prompt, plain = scenario.prompts(site_at("http://unused"))
    assert len(prompt) == len(plain) == scenario.passage_tokens + 2
    answers = [[prompt[-1]], [plain[-1]]]
    for answer in answers:
        while len(answer) < scenario.answer_tokens:
            answer.append(successor(answer[-1]))
    differing = [place for place, token in enumerate(answers[0]) if prompt[place] != token]
    assert len(differing) == scenario.num_edits
    assert not set(answers[1]) & set(plain[:-1])
    assert not set(answers[1]) & set(answers[0])


def test_the_successors_of_a_token_are_a_cycle() -> None:
    assert successor(5) == 6
    assert successor(2 * CYCLE_TOKENS - 1) == CYCLE_TOKENS


def test_a_restart_needs_a_server_of_our_own() -> None:
    with pytest.raises(NotApplicable):
        visit(FakeServer(HEAD, *EVENTS), Restart().run)


def test_medians_and_the_ratios_of_pairs() -> None:
    a: list[Figures] = [{"x": 1.0, "never": 0.0}, {"x": 3.0, "never": 1.0}, {"x": 8.0, "never": 1.0}]
    b: list[Figures] = [{"x": 2.0, "never": 0.0}, {"x": 2.0, "never": 1.0}, {"x": 2.0, "never": 1.0}]
    assert medians(a) == {"x": 3.0, "never": 1.0}
    assert ratios(a, b) == {"x": {"median": 1.5, "min": 0.5, "max": 4.0}}
    assert ratios(a, []) == {}


def test_a_server_that_is_gone_is_a_note_and_the_other_is_measured_all_the_same() -> None:
    fake = FakeServer(HEAD, *EVENTS)

    async def work() -> dict[str, object]:
        async with fake as url:
            sites = {"a": site_at(f"http://127.0.0.1:{free_port()}"), "b": site_at(url)}
            return await compare("decode", Decode((1, 2), 4, 5), sites, 1, 2, 10.0)

    result = asyncio.run(work())
    assert len(fake.bodies) == 3 * (1 + 2)
    assert "tokens_per_s_2" in result["b"]
    assert "A: ConnectionRefusedError" in "\n".join(lines_of(result))


def test_a_silent_server_is_given_up_after_the_timeout() -> None:
    is_left = asyncio.Event()

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            await reader.read()
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()
        is_left.set()

    async def work() -> dict[str, object]:
        async with await asyncio.start_server(keep_silent, "127.0.0.1", 0) as server:
            site = site_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            result = await compare("decode", Decode((1,), 4, 5), {"a": site}, 0, 2, 0.05)
            await is_left.wait()
            return result

    assert "TimeoutError" in str(asyncio.run(work())["notes"])


def web_server(folder: Path) -> Peer:
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    return Peer("web", port, command, "/", folder, {})


def test_a_server_is_started_until_ready_killed_and_started_again(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    peer = web_server(tmp_path / "web")
    assert peer.start() > 0
    peer.kill()
    assert not peer.is_running
    with pytest.raises(PeerDied, match=f"ended with status {-signal.SIGKILL}"):
        peer.check()
    peer.start()
    peer.check()
    peer.close()
    assert not peer.is_running
    assert not peer.folder.exists()


def test_a_started_server_that_dies_is_noted_and_is_there_again_for_the_next_scenario(tmp_path: Path) -> None:
    peer = web_server(tmp_path)
    peer.start()
    site = site_at(peer.url)
    site.peer = peer

    class Deadly:
        async def run(self, site: Site) -> Figures:
            if not peer.is_running:
                raise AssertionError("asked although it is dead")
            await asyncio.to_thread(peer.kill)
            return {"x": 1.0}

    try:
        first, second = (asyncio.run(compare("deadly", Deadly(), {"a": site}, 0, 3, 10.0)) for _ in range(2))
    finally:
        peer.stop()
    assert first["a"] == second["a"] == {"x": 1.0}
    assert "PeerDied" in first["notes"][0]
    assert "started again" in second["notes"][0]


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    peer = Peer("broken", free_port(), [sys.executable, "-c", "raise SystemExit('no model')"], "/", tmp_path, {})
    with pytest.raises(PeerDied, match="no model"):
        peer.start()


def test_the_command_line_measures_what_it_names_and_writes_it_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeServer(HEAD, *EVENTS)
    monkeypatch.setitem(workloads.SCENARIOS, "decode", Decode((2,), 4, 5))

    async def work() -> list[dict[str, object]]:
        async with fake as url:
            arguments = workloads.parse(["--a", url, "--b", url, "--scenarios", "decode", "--rounds", "1"])
            sites = {"a": site_at(url), "b": site_at(url)}
            results = await workloads.run(arguments, sites)
            (tmp_path / "out").write_text(json.dumps(results))
            return results

    assert asyncio.run(work())[0]["notes"] == []
    assert "tokens_per_s_2" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        workloads.parse(["--a", "http://x", "--scenarios", "no-such"])
