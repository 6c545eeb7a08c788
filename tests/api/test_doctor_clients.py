"""`appliance doctor clients` beside a real daemon with the model that is built in."""

import json

from tests.commands import printed
from tests.conftest import RealDaemon


def test_every_client_is_answered_and_what_the_small_model_lacks_is_said(real_daemon: RealDaemon) -> None:
    told = json.loads(printed(real_daemon, "doctor", "clients", "--json"))
    verdicts = {verdict["client"]: verdict for verdict in told["clients"]}

    assert told["model"] == "guide" and len(verdicts) == 12
    assert {name for name, verdict in verdicts.items() if verdict["works"] == "yes"} >= {"llm", "open-webui", "litellm"}
    for name in ("codex", "claude-code", "opencode", "cline"):
        assert verdicts[name]["works"] == "no"
        assert "has room for 2048" in verdicts[name]["reasons"][0]
    # Whatever else is said is about the model: no request of any client is refused or badly answered
    reasons = [reason for verdict in verdicts.values() for reason in verdict["reasons"]]
    fair = ("has room for 2048", "did not use the tool", "needs a model that embeds")
    assert [reason for reason in reasons if not any(text in reason for text in fair)] == []


def test_one_client_may_be_named(real_daemon: RealDaemon) -> None:
    lines = printed(real_daemon, "doctor", "clients", "llm", "--model", "guide").splitlines()
    assert [line.split() for line in lines[1:]] == [["llm", "yes"]]
