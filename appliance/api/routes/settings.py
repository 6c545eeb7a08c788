"""`/admin/v1/settings`: every setting, where it comes from, and the way to change it."""

import asyncio

from litestar import Response, get, patch
from litestar.di import NamedDependency

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_admin
from appliance.core.settings_view import ChangedSettings, ChangeSettings, SettingsView
from appliance.errors import InvalidRequest
from appliance.settings import ServerSettings, SettingsBook, SettingsError


@get("/admin/v1/settings", guards=[needs_admin], operation=Operation(gives=SettingsView))
async def show_settings(book: NamedDependency[SettingsBook]) -> Response[bytes]:
    """Answer with every setting: in use, at the next start, and what it may be."""
    return json_response(await asyncio.to_thread(book.view))


@patch(
    "/admin/v1/settings",
    guards=[needs_admin],
    status_code=200,
    operation=Operation(takes=ChangeSettings, gives=ChangedSettings, example={"set": {"log.level": "info"}}),
)
async def change_settings(
    request: HttpRequest, server: NamedDependency[ServerSettings], book: NamedDependency[SettingsBook]
) -> Response[bytes]:
    """Change the settings file, and say which value counts from when on."""
    order = await read_json(request, ChangeSettings, server.max_body_bytes)
    try:
        return json_response(await asyncio.to_thread(book.change, order))
    except SettingsError as error:
        raise InvalidRequest(str(error)) from error
