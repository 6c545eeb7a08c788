"""How a client's requests are sent: with the key where that client puts it."""

from appliance.cli.clients.replay.script import Script, Step, load_scripts
from appliance.cli.clients.replay.send import replay
from tests.unit.cli.fake_daemon import serving


def keys_sent(*steps: Step, key: str | None = "sk-1") -> list[tuple[str | None, str | None]]:
    """Return the two headers that may hold a key, of each request."""
    with serving() as daemon:
        list(replay(Script(client="x", source="x", steps=steps), daemon.url, key, ()))
    return [(asked.headers.get("Authorization"), asked.headers.get("x-api-key")) for asked in daemon.asked]


def test_the_key_stands_where_the_clients_of_each_api_put_it() -> None:
    steps = [Step(name="s", path=path, body={}) for path in ("/v1/responses", "/v1/messages?beta=true", "/api/chat")]
    assert keys_sent(*steps) == [("Bearer sk-1", None), (None, "sk-1"), (None, None)]
    assert keys_sent(Step(name="s", path="/v1/messages", body={}, key="bearer")) == [("Bearer sk-1", None)]
    assert keys_sent(*steps, key=None) == [(None, None)] * 3


def test_claude_code_is_tried_with_both_of_its_variables() -> None:
    (script,) = [script for script in load_scripts("m") if script.client == "claude-code"]
    assert {step.key_form for step in script.steps if step.path.startswith("/v1/messages")} == {"x-api-key", "bearer"}
