"""The OpenAPI document as one page to read: no script, nothing loaded from anywhere."""

import json
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "code,pre{font:14px/1.45 ui-monospace,monospace}pre{background:#f4f4f4;padding:.6rem;overflow-x:auto}"
    "summary{cursor:pointer;padding:.2rem 0}summary b{display:inline-block;width:4.5rem;color:#06c}"
    "details div{margin:0 0 1rem 4.5rem}h2{margin:2rem 0 0}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}pre{background:#252525}summary b{color:#6af}}"
)


def page(document: dict[str, Any]) -> bytes:
    """Return the page."""
    info = document["info"]
    sections = "".join(_section(document, tag) for tag in document["tags"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        '<p>For programs: <a href="/schema/openapi.json">/schema/openapi.json</a>. A key, once there is one, goes into '
        f"<code>Authorization: Bearer KEY</code> or <code>x-api-key: KEY</code>.</p>{sections}</body></html>"
    ).encode()


def _section(document: dict[str, Any], tag: dict[str, str]) -> str:
    operations = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag["name"] in operation["tags"]
    ]
    return f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>{''.join(operations)}"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<p>{escape(operation['summary'])}</p>"]
    if operation["parameters"]:
        names = ", ".join(f"<code>{escape(each['name'])}</code>" for each in operation["parameters"])
        parts.append(f"<p>Parameters: {names}</p>")
    bodies = operation.get("requestBody", {}).get("content", {}).values()
    examples = (json.dumps(body["example"], indent=2, ensure_ascii=False) for body in bodies if "example" in body)
    parts += [f"<pre>{escape(example)}</pre>" for example in examples]
    kinds = ", ".join(
        f"{status} <code>{escape(kind)}</code>"
        for status, response in operation["responses"].items()
        if status.startswith("2")
        for kind in response.get("content", {"no content": None})
    )
    parts.append(f"<p>Answers: {kinds}</p>")
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code></summary>"
        f"<div>{''.join(parts)}</div></details>"
    )
