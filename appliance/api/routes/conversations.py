"""`/v1/conversations`: made, read, changed and deleted, with what is said in them."""

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response
from appliance.dialects.responses.conversations import (
    Conversation,
    ConversationUpdate,
    Deleted,
    NewConversation,
    NewItems,
)
from appliance.dialects.responses.lists import ItemList, Order, list_of, page_of
from appliance.service.responses.conversations import Conversations
from appliance.settings import ServerSettings


@post(
    "/v1/conversations",
    status_code=200,
    operation=Operation(takes=NewConversation, gives=Conversation, example={"metadata": {"topic": "a trip"}}),
)
async def create_conversation(
    request: HttpRequest, server: NamedDependency[ServerSettings], conversations: NamedDependency[Conversations]
) -> Response[bytes]:
    """Make a conversation."""
    wire = await read_json(request, NewConversation, server.max_body_bytes)
    return json_response(await conversations.create(caller_of(request).id, wire))


@get("/v1/conversations/{conversation_id:str}", operation=Operation(gives=Conversation))
async def get_conversation(
    request: HttpRequest, conversation_id: FromPath[str], conversations: NamedDependency[Conversations]
) -> Response[bytes]:
    """Answer with a conversation."""
    return json_response(await conversations.get(caller_of(request).id, conversation_id))


@post(
    "/v1/conversations/{conversation_id:str}",
    status_code=200,
    operation=Operation(takes=ConversationUpdate, gives=Conversation, example={"metadata": {"topic": "a trip"}}),
)
async def update_conversation(
    request: HttpRequest,
    conversation_id: FromPath[str],
    server: NamedDependency[ServerSettings],
    conversations: NamedDependency[Conversations],
) -> Response[bytes]:
    """Give a conversation other metadata."""
    wire = await read_json(request, ConversationUpdate, server.max_body_bytes)
    owner = caller_of(request).id
    return json_response(await conversations.update(owner, conversation_id, wire.metadata or {}))


@delete("/v1/conversations/{conversation_id:str}", status_code=200, operation=Operation(gives=Deleted))
async def delete_conversation(
    request: HttpRequest, conversation_id: FromPath[str], conversations: NamedDependency[Conversations]
) -> Response[bytes]:
    """Delete a conversation with what was said."""
    await conversations.delete(caller_of(request).id, conversation_id)
    return json_response(Deleted(id=conversation_id, object="conversation.deleted"))


@get("/v1/conversations/{conversation_id:str}/items", operation=Operation(gives=ItemList))
async def list_conversation_items(
    request: HttpRequest,
    conversation_id: FromPath[str],
    conversations: NamedDependency[Conversations],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int] = 20,
    order: FromQuery[Order] = "desc",
) -> Response[bytes]:
    """Answer with what was said."""
    items = await conversations.items(caller_of(request).id, conversation_id)
    return json_response(page_of(items, after=after, limit=limit, order=order))


@post(
    "/v1/conversations/{conversation_id:str}/items",
    status_code=200,
    operation=Operation(takes=NewItems, gives=ItemList, example={"items": [{"role": "user", "content": "Hello"}]}),
)
async def add_conversation_items(
    request: HttpRequest,
    conversation_id: FromPath[str],
    server: NamedDependency[ServerSettings],
    conversations: NamedDependency[Conversations],
) -> Response[bytes]:
    """Add to what was said."""
    wire = await read_json(request, NewItems, server.max_body_bytes)
    return json_response(list_of(await conversations.add(caller_of(request).id, conversation_id, wire.items)))


@get("/v1/conversations/{conversation_id:str}/items/{item_id:str}", operation=Operation(gives=dict))
async def get_conversation_item(
    request: HttpRequest,
    conversation_id: FromPath[str],
    item_id: FromPath[str],
    conversations: NamedDependency[Conversations],
) -> Response[bytes]:
    """Answer with one item."""
    return json_response(await conversations.item(caller_of(request).id, conversation_id, item_id))


@delete(
    "/v1/conversations/{conversation_id:str}/items/{item_id:str}",
    status_code=200,
    operation=Operation(gives=Conversation),
)
async def delete_conversation_item(
    request: HttpRequest,
    conversation_id: FromPath[str],
    item_id: FromPath[str],
    conversations: NamedDependency[Conversations],
) -> Response[bytes]:
    """Delete one item."""
    return json_response(await conversations.delete_item(caller_of(request).id, conversation_id, item_id))
