"""The OpenAPI document: written from the wire structs and from what each route says of itself in its `Operation`.

Source: OpenAPI Specification 3.1.1.
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, QueryParameter
from litestar.types import Scope

import appliance
from appliance.dialects.anthropic.errors import Envelope as AnthropicError
from appliance.dialects.anthropic.errors import envelope as anthropic_envelope
from appliance.dialects.ollama.errors import ErrorWire as OllamaError
from appliance.dialects.ollama.errors import envelope as ollama_envelope
from appliance.dialects.openai.errors import Envelope as OpenAIError
from appliance.dialects.openai.errors import envelope as openai_envelope

from .errors import Envelope, envelope_of
from .gate import OPEN_PATHS
from .operation import Operation

TAGS = {
    "OpenAI": "Chat, completions, embeddings and models as OpenAI's clients speak of them, with extensions of ours.",
    "Responses": "OpenAI's stateful interface: responses and conversations that the machine keeps.",
    "Anthropic": "Messages, as Anthropic's clients speak of them.",
    "Ollama": "The interface of Ollama.",
    "Vocabulary": "What a model reads, without an answer from it.",
    "Administration": "Models, requests, jobs, keys and the machine itself.",
    "Machine": "Is it there, is it ready, what does it count.",
}
_TAG_OF = (
    ("/v1/responses", "Responses"),
    ("/v1/conversations", "Responses"),
    ("/v1/messages", "Anthropic"),
    ("/v1/", "OpenAI"),
    ("/api/", "Ollama"),
    ("/admin/", "Administration"),
    ("/tokenize", "Vocabulary"),
    ("/detokenize", "Vocabulary"),
    ("/apply-template", "Vocabulary"),
)
_ERRORS: Mapping[Envelope, Any] = {
    openai_envelope: OpenAIError,
    anthropic_envelope: AnthropicError,
    ollama_envelope: OllamaError,
}
_PARAMETER = re.compile(r"\{(\w+):(\w+)\}")
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"x-api-key": []}, {}]
_REQUEST_ID = {"x-request-id": {"description": "What the log calls this request.", "schema": {"type": "string"}}}


class ApiDocument:
    """The document of some routes, written when somebody first asks for it."""

    def __init__(self, handlers: Iterable[HTTPRouteHandler]) -> None:
        self._handlers = tuple(handlers)

    @cached_property
    def content(self) -> dict[str, Any]:
        """Return the document."""
        schemas = _Schemas(self._types())
        paths: dict[str, dict[str, Any]] = {}
        for handler, path in self._routes():
            for method in handler.http_methods:
                paths.setdefault(_PARAMETER.sub(r"{\1}", path), {})[method.lower()] = _operation(handler, path, schemas)
        return {
            "openapi": "3.1.1",
            "info": {
                "title": "LLM appliance",
                "version": appliance.__version__,
                "description": "A private AI server: one machine, many models, the interfaces that clients know.",
                "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": schemas.components,
                "responses": dict(sorted(schemas.errors.items())),
                "securitySchemes": _SCHEMES,
            },
        }

    @cached_property
    def json(self) -> bytes:
        """Return the document as it is sent."""
        return msgspec.json.encode(self.content)

    def _routes(self) -> Iterator[tuple[HTTPRouteHandler, str]]:
        for handler in self._handlers:
            for path in sorted(handler.paths):
                yield handler, path

    def _types(self) -> Iterator[Any]:
        yield from _ERRORS.values()
        for handler in self._handlers:
            operation = operation_of(handler)
            yield from (operation.takes, operation.gives, operation.streams, *operation.also.values())
            yield from _parameter_types(handler, operation).values()


_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key that `appliance keys create` made."},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same key."},
}


class _Schemas:
    """The JSON schemas of types; of a tuple of types, that of any of them. A struct has a name among the components."""

    def __init__(self, types: Iterable[Any]) -> None:
        flat = (kind for each in types for kind in (each if isinstance(each, tuple) else (each,)))
        kinds = list({repr(kind): kind for kind in flat if kind is not None}.values())
        schemas, self.components = msgspec.json.schema_components(
            kinds, schema_hook=_schema_of_any, ref_template="#/components/schemas/{name}"
        )
        self._schemas = dict(zip(map(repr, kinds), schemas, strict=True))
        self.errors: dict[str, dict[str, Any]] = {}

    def __getitem__(self, kind: Any) -> dict[str, Any]:
        if isinstance(kind, tuple):
            return {"anyOf": [self[each] for each in kind]}
        return self._schemas[repr(kind)]


def _schema_of_any(kind: type) -> dict[str, Any]:
    """Return the schema of what msgspec passes through unread. Raises: NotImplementedError, for another type."""
    if kind is not object:
        raise NotImplementedError
    return {"description": "Any value."}


def operation_of(handler: HTTPRouteHandler) -> Operation:
    """Return what a route says of itself. Raises: KeyError."""
    operation: Operation = handler.opt["operation"]
    return operation


def _operation(handler: HTTPRouteHandler, path: str, schemas: _Schemas) -> dict[str, Any]:
    operation = operation_of(handler)
    lines = inspect.cleandoc(handler.fn.__doc__ or "").split("\n\n", 1)
    written: dict[str, Any] = {
        "operationId": f"{handler.fn.__module__.rpartition('.')[2]}.{handler.fn.__name__}",
        "summary": lines[0].replace("\n", " "),
        "tags": [next((tag for beginning, tag in _TAG_OF if path.startswith(beginning)), "Machine")],
        "parameters": _parameters(handler, operation, path, schemas),
        "responses": _responses(handler, operation, path, schemas),
        "security": [] if path in OPEN_PATHS else _SECURITY,
    }
    if operation.takes is not None:
        has_fields = operation.takes is not bytes
        body: dict[str, Any] = {"schema": schemas[operation.takes]} if has_fields else {}
        if operation.example is not None:
            body["example"] = operation.example
        written["requestBody"] = {"required": True, "content": {operation.takes_type: body}}
    return written


# Parameters


def _parameter_types(handler: HTTPRouteHandler, operation: Operation) -> dict[str, Any]:
    """Return the type of each parameter in the query and the path."""
    found = dict(operation.query)
    for name, hint in get_type_hints(handler.fn, include_extras=True).items():
        if get_origin(hint) is Annotated and isinstance(get_args(hint)[1], QueryParameter | PathParameter):
            found[name] = get_args(hint)[0]
    return found


def _parameters(handler: HTTPRouteHandler, operation: Operation, path: str, schemas: _Schemas) -> list[dict[str, Any]]:
    kinds_in_path = dict(_PARAMETER.findall(path))
    signature = inspect.signature(handler.fn).parameters
    parameters = []
    for name, kind in _parameter_types(handler, operation).items():
        default = signature[name].default if name in signature else None
        is_required = default is inspect.Parameter.empty
        schema = schemas[kind] if is_required or default is None else {**schemas[kind], "default": default}
        place = "path" if name in kinds_in_path else "query"
        written = {"name": name, "in": place, "required": is_required, "schema": schema}
        has_slashes = kinds_in_path.get(name) == "path"
        parameters.append(written | ({"description": "It may hold slashes."} if has_slashes else {}))
    return parameters


# Responses


def _responses(handler: HTTPRouteHandler, operation: Operation, path: str, schemas: _Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.gives is not None:
        content[operation.gives_type] = {"schema": schemas[operation.gives]}
    if operation.streams is not None:
        # The specification has no word for the items of a stream before 3.2
        content[operation.stream_type] = {"x-item-schema": schemas[operation.streams]}
    success: dict[str, Any] = {"description": HTTPStatus(handler.status_code).phrase, "headers": _REQUEST_ID}
    responses = {str(handler.status_code): success | ({"content": content} if content else {})}
    for status, kind in operation.also.items():
        also = {"application/json": {"schema": schemas[kind]}}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "headers": _REQUEST_ID, "content": also}
    for status in _statuses(operation, path):
        responses[str(status)] = _error(status, path, schemas)
    responses["default"] = _error(None, path, schemas)
    return responses


def _statuses(operation: Operation, path: str) -> Iterator[int]:
    if path not in OPEN_PATHS:
        yield from (401, 403)
    if operation.takes is not None:
        yield from (400, 408, 413)
        yield from (404, 409, 415, 429, 503)
    elif "{" in path:
        yield 404


def _error(status: int | None, path: str, schemas: _Schemas) -> dict[str, Any]:
    """Return a reference to the error as the path's dialect writes it; None: any other."""
    write = envelope_of(cast(Scope, {"path": path, "headers": []}))
    dialect = _ERRORS[write].__module__.split(".")[2]
    name = f"{dialect}.{status or 'error'}"
    if name not in schemas.errors:
        example = msgspec.json.decode(write(status or 500, "what is wrong, why, and what to do"))
        body = {"schema": schemas[_ERRORS[write]], "example": example}
        schemas.errors[name] = {
            "description": HTTPStatus(status).phrase if status else "Any other error, in the same form",
            "headers": _REQUEST_ID,
            "content": {"application/json": body},
        }
    return {"$ref": f"#/components/responses/{name}"}
