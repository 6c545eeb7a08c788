"""Whom the allow-list lets be told."""

from typing import Any

import pytest

from appliance.core.notify import Target
from appliance.jobs.notify.places import AllowList

LIST = (
    "hooks.example.org",
    "*.example.net",
    "many.example:8443",
    "http://192.168.1.20:8080",
    "10.0.0.5",
    "[fd00::5]",
    "ada@example.org",
    "@mail.example",
    "@*.corp.example",
)


def refusal(address: str, kind: Any = "webhook", entries: tuple[str, ...] = LIST) -> str | None:
    return AllowList(entries).refusal(Target(kind=kind, address=address))


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/done?of=1",
        "https://HOOKS.example.org./",
        "https://hooks.example.org:443/",
        "https://a.b.example.net",
        "https://many.example:8443/x",
        "http://192.168.1.20:8080/",
        "https://10.0.0.5/",
        "https://[fd00::5]/",
    ],
)
def test_what_is_listed_may_be_told(url: str) -> None:
    assert refusal(url) is None
    assert refusal(url, "ntfy") is None


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example",
        "https://example.net",
        "https://hooks.example.org.elsewhere.example",
        "https://hooks.example.org:8443/",
        "https://many.example/",
        "http://hooks.example.org/",
        "https://192.168.1.20:8080/",
        "https://name:word@hooks.example.org/",
        "https://hooks.example.org\\@elsewhere.example/",
        "https://elsewhere.example/?hooks.example.org",
        "https://hooks.example.org/#part",
        "https://hooks.example.org/\r\nX: 1",
        "https://hooks.example.org:99999/",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "hooks.example.org",
        "",
    ],
)
def test_nobody_else_is_told(url: str) -> None:
    assert refusal(url) is not None


def test_by_default_nobody_is_told_and_the_setting_is_named() -> None:
    assert "notify.allowed_addresses" in str(refusal("https://hooks.example.org", entries=()))
    assert "notify.allowed_addresses" in str(refusal("ada@example.org", "email", entries=()))


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "10.0.0.6",
        "192.168.1.1",
        "169.254.169.254",
        "::1",
        "::ffff:127.0.0.1",
        "fe80::1",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
def test_a_private_address_is_told_only_if_it_is_listed_itself(ip: str) -> None:
    assert AllowList(("*", "*.example")).ip_refusal(ip) is not None
    host = f"[{ip}]" if ":" in ip else ip
    assert refusal(f"https://{host}/", entries=("*",)) is not None
    assert AllowList((host,)).ip_refusal(ip) is None


def test_a_public_address_is_told() -> None:
    assert AllowList(()).ip_refusal("9.9.9.9") is None


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("ada@example.org", True),
        ("ADA@Example.org", True),
        ("bob@example.org", False),
        ("bob@mail.example", True),
        ("bob@a.corp.example", True),
        ("bob@corp.example", False),
        ("bob@mail.example, eve@elsewhere.example", False),
        ("eve@elsewhere.example@mail.example", False),
        ("bob@mail.example\nBcc: eve@elsewhere.example", False),
        ("@mail.example", False),
        ("bob", False),
    ],
)
def test_mail_goes_to_listed_addresses_and_domains(address: str, may: bool) -> None:
    assert (refusal(address, "email") is None) is may
