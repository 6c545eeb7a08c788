"""Sends a client's requests to a box, one after another, as the client does: its headers, no help of our library."""

import http.client
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from urllib.parse import urlsplit

from .answer import Raw
from .script import Script, Step

TIMEOUT_S = 600.0
"""A large model reads a long prompt for minutes on a slow machine; the daemon says in between that it lives."""


def replay(script: Script, url: str, key: str | None, capabilities: Sequence[str]) -> Iterator[Raw | None]:
    """Yield the answer to each step; None for one that the model has not the capability for. Raises: OSError."""
    for step in script.steps:
        yield None if step.needs is not None and step.needs not in capabilities else _send(step, url, key)


def _key_headers(step: Step, key: str | None) -> dict[str, str]:
    if key is None or step.key_form == "none":
        return {}
    return {"x-api-key": key} if step.key_form == "x-api-key" else {"Authorization": f"Bearer {key}"}


def _send(step: Step, url: str, key: str | None) -> Raw:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = dict(step.headers) | _key_headers(step, key)
    body = None if step.body is None else json.dumps(step.body, ensure_ascii=False).encode()
    headers |= {} if body is None else {"Content-Type": "application/json"}
    with closing(kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)) as connection:
        try:
            connection.request(step.method, parts.path + step.path, body=body, headers=headers)
            answer = connection.getresponse()
            return Raw(answer.status, answer.headers.get_content_type(), answer.read())
        except http.client.HTTPException as error:
            return Raw(599, "", json.dumps({"error": f"the connection broke ({error!r})"}).encode())
