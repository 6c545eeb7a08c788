"""Responses that are kept: read again, gone on with, listed, followed, deleted, and each its owner's alone."""

import asyncio
from typing import Any

import httpx
import openai as library
import pytest
from openai import OpenAI
from openai.types.responses import ResponseItem
from pydantic import TypeAdapter

from appliance.core.events import PromptRead
from appliance.core.request import ChatPrompt, Message, ReadRequest
from appliance.errors import ContextLengthExceeded, StorageError
from appliance.service.responses.table import KeptTable
from tests.api.conftest import Daemon
from tests.api.responses import PATH, SHELL, WEATHER, events_of, stream_of, thinks_speaks_and_calls
from tests.fakes import accepted, delta, finished, two_words


def messages_of(daemon: Daemon) -> tuple[Message, ...]:
    prompt = daemon.scheduler.last.prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt.messages


def test_a_response_is_read_as_it_was_answered(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls
    tools: list[Any] = [WEATHER, SHELL]
    response = openai.responses.create(model="guide", input="Hi", tools=tools, metadata={"a": "b"})
    assert openai.responses.retrieve(response.id).model_dump() == response.model_dump()


def test_a_response_that_is_not_stored_is_not_there(openai: OpenAI) -> None:
    response = openai.responses.create(model="guide", input="Hi", store=False)
    with pytest.raises(library.NotFoundError):
        openai.responses.retrieve(response.id)
    with pytest.raises(library.BadRequestError) as caught:
        openai.responses.create(model="guide", input="Hi", previous_response_id=response.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_a_conversation_goes_on_with_the_very_messages_that_it_had(openai: OpenAI, daemon: Daemon) -> None:
    ask: dict[str, Any] = {"model": "guide", "instructions": "Be brief."}
    first = openai.responses.create(**ask, input="One")
    before = messages_of(daemon)
    second = openai.responses.create(**ask, input="Two", previous_response_id=first.id)
    middle = messages_of(daemon)
    assert middle == (
        *before,
        Message(role="assistant", content="Hello wörld"),
        Message(role="user", content="Two"),
    )
    openai.responses.create(**ask, input="Three", previous_response_id=second.id)
    assert messages_of(daemon)[: len(middle)] == middle


def test_instructions_are_not_carried_on(openai: OpenAI, daemon: Daemon) -> None:
    first = openai.responses.create(model="guide", instructions="Be brief.", input="One")
    openai.responses.create(model="guide", input="Two", previous_response_id=first.id)
    assert [message.role for message in messages_of(daemon)] == ["user", "assistant", "user"]


def test_an_item_may_be_named_instead_of_sent(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls
    first = openai.responses.create(model="guide", input="Hi")
    references: list[Any] = [{"type": "item_reference", "id": item.id} for item in first.output]
    openai.responses.create(model="guide", input=[*references, {"role": "user", "content": "Go on."}])
    said = messages_of(daemon)[0]
    assert (said.reasoning, said.content, len(said.tool_calls)) == ("Let me see.", "I will look.", 2)
    with pytest.raises(library.NotFoundError, match="no item 'msg_unknown'"):
        openai.responses.create(model="guide", input=[{"type": "item_reference", "id": "msg_unknown"}])


def test_a_deleted_response_is_gone_from_the_disk_too(openai: OpenAI, daemon: Daemon) -> None:
    secret = "a word that nobody else says"
    response = openai.responses.create(model="guide", input=secret)
    files = [daemon.home / "state.db", daemon.home / "state.db-wal"]
    assert any(secret.encode() in file.read_bytes() for file in files)
    openai.responses.delete(response.id)
    assert not any(secret.encode() in file.read_bytes() for file in files)
    for read in (openai.responses.retrieve, openai.responses.input_items.list, openai.responses.delete):
        with pytest.raises(library.NotFoundError):
            read(response.id)


def test_what_goes_on_with_a_deleted_response_says_what_is_missing(openai: OpenAI) -> None:
    first = openai.responses.create(model="guide", input="One")
    second = openai.responses.create(model="guide", input="Two", previous_response_id=first.id)
    openai.responses.delete(first.id)
    with pytest.raises(library.BadRequestError, match=f"{first.id}.*which.*{second.id}.*goes on with"):
        openai.responses.create(model="guide", input="Three", previous_response_id=second.id)


def test_input_items_are_paged(openai: OpenAI) -> None:
    items: list[Any] = [{"role": "user", "content": str(number)} for number in range(5)]
    response = openai.responses.create(model="guide", input=items)
    page = openai.responses.input_items.list(response.id, limit=2, order="asc")
    assert [item.content[0].text for item in page.data] == ["0", "1"]
    assert page.has_more
    assert [item.content[0].text for item in page] == ["0", "1", "2", "3", "4"]
    newest = openai.responses.input_items.list(response.id)
    assert [item.content[0].text for item in newest] == ["4", "3", "2", "1", "0"]
    for wrong in ({"limit": 0}, {"limit": 101}, {"after": "msg_unknown"}):
        with pytest.raises(library.BadRequestError):
            openai.responses.input_items.list(response.id, **wrong)


def test_input_items_are_as_published_whatever_form_they_came_in(http: httpx.Client) -> None:
    items = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
        {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": ""},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "x"},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "x"}]},
    ]
    identity = http.post(PATH, json={"input": items}).json()["id"]
    listed = http.get(f"{PATH}/{identity}/input_items?order=asc").json()
    assert (listed["object"], listed["has_more"], len(listed["data"])) == ("list", False, len(items))
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseItem)
    for item in listed["data"]:
        adapter.validate_python(item)
    assert (listed["first_id"], listed["last_id"]) == (listed["data"][0]["id"], listed["data"][-1]["id"])


@pytest.mark.parametrize("after", [-1, 0, 4, 99])
def test_a_stream_is_sent_again_from_any_event_on(http: httpx.Client, after: int) -> None:
    events = stream_of(http)
    identity = events[0]["response"]["id"]
    again = http.get(f"{PATH}/{identity}?stream=true&starting_after={after}")
    assert again.headers["content-type"].startswith("text/event-stream")
    assert events_of(again.text) == events[after + 1 :]


def test_one_key_does_not_see_what_belongs_to_another(http: httpx.Client) -> None:
    admin = {
        "authorization": f"Bearer {http.post('/admin/v1/keys', json={'name': 'a', 'scope': 'admin'}).json()['key']}"
    }
    key = http.post("/admin/v1/keys", json={"name": "b"}, headers=admin).json()["key"]
    other = {"authorization": f"Bearer {key}"}
    made = http.post(PATH, json={"input": "Hi"}, headers=admin).json()
    identity, item = made["id"], made["output"][0]["id"]
    assert http.get(f"{PATH}/{identity}", headers=admin).status_code == 200
    for method, path in (
        ("GET", identity),
        ("GET", f"{identity}?stream=true"),
        ("GET", f"{identity}/input_items"),
        ("POST", f"{identity}/cancel"),
        ("DELETE", identity),
    ):
        assert http.request(method, f"{PATH}/{path}", headers=other).status_code == 404
    previous = http.post(PATH, json={"input": "Hi", "previous_response_id": identity}, headers=other)
    assert (previous.status_code, previous.json()["error"]["code"]) == (400, "previous_response_not_found")
    named = http.post(PATH, json={"input": [{"type": "item_reference", "id": item}]}, headers=other)
    assert named.status_code == 404
    assert http.get(f"{PATH}/{identity}", headers=admin).status_code == 200


def test_a_client_that_goes_away_in_mid_stream_leaves_what_was_written(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [accepted(r), delta(r, "Hel")]
    with http.stream("POST", PATH, json={"input": "Hi", "stream": True}) as response:
        identity = next(line for line in response.iter_lines() if "resp_" in line).partition('"id":"')[2].split('"')[0]
    daemon.next_cancelled()
    events = events_of(http.get(f"{PATH}/{identity}?stream=true").text)
    assert events[-1]["response"]["status"] == "cancelled"
    kept = http.get(f"{PATH}/{identity}").json()
    assert kept["status"] == "cancelled"
    assert (kept["output"][0]["status"], kept["output"][0]["content"][0]["text"]) == ("incomplete", "Hel")


def test_a_client_that_goes_away_without_a_stream_frees_its_place(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [accepted(r)]
    with pytest.raises(httpx.ReadTimeout):
        http.post(PATH, json={"input": "Hi"}, timeout=0.3)
    daemon.next_cancelled()


@pytest.fixture
def cramped(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """A daemon in whose context of 2048 tokens two turns fit, and an answer."""

    def num_tokens(request: Any) -> int:
        return 700 * len([message for message in request.prompt.messages if message.role == "user"])

    async def count(request: ReadRequest) -> PromptRead:
        return PromptRead(id=request.id, num_tokens=num_tokens(request))

    def answer(request: Any) -> list[Any]:
        if num_tokens(request) > 2048:
            return [ContextLengthExceeded("too long", param="messages")]
        return [accepted(request), delta(request, "Yes."), finished(request)]

    monkeypatch.setattr(daemon.scheduler, "count", count)
    daemon.scheduler.script = answer
    return daemon


def test_turns_are_left_out_only_when_asked_for(http: httpx.Client, cramped: Daemon) -> None:
    turns = [{"role": role, "content": f"{role} {number}"} for number in range(9) for role in ("user", "assistant")]
    body = {"instructions": "Be brief.", "input": [*turns, {"role": "user", "content": "last"}]}
    for truncation in ("disabled", None):
        refused = http.post(PATH, json=body | {"truncation": truncation})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert http.post(PATH, json=body | {"truncation": "auto"}).json()["status"] == "completed"
    contents = [message.content for message in messages_of(cramped)]
    assert contents == ["Be brief.", "user 8", "assistant 8", "last"]


def test_a_turn_that_does_not_fit_alone_is_refused(http: httpx.Client, cramped: Daemon) -> None:
    cramped.scheduler.script = lambda r: [ContextLengthExceeded("too long")]
    for num_items in (1, 9):
        items = [{"role": "user", "content": "x"}] * num_items
        response = http.post(PATH, json={"input": items, "truncation": "auto"})
        assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_the_tokens_of_a_prompt_are_counted_with_all_that_came_before(openai: OpenAI, cramped: Daemon) -> None:
    first = openai.responses.create(model="guide", input="One")
    counted = openai.responses.input_tokens.count(model="guide", input="Two", previous_response_id=first.id)
    assert (counted.input_tokens, counted.object) == (1400, "response.input_tokens")
    with pytest.raises(library.BadRequestError):
        openai.responses.input_tokens.count(model="guide")


class TestWithABrokenDisk:
    @pytest.fixture(autouse=True)
    def _broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any) -> None:
            raise StorageError("the disk is full")

        monkeypatch.setattr(KeptTable, "__init__", fail)

    def test_answers_are_given_to_those_who_did_not_ask_to_have_them_kept(self, http: httpx.Client) -> None:
        answer = http.post(PATH, json={"input": "Hi"}).json()
        assert (answer["status"], answer["store"]) == ("completed", False)
        for body in ({"store": True}, {"background": True}, {"previous_response_id": "resp_1"}):
            response = http.post(PATH, json={"input": "Hi", **body})
            assert (response.status_code, response.json()["error"]["code"]) == (500, "storage_error")
            assert "the disk is full" in response.json()["error"]["message"]


def test_clients_that_hang_up_at_any_event_disturb_nobody(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [accepted(r), *(delta(r, f"{number} ") for number in range(200))]

    async def hang_up_after(client: httpx.AsyncClient, num_lines: int) -> None:
        async with client.stream("POST", PATH, json={"input": "Hi", "stream": True}) as response:
            lines = response.aiter_lines()
            for _ in range(num_lines):
                await anext(lines)

    async def hang_up() -> None:
        async with httpx.AsyncClient(base_url=daemon.url, trust_env=False, timeout=20) as client:
            await asyncio.gather(*(hang_up_after(client, 9 * number + 1) for number in range(32)))

    asyncio.run(hang_up())
    for _ in range(32):
        daemon.next_cancelled()
    daemon.scheduler.script = two_words
    assert http.post(PATH, json={"input": "Hi"}).json()["status"] == "completed"
