"""One POST to an address that is checked when it is resolved."""

import asyncio

import pytest

from appliance.jobs.notify.places import AllowList
from appliance.jobs.notify.post import post
from appliance.jobs.notify.states import DeliveryFailed
from tests.receiver import receiving


def test_a_name_that_leads_to_a_private_address_is_not_connected_to() -> None:
    with receiving() as receiver:
        name = f"http://localhost:{receiver.port}"
        with pytest.raises(DeliveryFailed, match="private address"):
            asyncio.run(post(name, {}, b"{}", AllowList((name,))))
        assert receiver.got.empty()
        asyncio.run(post(name, {}, b"{}", AllowList((name, "127.0.0.1", "[::1]"))))
        path, headers, body = receiver.next()
    assert (path, headers["host"], body) == ("/", f"localhost:{receiver.port}", b"{}")


def test_a_receiver_that_speaks_something_else_has_not_got_it() -> None:
    async def tell() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"SSH-2.0-box\r\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            await post(url, {}, b"", AllowList((url,)))

    with pytest.raises(DeliveryFailed, match="could not be reached"):
        asyncio.run(tell())


def test_nobody_at_home_is_a_reason_to_try_again() -> None:
    with receiving() as receiver:
        url = receiver.url
    with pytest.raises(DeliveryFailed) as failure:
        asyncio.run(post(url, {}, b"", AllowList((url,))))
    assert not failure.value.is_final
