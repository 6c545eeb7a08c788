"""The page at `/`: what a browser gets, what everybody else gets, and that it holds nothing that needs a key."""

import re

import httpx
import pytest

from appliance.api.page import FILES
from tests.api.conftest import Daemon

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PARTS = sorted(set(FILES) - {"/"})


@pytest.fixture
def keyless(http: httpx.Client, daemon: Daemon) -> httpx.Client:
    """A client without a key of a daemon that wants one."""
    daemon.do(lambda: daemon.parts.keys.create("somebody", "use"))
    return http


def test_a_browser_gets_the_page_and_a_program_what_it_looks_for(keyless: httpx.Client) -> None:
    page, greeting = keyless.get("/", headers=BROWSER), keyless.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.startswith("<!doctype html>")
    assert greeting.text == "Ollama is running"
    assert all("accept" in answer.headers["vary"] for answer in (page, greeting))


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/page/style.css", "text/css"), ("/page/page.js", "text/javascript"), ("/page/icon.svg", "image/svg+xml")],
)
def test_its_files_come_without_a_key_as_what_they_are(keyless: httpx.Client, path: str, media_type: str) -> None:
    answer = keyless.get(path)
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content == FILES[path].content


@pytest.mark.parametrize("path", ["/", *PARTS])
def test_nothing_runs_that_this_machine_did_not_send(keyless: httpx.Client, path: str) -> None:
    policy = keyless.get(path, headers=BROWSER).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == rules["form-action"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == rules["style-src"] == "'self'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", *PARTS])
def test_a_browser_that_has_a_file_is_not_sent_it_again(keyless: httpx.Client, path: str) -> None:
    first = keyless.get(path, headers=BROWSER)
    assert first.headers["cache-control"] == "no-cache"
    again = keyless.get(path, headers={**BROWSER, "if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = keyless.get(path, headers={**BROWSER, "if-none-match": '"of-another-version"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_head_answers_as_get_without_a_body(keyless: httpx.Client) -> None:
    for path in ("/", *PARTS):
        head, page = keyless.head(path, headers=BROWSER), keyless.get(path, headers=BROWSER)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(page.content))
        assert head.headers["etag"] == page.headers["etag"]


def test_the_page_is_a_shell_and_what_it_shows_needs_a_key(keyless: httpx.Client) -> None:
    told = "".join(keyless.get(path, headers=BROWSER).text for path in ("/", *PARTS))
    assert "guide" not in told and "0.1.0" not in told
    asked = set(re.findall(r'"(/(?:admin|v1|metrics)[\w/]*)"', told))
    assert {"/admin/v1/status", "/admin/v1/models", "/v1/chat/completions", "/metrics"} <= asked
    assert all(keyless.get(path).status_code == 401 for path in asked - {"/v1"})


def test_the_page_loads_nothing_but_its_own_files() -> None:
    page = FILES["/"].content.decode()
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"', page)
    assert set(loaded) <= set(PARTS)
    modules = [file.content.decode() for path, file in FILES.items() if path.endswith(".js")]
    imported = [name for text in modules for name in re.findall(r'^import .* from "\./(.*)";', text, re.MULTILINE)]
    assert {f"/page/{name}" for name in imported} <= set(PARTS)
    styles = FILES["/page/style.css"].content.decode()
    assert not re.search(r"@import|url\(|<style|<script>| style=| on\w+=", page + styles)


def test_a_page_under_a_name_that_is_not_ours_is_refused(http: httpx.Client) -> None:
    assert http.get("/", headers={**BROWSER, "host": "evil.example"}).status_code == 403
    assert http.get("/page/page.js", headers={"host": "evil.example"}).status_code == 403


def test_no_text_is_ever_read_as_markup() -> None:
    ways = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\(|DOMParser|localStorage"
    )
    assert not [path for path, file in FILES.items() if ways.search(file.content.decode())]
