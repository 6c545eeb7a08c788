"""What went wrong between us and a source, in one sentence."""

import socket
import ssl
from collections.abc import Mapping
from email.utils import formatdate

import httpx
import pytest

from models.sources.base import SourceError, SourceUnavailable
from models.sources.failures import network_failure, retry_after_s, status_failure


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (caused(httpx.ConnectError("x"), socket.gaierror(-2, "Name or service not known")), "cannot be looked up"),
        (httpx.ConnectError("[Errno -3] Temporary failure in name resolution"), "cannot be looked up"),
        (httpx.ConnectTimeout("timed out"), "did not answer in time"),
        (httpx.ReadTimeout(""), "did not answer in time"),
        (httpx.ConnectError("[Errno 111] Connection refused"), "refuses connections"),
        (httpx.RemoteProtocolError("peer closed connection"), "peer closed connection"),
    ],
)
def test_what_may_be_otherwise_later_can_be_tried_again(error: Exception, says: str) -> None:
    failure = network_failure(error, "hub.example")
    assert isinstance(failure, SourceUnavailable)
    assert says in str(failure) and "hub.example" in str(failure)


def test_a_certificate_that_is_not_trusted_stays_so() -> None:
    certificate = ssl.SSLCertVerificationError("x")
    certificate.verify_message = "self-signed certificate"
    failure = network_failure(caused(httpx.ConnectError("x"), certificate), "mirror.example")
    assert not isinstance(failure, SourceUnavailable)
    assert "self-signed certificate" in str(failure) and "system's certificates" in str(failure)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(status: int) -> None:
    failure = status_failure(status, {"retry-after": "9"}, "hub.example", "a/b")
    assert isinstance(failure, SourceUnavailable) and failure.retry_after_s == 9


@pytest.mark.parametrize(
    ("status", "says"), [(401, "private"), (403, "private"), (404, "check how it is written"), (410, "no")]
)
def test_a_refusal_is_final(status: int, says: str) -> None:
    failure = status_failure(status, {}, "hub.example", "https://hub.example/m.gguf?signature=geheim")
    assert isinstance(failure, SourceError) and not isinstance(failure, SourceUnavailable)
    assert says in str(failure) and "geheim" not in str(failure)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": formatdate(1_000_060, usegmt=True)}, 60.0),
        ({"retry-after": formatdate(999_000, usegmt=True)}, 0.0),
        ({"retry-after": " 0 "}, 0.0),
        *(({"retry-after": word}, None) for word in ("soon", "-5", "1e3", "²")),
        ({"retry-after": "9" * 400}, 7 * 86400.0),
        ({"ratelimit": '"api";r=0;t=55'}, 55.0),
        ({"ratelimit": '"api";r=12;t=55'}, None),
        ({"ratelimit": "nonsense"}, None),
        ({}, None),
    ],
)
def test_the_time_to_wait_is_read_in_every_form(headers: Mapping[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers, now_s=1_000_000) == wait_s
