"""Receivers and mail servers that prove who they are are told, and no others."""

import asyncio
import ssl
from pathlib import Path
from typing import Literal

import pytest

from appliance.jobs.notify.mail import mail_to, send_mail
from appliance.jobs.notify.places import AllowList
from appliance.jobs.notify.post import post
from appliance.jobs.notify.states import DeliveryFailed
from appliance.settings import NotifySettings
from tests.authority import Authority
from tests.receiver import Mailbox, receiving, taking_mail

Security = Literal["none", "starttls", "tls"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "strange")


def told(certificate: ssl.SSLContext, ca_file: Path | None) -> list[bytes]:
    """Post to a receiver with this certificate, and return what it got. Raises: DeliveryFailed, if it got nothing."""
    with receiving(certificate) as receiver:
        try:
            asyncio.run(post(receiver.url, {}, b"{}", AllowList((receiver.url[8:],)), ca_file and str(ca_file)))
        except DeliveryFailed:
            assert receiver.got.empty()
            raise
        return [receiver.next()[2]]


def mailed(security: Security, ca_file: Path | None, mailbox: Mailbox) -> str:
    """Send a mail, and return what the box got. Raises: DeliveryFailed, if it got nothing."""
    settings = NotifySettings(
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_security=security,
        ca_file=ca_file and str(ca_file),
    )
    try:
        send_mail(settings, mail_to("ada@example.org", "box@example.org", "msg_1", "Done", "It has ended.", 0.0))
    except DeliveryFailed:
        assert mailbox.got.empty()
        raise
    return mailbox.got.get(timeout=30)


def test_whom_an_authority_of_ones_own_vouches_for_is_told(authority: Authority) -> None:
    assert told(authority.server(), authority.file) == [b"{}"]


def test_the_store_of_the_system_may_be_another_file(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert told(authority.server(), None) == [b"{}"]


def test_who_does_not_prove_who_it_is_is_not_told_and_the_reason_says_so(
    authority: Authority, stranger: Authority
) -> None:
    for certificate, ca_file, reason in (
        (authority.server(), None, "unable to get local issuer"),
        (stranger.server(), authority.file, "unable to get local issuer"),
        (authority.server("127.0.0.2"), authority.file, "IP address mismatch"),
        (authority.server(is_expired=True), authority.file, "has expired"),
    ):
        with pytest.raises(DeliveryFailed, match=rf"certificate of 127\.0\.0\.1 is not trusted: .*{reason}") as failure:
            told(certificate, ca_file)
        assert "notify.ca_file" in failure.value.reason and not failure.value.is_final


def test_authorities_that_cannot_be_read_are_named(authority: Authority, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for ca_file, reason in ((tmp_path / "none.pem", "No such file"), (empty, "it holds no certificates")):
        with pytest.raises(DeliveryFailed, match=rf"notify\.ca_file \(.*{ca_file.name}\) cannot be used: {reason}"):
            told(authority.server(), ca_file)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_to_a_server_that_proves_who_it_is(security: Security, authority: Authority) -> None:
    with taking_mail(security, authority.server()) as mailbox:
        assert "It has ended." in mailed(security, authority.file, mailbox)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_to_no_other(security: Security, authority: Authority, stranger: Authority) -> None:
    with taking_mail(security, stranger.server()) as mailbox:
        with pytest.raises(DeliveryFailed, match=r"certificate of 127\.0\.0\.1 is not trusted"):
            mailed(security, authority.file, mailbox)
        with pytest.raises(DeliveryFailed, match=r"notify\.ca_file"):
            mailed(security, Path("/nowhere.pem"), mailbox)


def test_mail_that_is_to_be_encrypted_never_goes_in_the_open(authority: Authority) -> None:
    with taking_mail("none") as mailbox, pytest.raises(DeliveryFailed, match="STARTTLS"):
        mailed("starttls", authority.file, mailbox)
