"""`/v1/conversations` as the `openai` library sees it."""

from typing import Any

import httpx
import openai as library
import pytest
from openai import OpenAI
from openai.types.conversations import ConversationItem
from pydantic import TypeAdapter

from appliance.core.request import ChatPrompt
from tests.api.conftest import Daemon
from tests.fakes import delta, finished

HI: list[Any] = [{"type": "message", "role": "user", "content": "Hi"}]


def contents(daemon: Daemon) -> list[str]:
    prompt = daemon.scheduler.last.prompt
    assert isinstance(prompt, ChatPrompt)
    return [message.content for message in prompt.messages]


def texts(openai: OpenAI, conversation_id: str) -> list[str]:
    items = openai.conversations.items.list(conversation_id, order="asc")
    return [item.content[0].text for item in items]


def test_a_conversation_is_made_changed_and_deleted(openai: OpenAI) -> None:
    made = openai.conversations.create(metadata={"topic": "a"}, items=HI)
    assert (made.object, made.metadata) == ("conversation", {"topic": "a"})
    assert openai.conversations.retrieve(made.id) == made
    changed = openai.conversations.update(made.id, metadata={"topic": "b"})
    assert (changed.id, openai.conversations.retrieve(made.id).metadata) == (made.id, {"topic": "b"})
    assert texts(openai, made.id) == ["Hi"]
    deleted = openai.conversations.delete(made.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (made.id, True, "conversation.deleted")
    with pytest.raises(library.NotFoundError):
        openai.conversations.retrieve(made.id)


def test_items_are_added_read_and_deleted(openai: OpenAI) -> None:
    made = openai.conversations.create()
    added = openai.conversations.items.create(made.id, items=[*HI, {"role": "assistant", "content": "Ho"}])
    adapter: TypeAdapter[Any] = TypeAdapter(ConversationItem)
    for item in added.data:
        adapter.validate_python(item.model_dump())
    assert (added.first_id, added.last_id, added.has_more) == (added.data[0].id, added.data[1].id, False)
    assert openai.conversations.items.retrieve(added.first_id, conversation_id=made.id) == added.data[0]
    openai.conversations.items.delete(added.first_id, conversation_id=made.id)
    assert texts(openai, made.id) == ["Ho"]
    for act in (openai.conversations.items.retrieve, openai.conversations.items.delete):
        with pytest.raises(library.NotFoundError):
            act(added.first_id, conversation_id=made.id)
    with pytest.raises(library.BadRequestError, match="at most 20"):
        openai.conversations.items.create(made.id, items=HI * 21)


def test_a_response_goes_into_its_conversation_and_the_next_goes_on(openai: OpenAI, daemon: Daemon) -> None:
    made = openai.conversations.create(items=[{"role": "system", "content": "Be brief."}])
    first = openai.responses.create(model="guide", input="One", conversation=made.id)
    assert first.conversation is not None
    assert first.conversation.id == made.id
    openai.responses.create(model="guide", input="Two", conversation={"id": made.id})
    assert contents(daemon) == ["Be brief.", "One", "Hello wörld", "Two"]
    assert texts(openai, made.id) == ["Be brief.", "One", "Hello wörld", "Two", "Hello wörld"]


def test_a_streamed_response_is_in_its_conversation_once_its_end_was_seen(openai: OpenAI) -> None:
    made = openai.conversations.create()
    with openai.responses.create(model="guide", input="One", conversation=made.id, stream=True) as stream:
        assert [event.type for event in stream][-1] == "response.completed"
    assert texts(openai, made.id) == ["One", "Hello wörld"]


def test_what_is_not_stored_or_failed_stays_out_of_a_conversation(openai: OpenAI, daemon: Daemon) -> None:
    made = openai.conversations.create()
    openai.responses.create(model="guide", input="One", conversation=made.id, store=False)
    daemon.scheduler.script = lambda r: [delta(r, "Hel"), finished(r, reason="length")]
    openai.responses.create(model="guide", input="Two", conversation=made.id)
    daemon.scheduler.script = lambda r: []
    begun = openai.responses.create(model="guide", input="Three", conversation=made.id, background=True)
    openai.responses.cancel(begun.id)
    assert texts(openai, made.id) == ["Two", "Hel"]


def test_a_conversation_belongs_to_its_maker(http: httpx.Client) -> None:
    key = http.post("/admin/v1/keys", json={"name": "a", "scope": "admin"}).json()["key"]
    owner = {"authorization": f"Bearer {key}"}
    key = http.post("/admin/v1/keys", json={"name": "b"}, headers=owner).json()["key"]
    other = {"authorization": f"Bearer {key}"}
    made = http.post("/v1/conversations", json={"items": HI}, headers=owner).json()
    path = f"/v1/conversations/{made['id']}"
    item = http.get(f"{path}/items", headers=owner).json()["first_id"]
    for method, end, body in (
        ("GET", "", None),
        ("POST", "", {"metadata": {}}),
        ("GET", "/items", None),
        ("POST", "/items", {"items": HI}),
        ("GET", f"/items/{item}", None),
        ("DELETE", f"/items/{item}", None),
        ("DELETE", "", None),
    ):
        assert http.request(method, path + end, json=body, headers=other).status_code == 404
    answer = http.post("/v1/responses", json={"input": "Hi", "conversation": made["id"]}, headers=other)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "conversation_not_found")
    assert len(http.get(f"{path}/items", headers=owner).json()["data"]) == 1
