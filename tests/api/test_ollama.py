"""Chat, generate and embeddings of Ollama's API, with its own clients."""

import asyncio
import json
import math
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from ollama import AsyncClient, Client, ResponseError
from pydantic import BaseModel

from appliance.core.events import Encoded, Finished, RequestEvent, TokenLogprob, ToolCallDelta
from appliance.core.request import ChatPrompt, EncodeRequest, GenerateRequest, JsonSchema
from appliance.errors import ApplianceError, BackendError, ModelLoading
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta, finished, loaded_status

HI = [{"role": "user", "content": "Hi"}]
Events = list[RequestEvent | ApplianceError]


class Country(BaseModel):
    """What a test asks for."""

    name: str
    languages: list[str]


def weather(city: str, days: int = 1) -> str:
    """Tell the weather.

    Args:
        city: Which city.
        days: How many days.
    """
    return f"rain in {city} for {days} days"


@pytest.fixture
def ollama(daemon: Daemon) -> Iterator[Client]:
    with Client(daemon.url, trust_env=False, timeout=10) as client:
        yield client


def ending(request: GenerateRequest, *tokens: int) -> Finished:
    return msgspec.structs.replace(finished(request), tokens=tokens)


def test_a_chat_is_answered_whole_and_as_a_stream_alike(ollama: Client, daemon: Daemon) -> None:
    whole = ollama.chat("guide", HI)
    assert (whole.message.role, whole.message.content, whole.done_reason) == ("assistant", "Hello wörld", "stop")
    assert (whole.prompt_eval_count, whole.eval_count, whole.eval_duration) == (7, 2, 10**8)
    parts = list(ollama.chat("guide", HI, stream=True))
    assert "".join(part.message.content or "" for part in parts) == "Hello wörld"
    assert [part.done for part in parts] == [False, False, True]
    assert parts[-1].total_duration


def test_without_a_word_about_it_the_answer_is_a_stream(http: httpx.Client) -> None:
    response = http.post("/api/chat", content=json.dumps({"model": "guide", "messages": HI}))
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.headers["x-accel-buffering"] == "no"
    assert [json.loads(line)["done"] for line in response.text.splitlines()] == [False, False, True]


def test_curl_sends_a_form_and_means_json(http: httpx.Client) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = json.dumps({"model": "guide", "prompt": "Hi", "stream": False})
    assert http.post("/api/generate", content=body, headers=form).json()["response"] == "Hello wörld"


def test_an_asynchronous_client_is_served(daemon: Daemon) -> None:
    async def run() -> list[str]:
        client = AsyncClient(daemon.url, trust_env=False, timeout=10)
        whole = await client.chat("guide", HI)
        parts = [part.message.content or "" async for part in await client.chat("guide", HI, stream=True)]
        prompt = await client.generate("guide", "Hi")
        await client.close()
        return [whole.message.content or "", "".join(parts), prompt.response or ""]

    assert asyncio.run(run()) == ["Hello wörld"] * 3


@pytest.mark.parametrize("name", ["guide", "guide:latest", "GUIDE", ""])
def test_a_model_answers_to_its_name_with_and_without_a_tag(http: httpx.Client, daemon: Daemon, name: str) -> None:
    answer = http.post("/api/chat", json={"model": name, "messages": HI, "stream": False}).json()
    assert answer["model"] == (name or "guide")
    assert daemon.scheduler.last.model == "guide"


def test_a_model_that_is_not_there_is_not_found(ollama: Client) -> None:
    for call in (lambda: ollama.chat("guid", HI), lambda: ollama.generate("guid", "Hi"), lambda: ollama.show("guid")):
        with pytest.raises(ResponseError, match=r"^model 'guid' not found; did you mean 'guide'") as caught:
            call()
        assert caught.value.status_code == 404
    with pytest.raises(ResponseError, match="not found"):
        next(iter(ollama.chat("guid", HI, stream=True)))


def test_python_functions_are_tools_and_their_results_come_back(ollama: Client, daemon: Daemon) -> None:
    def script(request: GenerateRequest) -> Events:
        assert isinstance(request.prompt, ChatPrompt)
        if request.prompt.messages[-1].role == "tool":
            return [accepted(request), delta(request, "It rains."), finished(request)]
        calls = (ToolCallDelta(0, "call_x", "weather", '{"city": "Oslo", '), ToolCallDelta(0, None, None, '"days": 2}'))
        deltas = [delta(request, "", tool_calls=(call,)) for call in calls]
        return [accepted(request), *deltas, finished(request, reason="tool_calls")]

    daemon.scheduler.script = script
    messages: list[object] = list(HI)
    for is_stream in (False, True):
        answer = ollama.chat("guide", HI, tools=[weather], stream=is_stream)
        (call,) = [c for part in (answer if is_stream else [answer]) for c in part.message.tool_calls or []]
        assert (call.function.name, call.function.arguments) == ("weather", {"city": "Oslo", "days": 2})
    prompt = daemon.scheduler.last.prompt
    assert isinstance(prompt, ChatPrompt)
    assert prompt.tools[0].name == "weather"
    assert list(prompt.tools[0].parameters["properties"]) == ["city", "days"]
    whole = ollama.chat("guide", HI, tools=[weather])
    messages += [whole.message, {"role": "tool", "tool_name": "weather", "content": weather("Oslo", 2)}]
    assert ollama.chat("guide", messages, tools=[weather]).message.content == "It rains."
    prompt = daemon.scheduler.last.prompt
    assert isinstance(prompt, ChatPrompt)
    assert prompt.messages[-1].tool_call_id == prompt.messages[-2].tool_calls[0].id


def test_a_pydantic_schema_shapes_the_answer(ollama: Client, daemon: Daemon) -> None:
    said = Country(name="Norway", languages=["nb", "nn"])
    daemon.scheduler.script = lambda request: [delta(request, said.model_dump_json()), finished(request)]
    answer = ollama.chat("guide", HI, format=Country.model_json_schema())
    assert Country.model_validate_json(answer.message.content or "") == said
    assert daemon.scheduler.last.constraint == JsonSchema(schema=Country.model_json_schema(), param="format")


def test_thoughts_come_apart_from_the_answer(ollama: Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda request: [
        delta(request, "", reasoning="two and two"),
        delta(request, "four"),
        finished(request),
    ]
    message = ollama.chat("guide", HI, think=True).message
    assert (message.thinking, message.content) == ("two and two", "four")
    parts = list(ollama.generate("guide", "2+2", think="low", stream=True))
    assert [part.thinking for part in parts] == ["two and two", None, None]


def test_logprobs_are_those_of_the_clients_types(ollama: Client, daemon: Daemon) -> None:
    token = TokenLogprob("Hi", b"Hi", -0.25, ())
    daemon.scheduler.script = lambda request: [delta(request, "Hi", logprobs=(token,)), finished(request)]
    for answer in (ollama.chat("guide", HI, logprobs=True), ollama.generate("guide", "Hi", logprobs=True)):
        assert [(each.token, each.logprob) for each in answer.logprobs or []] == [("Hi", -0.25)]
    assert daemon.scheduler.last.logprobs == 0


def test_a_prompts_context_is_given_back(ollama: Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda request: [delta(request, "Hi"), ending(request, 1, 2, 3)]
    assert ollama.generate("guide", "Hi").context == [1, 2, 3]
    assert list(ollama.generate("guide", "Hi", stream=True))[-1].context == [1, 2, 3]


@pytest.mark.parametrize(("keep_alive", "seconds"), [("5m", 300.0), (0, 0.0), (-1, math.inf), (None, None)])
def test_the_model_stays_as_long_as_the_caller_says(
    ollama: Client, daemon: Daemon, keep_alive: object, seconds: float | None
) -> None:
    ollama.chat("guide", HI, keep_alive=keep_alive)
    assert daemon.scheduler.last.keep_alive_s == seconds


def test_without_messages_or_a_prompt_the_model_is_loaded(ollama: Client, daemon: Daemon) -> None:
    assert ollama.chat("guide", [], keep_alive="10m").done_reason == "load"
    answer = ollama.generate("guide")
    assert (answer.response, answer.done, answer.done_reason) == ("", True, "load")
    assert daemon.scheduler.kept == [("guide", 600.0)]
    assert daemon.scheduler.requests == []
    daemon.scheduler.load_error = ModelLoading("it failed lately")
    with pytest.raises(ResponseError, match="lately") as caught:
        ollama.generate("guide")
    assert caught.value.status_code == 503


def test_a_model_that_is_to_stay_for_no_time_is_let_go(ollama: Client, daemon: Daemon) -> None:
    assert ollama.generate("guide", keep_alive=0).done_reason == "unload"
    assert daemon.scheduler.kept == []
    daemon.scheduler.statuses = (loaded_status("guide"),)
    assert ollama.chat("guide", [], keep_alive="0s").done_reason == "unload"
    assert daemon.scheduler.kept == [("guide", 0)]
    daemon.scheduler.statuses = (msgspec.structs.replace(loaded_status("guide"), is_pinned=True),)
    with pytest.raises(ResponseError, match="pinned") as caught:
        ollama.generate("guide", keep_alive=0)
    assert caught.value.status_code == 409


def test_a_context_that_the_model_has_is_served_and_more_of_it_refused(ollama: Client, daemon: Daemon) -> None:
    ollama.chat("guide", HI, options={"num_ctx": 512})
    ollama.chat("guide", HI, options={"num_ctx": 10**6})  # all that it was made for, which it has
    daemon.scheduler.statuses = (loaded_status("guide"),)  # with 1024 tokens
    with pytest.raises(ResponseError, match="1024 tokens here") as caught:
        ollama.chat("guide", HI, options={"num_ctx": 2048})
    assert caught.value.status_code == 400


def test_an_error_before_the_first_token_keeps_its_status_and_a_later_one_is_the_last_line(
    ollama: Client, http: httpx.Client, daemon: Daemon
) -> None:
    daemon.scheduler.refusal = ModelLoading("not yet", retry_after_s=3)
    response = http.post("/api/chat", json={"model": "guide", "messages": HI})
    assert (response.status_code, response.json()) == (503, {"error": "not yet"})
    daemon.scheduler.script = lambda request: [accepted(request), delta(request, "He"), BackendError("it died")]
    lines = http.post("/api/chat", json={"model": "guide", "messages": HI}).text.splitlines()
    assert json.loads(lines[-1]) == {"error": "it died"}
    with pytest.raises(ResponseError, match="it died"):
        list(ollama.chat("guide", HI, stream=True))


def test_a_client_that_goes_away_ends_its_request(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda request: [accepted(request), delta(request, "He")]
    with http.stream("POST", "/api/chat", json={"model": "guide", "messages": HI}) as response:
        next(response.iter_lines())
    assert daemon.next_cancelled() == daemon.next_submitted()


def test_texts_become_vectors(daemon: Daemon, monkeypatch: pytest.MonkeyPatch, ollama: Client) -> None:
    def rows(request: EncodeRequest) -> Events:
        data = b"".join(bytes([0, 0, 0x80, 0x3F]) * 2 for _ in request.inputs)
        encoded = Encoded(id=request.id, kind="embedding", indices=tuple(range(len(request.inputs))), data=data)
        return [encoded, finished(request)]

    monkeypatch.setattr(daemon.parts.installed, "task", lambda canonical: "embed")
    daemon.scheduler.script = rows
    answer = ollama.embed("guide", ["a", "b"], dimensions=2, keep_alive="1m")
    assert [list(row) for row in answer.embeddings] == [[1.0, 1.0], [1.0, 1.0]]
    assert answer.prompt_eval_count == 7
    core = daemon.scheduler.last
    assert isinstance(core, EncodeRequest)
    assert (core.dimensions, core.truncates, core.keep_alive_s) == (2, True, 60.0)
    ollama.embed("guide", "a", truncate=False)
    assert not daemon.scheduler.last.truncates
    assert ollama.embed("guide", "").embeddings == []
    assert list(ollama.embeddings("guide", "a").embedding) == [1.0, 1.0]


def test_a_model_that_writes_embeds_nothing(ollama: Client) -> None:
    with pytest.raises(ResponseError, match="generates text") as caught:
        ollama.embed("guide", "a")
    assert caught.value.status_code == 400


UNREADABLE = [
    (b"{", 400),
    (b"\xff", 400),
    (b"[" * 10_000, 400),
    (b'{"messages": "Hi", "prompt": 1}', 400),
    (b'{"options": {"num_predict": 1e999}}', 400),
    (b'{"messages": [], "keep_alive": "soon"}', 400),
    (b'{"model": "../../etc/passwd", "messages": []}', 404),
    (b'{"model": "a/b/c/d"}', 404),
    (b" " * 10_000_000, 413),
]


def test_what_cannot_be_read_is_one_sentence_in_the_dialect(http: httpx.Client, ollama: Client) -> None:
    for body, status in UNREADABLE:
        for path in ("/api/chat", "/api/generate"):
            response = http.post(path, content=body)
            assert (response.status_code, list(response.json())) == (status, ["error"]), (body[:40], response.text)
        assert ollama.chat("guide", HI).message.content == "Hello wörld"


def test_paths_that_a_client_doubles_lead_where_they_should(http: httpx.Client) -> None:
    for path in ("/v1/v1/models", "/v1/v1/v1/models", "/api/api/tags", "/api/api/api/version"):
        assert http.get(path).status_code == 200, path
    chat = {"model": "guide", "messages": HI, "stream": False}
    assert http.post("/v1/v1/chat/completions", json=chat).json()["choices"]
    assert http.post("/api/api/chat", json=chat).json()["message"]
    assert http.post("/api/api/chat", json={"model": "no"}).json()["error"].startswith("model 'no' not found")
    for path in ("/v1/api/tags", "/admin/v1/v1/status", "/v1v1/models"):
        assert http.get(path).status_code == 404, path
