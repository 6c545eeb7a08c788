"""The page at `/`, used by a person: in a real browser, which reads what no other test of it can."""

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import running_box

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
BROWSER = os.environ.get("APPLIANCE_TEST_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser is installed (on Debian: apt install chromium)")

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
MARKDOWN = """# A short tour

Some `code`, **strong**, *soft* and [a link](https://example.org/a).

1. first
   - nested
2. second

| model | size |
| --- | --- |
| guide | small |

```python
print("<b>")
```
"""
HOSTILE = """<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> <svg onload=window.hacked=1>

[a](javascript:window.hacked=1) [b](data:text/html,<script>window.hacked=1</script>) [c](https://x.example/"onclick=x)

```<img src=x onerror=window.hacked=1>
</code></pre><img src=x onerror=window.hacked=1>
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=BROWSER, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that ends in an error when the browser has anything to complain of, or asks another machine."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    assert all(url.startswith(page.url) for url in asked), asked
    # A browser reports an answer of 401 by itself
    assert not [complaint for complaint in complaints if "401" not in complaint], complaints
    context.close()


def opened(page: Any, box: str, model: str = "echo") -> None:
    page.goto(box)
    page.locator(f"#model option[value={model}]").wait_for(state="attached")
    page.select_option("#model", model)


def asked(page: Any, text: str) -> Any:
    """Ask, and return the answer's element once it is complete."""
    page.fill("#question", text)
    page.keyboard.press("Enter")
    answer = page.locator(".assistant").last
    answer.locator(".about button").wait_for()
    return answer


def test_a_person_sees_the_box_its_models_and_where_programs_connect(page: Any, box: str) -> None:
    opened(page, box)
    page.locator("#state[data-state=ready]").wait_for()
    names = page.locator("#models .name").all_inner_texts()
    assert sorted(names) == ["echo", "echo-again", "embedder", "guide", "random"]
    assert "embedder" not in page.locator("#model option").all_inner_texts()
    assert page.locator("#addresses code").all_inner_texts() == [f"{box}/v1", box]
    assert page.locator("#facts").inner_text().startswith("Memory")
    links = {link.get_attribute("href") for link in page.locator("a[href]").all()}
    assert links == {"/schema", "/schema/openapi.json", "/metrics"}


def test_an_answer_is_shown_with_its_markdown(page: Any, box: str) -> None:
    opened(page, box)
    answer = asked(page, MARKDOWN)
    assert answer.locator("h3").inner_text() == "A short tour"
    assert [answer.locator(tag).first.inner_text() for tag in ("strong", "em", "p code")] == ["strong", "soft", "code"]
    assert answer.locator("ol > li > ul > li").inner_text() == "nested"
    assert answer.locator("tbody td").all_inner_texts() == ["guide", "small"]
    assert answer.locator("pre").inner_text() == 'print("<b>")'
    link = answer.locator("a")
    assert link.get_attribute("href") == "https://example.org/a"
    assert "noopener" in link.get_attribute("rel")
    assert "tokens/s" in answer.locator(".about").inner_text()


def test_nothing_that_a_model_writes_can_run(page: Any, box: str) -> None:
    opened(page, box)
    answer = asked(page, HOSTILE)
    assert page.evaluate("window.hacked") is None
    assert answer.locator("img, script, svg, [onclick], [onerror], [onload]").count() == 0
    assert [link.get_attribute("href") for link in answer.locator("a").all()] == ['https://x.example/"onclick=x']
    assert "<script>window.hacked=1</script>" in answer.inner_text()


def test_a_conversation_is_remembered_until_a_new_one_begins(page: Any, box: str) -> None:
    opened(page, box)
    asked(page, "one")
    with page.expect_request("**/v1/chat/completions") as sent:
        asked(page, "two")
    said = [message["content"] for message in json.loads(sent.value.post_data)["messages"]]
    assert (said[0], said[-1], len(said)) == ("one", "two", 3)
    page.click("#new-chat")
    assert page.locator(".message").count() == 0
    with page.expect_request("**/v1/chat/completions") as sent:
        asked(page, "three")
    assert len(json.loads(sent.value.post_data)["messages"]) == 1


def test_an_answer_that_is_stopped_ends_in_the_machine_as_well(page: Any, box: str) -> None:
    opened(page, box)
    page.fill("#question", "word " * 5000)
    page.keyboard.press("Enter")
    page.locator(".assistant[aria-busy] .text:not(:has(.waiting))").wait_for()
    page.keyboard.press("Escape")
    page.locator(".assistant .about", has_text="stopped").wait_for()
    assert page.locator("#send").is_visible() and not page.locator("#stop").is_visible()
    while json.loads(urllib.request.urlopen(f"{box}/admin/v1/status", timeout=10).read())["num_running"]:
        page.wait_for_timeout(20)


def test_it_is_used_by_keyboard_alone(page: Any, box: str) -> None:
    opened(page, box)
    page.focus("#question")
    page.keyboard.type("first")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second")
    assert page.input_value("#question") == "first\nsecond"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "model"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "send"
    page.keyboard.press("Enter")
    page.locator(".assistant .about button").wait_for()
    assert page.locator(".user .text").inner_text() == "first\nsecond"


def test_an_error_is_shown_and_the_question_is_not_lost(page: Any, box: str) -> None:
    opened(page, box)
    refused = {"error": {"message": "too many requests wait already"}}
    page.route("**/v1/chat/completions", lambda route: route.fulfill(status=200, body=f"data: {json.dumps(refused)}\n"))
    page.fill("#question", "Are you there?")
    page.keyboard.press("Enter")
    page.locator(".problem", has_text="too many requests wait already").wait_for()
    assert page.input_value("#question") == "Are you there?"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_and_can_be_read(browser: Any, box: str, scheme: str, size: dict[str, int]) -> None:
    page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
    opened(page, box)
    asked(page, MARKDOWN + "\n" + "w" * 300)
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    assert all(contrast(page, name) >= 4.5 for name in ("--text", "--quiet", "--accent", "--bad"))
    assert (luminance(page, "--page") > 0.5) == (scheme == "light")
    if size == PHONE:
        assert not page.locator("#panel").is_visible()
        page.click("#panel-button")
        assert page.locator("#panel").is_visible() and not page.locator("#chat").is_visible()
    page.context.close()


def luminance(page: Any, name: str) -> float:
    """Return the relative luminance of a colour of the style. Source: WCAG 2.2."""
    colour = page.evaluate("name => getComputedStyle(document.documentElement).getPropertyValue(name)", name).strip()
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(page: Any, name: str) -> float:
    darker, brighter = sorted((luminance(page, name), luminance(page, "--page")))
    return (brighter + 0.05) / (darker + 0.05)


def test_a_key_is_asked_for_once_and_stays_in_the_tab(page: Any, tmp_path: Path) -> None:
    with running_box(tmp_path / "home") as box:
        order = urllib.request.Request(f"{box}/admin/v1/keys", b'{"name":"ann"}', {"content-type": "application/json"})
        key = json.loads(urllib.request.urlopen(order, timeout=10).read())["key"]
        page.goto(box)
        page.fill("#key", "sk-wrong")
        page.keyboard.press("Enter")
        page.locator("#key-problem", has_text="not valid").wait_for()
        assert page.locator("#models li").count() == 0
        page.fill("#key", key)
        page.keyboard.press("Enter")
        page.locator("#model option[value=echo]").wait_for(state="attached")
        page.reload()
        opened(page, box)
        assert asked(page, "hello").locator(".text").inner_text() == "hello"
        page.locator(".metrics-link").first.click()
        page.locator("#metrics", has_text="appliance_").wait_for()
        assert page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
        other = page.context.new_page()
        other.goto(box)
        other.locator("#key").wait_for()
