"""The requests that are kept: they can be read, and none is of a form that its client does not send."""

from appliance.cli.clients.known import CLIENTS
from appliance.cli.clients.replay.script import load_scripts

SCRIPTS = load_scripts('qwen3:4b"')


def test_every_client_has_requests_of_its_own() -> None:
    assert {script.client for script in SCRIPTS} == {client.name for client in CLIENTS}
    assert all(script.source and script.steps for script in SCRIPTS)


def test_every_request_names_the_model_and_asks_for_little() -> None:
    posts = [step for script in SCRIPTS for step in script.steps if step.method == "POST"]
    for step in posts:
        assert step.path and step.body is not None
        assert 'qwen3:4b"' in (step.body.get("model"), step.body.get("name"))
        limits = [step.body.get("options", {}).get("num_predict", 0)]
        limits += [step.body.get(name, 0) for name in ("max_tokens", "max_output_tokens", "max_completion_tokens")]
        assert max(limits) <= 256


def test_a_step_may_be_like_an_earlier_one() -> None:
    (script,) = [script for script in SCRIPTS if script.client == "opencode"]
    first, result, question = script.steps
    assert first.body and result.body and question.body
    assert result.path == question.path == first.path and result.body["tools"] == first.body["tools"]
    assert [message["role"] for message in result.body["messages"]][-2:] == ["assistant", "tool"]
    assert question.wants == ("call",) and question.optional


def test_what_clients_are_odd_in_is_among_the_requests() -> None:
    steps = {(script.client, step.name): step for script in SCRIPTS for step in script.steps}
    bodies = str([step.body for step in steps.values()])
    assert "x-anthropic-billing-header" in bodies and "web_search_20250305" in bodies
    assert "'num_ctx': 4096" in bodies and "'num_ctx': 32768" in bodies
    assert "[5, 6, 7]" in bodies and {step.needs for step in steps.values()} == {None, "embeddings"}
    paths = {(step.method, step.path) for step in steps.values()}
    assert ("HEAD", "/") in paths and ("POST", "/v1/v1/chat/completions") in paths
