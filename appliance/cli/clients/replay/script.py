"""A client's requests as data: the files of `requests/`. Knows neither how they are sent nor what is a good answer."""

from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

Kind = Literal["status", "json", "chat", "responses", "messages", "ollama", "embeddings"]
"""How an answer is read; the five in the middle of it are those of the dialects."""

KeyForm = Literal["bearer", "x-api-key", "none"]

_FOLDER = Path(__file__).parent / "requests"
_MODEL = b"$MODEL"


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request, and what its answer must hold.

    `wants`: text, a call of a tool, or tokens that did not have to be computed again. `needs` is a capability without
    which the step says nothing. `optional` says what does not work, where this step fails and the client still works.
    `like` names an earlier step: path, kind and headers are its, and of the body what is not said here. `key` says how
    the client sends one, where that is not the way of the API.
    """

    name: str
    path: str = ""
    kind: Kind = "json"
    like: str | None = None
    method: Literal["GET", "HEAD", "POST"] = "POST"
    headers: dict[str, str] = {}
    body: dict[str, Any] | None = None
    wants: tuple[Literal["text", "call", "cached"], ...] = ()
    needs: str | None = None
    optional: str | None = None
    key: KeyForm | None = None

    @property
    def key_form(self) -> KeyForm:
        """How the key is sent: Ollama's API knows none, Anthropic's libraries have a header of their own."""
        if self.key is not None:
            return self.key
        if self.path.startswith("/api/"):
            return "none"
        return "x-api-key" if self.path.startswith("/v1/messages") else "bearer"


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One client. `first_request_bytes` is how long the first request of its usual work was when it was seen."""

    client: str
    source: str
    steps: tuple[Step, ...]
    first_request_bytes: int = 0


def load_scripts(model: str) -> tuple[Script, ...]:
    """Return all scripts, in the order of their files' names, with `model` in the place where clients name one."""
    written = msgspec.json.encode(model)[1:-1]
    contents = (path.read_bytes().replace(_MODEL, written) for path in sorted(_FOLDER.glob("*.json")))
    return tuple(_whole(msgspec.json.decode(content, type=Script)) for content in contents)


def _whole(script: Script) -> Script:
    steps: dict[str, Step] = {}
    for step in script.steps:
        if step.like is not None:
            base = steps[step.like]
            body = (base.body or {}) | (step.body or {})
            step = replace(step, path=base.path, kind=base.kind, headers=base.headers, body=body)
        steps[step.name] = step
    return replace(script, steps=tuple(steps.values()))
