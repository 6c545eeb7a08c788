"""The OpenAPI document: complete, and true of what is served. `schemathesis` tries it with bodies that it makes up."""

from collections.abc import Iterator
from typing import Any

import httpx
import hypothesis
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from litestar.routes import HTTPRoute
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from appliance.api.app import build_api
from appliance.api.openapi import operation_of
from appliance.core.events import Encoded
from appliance.core.request import EncodeRequest
from tests.api.conftest import LOCAL_SECRET, PATIENT, Daemon, served
from tests.fakes import accepted, finished, two_words

CHECKS = (status_code_conformance, content_type_conformance, response_schema_conformance)
KEY = {"authorization": f"Bearer {LOCAL_SECRET}"}
"""One of the made-up requests makes a key, from which on every request needs one."""
SLOW = ("/admin/v1/doctor", "/admin/v1/models/convert", "/admin/v1/models/quantize", "/admin/v1/jobs")
"""Each call of these takes a second or starts a process; their answers are checked elsewhere."""
ENDLESS = ("/admin/v1/events",)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with served(tmp_path_factory.mktemp("home"), PATIENT) as daemon:
        daemon.scheduler.script = says_anything
        yield daemon


def says_anything(request: Any) -> list[Any]:
    if not isinstance(request, EncodeRequest):
        return two_words(request)
    data, indices = bytes(8 * len(request.inputs)), tuple(range(len(request.inputs)))
    return [accepted(request), Encoded(id=request.id, kind="embedding", indices=indices, data=data), finished(request)]


def document_of(daemon: Daemon) -> dict[str, Any]:
    with httpx.Client(trust_env=False) as http:
        document: dict[str, Any] = http.get(f"{daemon.url}/schema/openapi.json").json()
    return document


def served_routes(daemon: Daemon) -> Iterator[tuple[str, str, Any]]:
    gate: Any = build_api(daemon.parts, local_secret=LOCAL_SECRET, machine_name="box.lan")
    for route in gate._app.routes:
        assert isinstance(route, HTTPRoute)
        for handler in route.route_handlers:
            for method in handler.http_methods - {"OPTIONS"}:
                path = route.path_format
                yield method.lower(), path, handler


def test_every_served_route_is_in_the_document_and_nothing_else_is(daemon: Daemon) -> None:
    written = {(method, path) for path, item in document_of(daemon)["paths"].items() for method in item}
    assert written == {(method, path) for method, path, _ in served_routes(daemon)}


def test_every_example_is_accepted_by_its_own_type(daemon: Daemon) -> None:
    operations = [operation_of(handler) for _, _, handler in served_routes(daemon)]
    with_json = [each for each in operations if each.takes is not None and each.takes_type == "application/json"]
    for operation in with_json:
        assert operation.example is not None
        msgspec.convert(operation.example, operation.takes)
    assert len(with_json) > 20


def test_every_reference_leads_somewhere(daemon: Daemon) -> None:
    document = document_of(daemon)

    def check(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(name := value.get("$ref"), str):
                found: Any = document
                for part in name.removeprefix("#/").split("/"):
                    found = found[part]
            for each in value.values():
                check(each)
        elif isinstance(value, list):
            for each in value:
                check(each)

    check(document)


def test_what_people_read_names_every_path_and_loads_nothing(daemon: Daemon) -> None:
    with httpx.Client(base_url=daemon.url, trust_env=False) as http:
        answer = http.get("/schema")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not [word for word in ("<script", "src=", "@import", "http://", "https://") if word in answer.text]
    assert all(path in answer.text for path in document_of(daemon)["paths"])


def test_the_document_needs_no_key_and_everything_else_says_that_it_does(daemon: Daemon) -> None:
    document = document_of(daemon)
    daemon.do(lambda: daemon.parts.keys.create("somebody", "use"))
    try:
        with httpx.Client(base_url=daemon.url, trust_env=False) as http:
            for method, path, _ in served_routes(daemon):
                needs_key = http.request(method, path.replace("{", "").replace("}", "")).status_code == 401
                assert needs_key == bool(document["paths"][path][method]["security"]), path
    finally:
        daemon.do(lambda: daemon.parts.keys.revoke("somebody"))


def test_made_up_bodies_get_the_answers_that_the_document_promises(daemon: Daemon) -> None:
    try_out(daemon, max_examples=4)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_made_up_bodies_get_the_answers_that_the_document_promises(daemon: Daemon) -> None:
    try_out(daemon, max_examples=50)


def try_out(daemon: Daemon, max_examples: int) -> None:
    schema = schemathesis.openapi.from_dict(document_of(daemon))
    settings = hypothesis.settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in SLOW + ENDLESS:
            continue

        @settings
        @hypothesis.given(case=operation.as_strategy())
        def answers_as_promised(case: Any) -> None:
            response = case.call(base_url=daemon.url, timeout=30, headers=KEY)
            assert response.status_code != 500, case.as_curl_command()
            case.validate_response(response, checks=CHECKS)

        answers_as_promised()
