"""Pages of other origins: those that are allowed can read every kind of answer, the others none."""

import httpx
import pytest

from tests.api.conftest import Daemon
from tests.fakes import accepted

HI = {"messages": [{"role": "user", "content": "Hi"}]}
ALLOWED = {"origin": "https://ui.example"}
FOREIGN = {"origin": "https://evil.example"}
ASKS = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


def test_a_browser_may_ask_before_it_sends_and_needs_no_key_for_that(http: httpx.Client, daemon: Daemon) -> None:
    daemon.do(lambda: daemon.parts.keys.create("somebody", "use"))
    private = {"access-control-request-private-network": "true"}
    answer = http.options("/v1/chat/completions", headers=ALLOWED | ASKS | private)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "https://ui.example"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("stream", [False, True])
def test_an_allowed_page_can_read_answers_and_streams(http: httpx.Client, stream: bool) -> None:
    answer = http.post("/v1/chat/completions", json=HI | {"stream": stream}, headers=ALLOWED)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://ui.example"
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/v1/chat/completions", 400), ("GET", "/nowhere", 404), ("GET", "/v1/chat/completions", 405)],
)
def test_an_allowed_page_can_read_errors(http: httpx.Client, method: str, path: str, status: int) -> None:
    answer = http.request(method, path, headers=ALLOWED)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "https://ui.example"


def test_an_allowed_page_without_a_key_can_read_why(http: httpx.Client, daemon: Daemon) -> None:
    daemon.do(lambda: daemon.parts.keys.create("somebody", "use"))
    answer = http.get("/v1/models", headers=ALLOWED)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://ui.example")


@pytest.mark.parametrize("origin", [FOREIGN, {"origin": "null"}, {}])
def test_nobody_else_is_told_anything(http: httpx.Client, daemon: Daemon, origin: dict[str, str]) -> None:
    daemon.scheduler.script = lambda request: [accepted(request)]
    for answer in (
        http.options("/v1/chat/completions", headers=origin | ASKS),
        http.get("/v1/models", headers=origin),
        http.post("/v1/nowhere", headers=origin),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["vary"] == "Origin"
    assert not daemon.scheduler.requests
