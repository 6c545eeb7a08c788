"""Programs that are too heavy to run here: what they send, and what they read of the answer. `tests/data/clients/`."""

import copy
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "data" / "clients"
CODEX, CLAUDE, EDITORS = (
    json.loads((DATA / f"{name}.json").read_text()) for name in ("codex", "claude_code", "editors")
)


def send(url: str, body: object = None, headers: dict[str, str] | None = None) -> bytes:
    """Return the whole answer; one that is an error is raised with what it says."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"} | (headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{error.code}: {error.read().decode()}") from None


def events(answer: bytes) -> list[dict[str, Any]]:
    """Return what a stream of server-sent events holds."""
    data = [line[6:] for line in answer.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(each) for each in data if each != "[DONE]"]


def lines(answer: bytes) -> list[dict[str, Any]]:
    """Return what a stream of lines holds."""
    return [json.loads(line) for line in answer.splitlines()]


class TestCodex:
    """It sends the whole conversation each time and reads whole items; the last event must be `response.completed`."""

    def turn(self, box: str, *more: dict[str, Any]) -> list[dict[str, Any]]:
        body = CODEX["first turn"] | {"input": [*CODEX["first turn"]["input"], *more]}
        told = events(send(f"{box}/v1/responses", body, CODEX["headers"]))
        assert (told[0]["type"], told[-1]["type"]) == ("response.created", "response.completed"), told[-1]
        assert told[-1]["response"]["usage"]["output_tokens_details"]["reasoning_tokens"] >= 0
        return [event["item"] for event in told if event["type"] == "response.output_item.done"]

    def test_it_thinks_talks_and_calls_a_tool(self, box: str) -> None:
        thought, message, call = self.turn(box)
        assert (thought["type"], message["content"][0]["text"].strip()) == ("reasoning", "On it.")
        assert (call["type"], call["name"]) == ("function_call", "exec_command")
        assert json.loads(call["arguments"]) == {"cmd": "ls"}

    def test_it_goes_on_with_everything_that_happened(self, box: str) -> None:
        items = self.turn(box)
        later = copy.deepcopy(CODEX["later items"])
        later[0]["call_id"] = items[-1]["call_id"]
        *_, message = self.turn(box, *items, *later)
        assert message["content"][0]["text"] == "Well done."

    def test_its_patches_are_text_and_not_json(self, box: str) -> None:
        asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": CODEX["custom call"]}]}
        *_, call = self.turn(box, asked)
        assert (call["type"], call["name"]) == ("custom_tool_call", "apply_patch")
        assert call["input"] == "*** Begin Patch\n*** Delete File: a.txt\n*** End Patch\n"


class TestClaudeCode:
    """It streams every turn and gathers blocks by their index."""

    def turn(self, box: str, body: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        told = events(send(f"{box}/v1/messages?beta=true", body, CLAUDE["headers"]))
        assert (told[0]["type"], told[-1]["type"]) == ("message_start", "message_stop"), told[-1]
        blocks: list[dict[str, Any]] = []
        for event in told:
            if event["type"] == "content_block_start":
                assert event["index"] == len(blocks)
                blocks.append(event["content_block"] | {"json": ""})
            if event["type"] == "content_block_delta":
                (kind, piece) = next(pair for pair in event["delta"].items() if pair[0] != "type")
                key = "json" if kind == "partial_json" else kind
                blocks[event["index"]][key] = blocks[event["index"]].get(key, "") + piece
        return blocks, next(event for event in told if event["type"] == "message_delta")

    def later(self, box: str) -> dict[str, Any]:
        blocks = self.turn(box, CLAUDE["first turn"])[0][:3]
        said = [{key: value for key, value in block.items() if key != "json"} for block in blocks]
        said[-1]["input"] = json.loads(blocks[-1]["json"])
        (result,) = copy.deepcopy(CLAUDE["later messages"])
        result["content"][0]["tool_use_id"] = said[-1]["id"]
        body: dict[str, Any] = copy.deepcopy(CLAUDE["first turn"])
        body["messages"] += [{"role": "assistant", "content": said}, result]
        return body

    def test_it_thinks_talks_and_uses_a_tool(self, box: str) -> None:
        blocks, end = self.turn(box, CLAUDE["first turn"])
        assert [block["type"] for block in blocks[:3]] == ["thinking", "text", "tool_use"]
        assert blocks[0]["thinking"] == "look first" and blocks[1]["text"].startswith("On it.")
        assert json.loads(blocks[2]["json"]) == {"command": "ls", "description": "List files"}
        assert end["delta"]["stop_reason"] == "tool_use"

    def test_it_goes_on_with_what_the_tool_said(self, box: str) -> None:
        blocks, end = self.turn(box, self.later(box))
        assert "Well done." in blocks[-1]["text"]
        assert end["delta"]["stop_reason"] == "end_turn"

    def test_a_new_billing_line_computes_nothing_again(self, box: str) -> None:
        body = copy.deepcopy(CLAUDE["first turn"])
        body["system"][2]["text"] = "A long manual. " * 100
        self.turn(box, body)
        body["system"][0]["text"] = body["system"][0]["text"].replace("197.416", "197.b0a")
        _, end = self.turn(box, body)
        assert end["usage"]["cache_read_input_tokens"] > 1000

    def test_it_names_the_conversation_in_json(self, box: str) -> None:
        blocks, _ = self.turn(box, CLAUDE["title"])
        assert json.loads(blocks[-1]["text"]) == {"title": "Listing files"}

    def test_it_asks_for_a_token_and_counts_others(self, box: str) -> None:
        told = json.loads(send(f"{box}/v1/messages?beta=true", CLAUDE["quota"], CLAUDE["headers"]))
        assert told["stop_reason"] == "max_tokens"
        first = {key: CLAUDE["first turn"][key] for key in ("model", "messages", "system", "tools", "thinking")}
        counted = json.loads(send(f"{box}/v1/messages/count_tokens?beta=true", first, CLAUDE["headers"]))
        assert counted["input_tokens"] > 100


class TestEditors:
    def test_continue_looks_chats_and_completes(self, box: str) -> None:
        shown = json.loads(send(f"{box}/api/show", EDITORS["continue show"]))
        for line in shown["parameters"].splitlines():
            assert len(line.split(None, 1)) == 2
        assert isinstance(shown["template"], str)
        parts = lines(send(f"{box}/api/chat", EDITORS["continue chat"]))
        assert "".join(part["message"]["content"] for part in parts) == "Good morning!"
        parts = lines(send(f"{box}/api/generate", EDITORS["continue complete"]))
        assert parts[-1]["done"] and all(isinstance(part["response"], str) for part in parts)

    def test_copilot_finds_a_model_that_can_call_tools(self, box: str) -> None:
        version = [int(part) for part in json.loads(send(f"{box}/api/version"))["version"].split(".")]
        assert version >= [0, 6, 4], "an older Ollama is refused there"
        assert "echo:latest" in {model["model"] for model in json.loads(send(f"{box}/api/tags"))["models"]}
        shown = json.loads(send(f"{box}/api/show", EDITORS["copilot show"]))
        assert "tools" in shown["capabilities"] and shown["details"]["family"]
        assert shown["model_info"][f"{shown['model_info']['general.architecture']}.context_length"] > 4096
        assert isinstance(shown["model_info"]["general.basename"], str)
        chunks = events(send(f"{box}/v1/chat/completions", EDITORS["copilot chat"]))
        said = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"]]
        assert "".join(said) == "Good morning!" and chunks[-1]["usage"]["total_tokens"]

    def test_open_webui_talks_by_either_api(self, box: str) -> None:
        assert json.loads(send(f"{box}/api/version"))["version"]
        json.loads(send(f"{box}/api/ps"))
        parts = lines(send(f"{box}/api/chat", EDITORS["open webui chat"]))
        assert "".join(part["message"]["content"] for part in parts) == "Good morning!"
        told = json.loads(send(f"{box}/v1/chat/completions", EDITORS["open webui title"]))
        assert json.loads(told["choices"][0]["message"]["content"]) == {"title": "Morning"}
