"""What went wrong between us and a source, in one sentence with what mends it. Knows no HTTP library."""

import email.utils
import socket
import ssl
import time
from collections.abc import Iterator, Mapping

from models.sources.base import SourceError, SourceUnavailable

MAX_RETRY_AFTER_S = 7 * 86400.0


def network_failure(error: Exception, host: str) -> SourceError:
    """Return why there was no answer; what may be otherwise a while later is SourceUnavailable."""
    causes = list(_causes(error))
    certificate = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return SourceError(
            f"the certificate of {host} is not trusted: {certificate.verify_message}; check the machine's clock, and "
            "add the authority of a mirror of your own to the system's certificates"
        )
    words = " ".join(str(cause) for cause in causes).lower()
    if any(isinstance(cause, ssl.SSLError) for cause in causes) or "ssl" in words or "certificate" in words:
        return SourceError(
            f"{host} speaks no encryption that is understood here ({_short(error)}); is it https at all?"
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes) or "name resolution" in words or "getaddr" in words:
        return SourceUnavailable(f"the name {host} cannot be looked up; is this machine connected to the network?")
    if "timeout" in type(error).__name__.lower() or "timed out" in words:
        return SourceUnavailable(f"{host} did not answer in time; try again later")
    if "refused" in words:
        return SourceUnavailable(f"{host} refuses connections; is the address right, and is it running?")
    return SourceUnavailable(f"the connection to {host} failed: {_short(error)}; try again later")


def status_failure(status: int, headers: Mapping[str, str], host: str, what: str) -> SourceError:
    """Return what a status without success means. `headers` have names in lower case, `what` was asked for."""
    shown = what.partition("?")[0]
    if status == 429:
        wait_s = retry_after_s(headers)
        after = f" for {wait_s:.0f} s" if wait_s is not None else " for a while"
        return SourceUnavailable(f"{host} asks to be left alone{after}: too many requests", wait_s)
    if status >= 500 or status in (408, 425):
        return SourceUnavailable(f"{host} cannot answer now (HTTP {status}); try again later", retry_after_s(headers))
    if status in (401, 403):
        return SourceError(
            f"{host} does not let us have {shown} (HTTP {status}); is it private, or asked with no token?"
        )
    if status in (404, 410):
        return SourceError(f"{host} has no {shown}; check how it is written")
    return SourceError(f"{host} refused {shown} (HTTP {status})")


def retry_after_s(headers: Mapping[str, str], now_s: float | None = None) -> float | None:
    """Return how long a server wants to be left alone, None where it does not say. Header names are lower case.

    Sources: RFC 9110, 10.2.3, seconds or a date; the IETF's draft of RateLimit header fields, `"api";r=0;t=55`.
    """
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(float(text), MAX_RETRY_AFTER_S)
    if text:
        try:
            moment_s = email.utils.parsedate_to_datetime(text).timestamp()
        except (ValueError, TypeError):
            return None
        return min(max(0.0, moment_s - (time.time() if now_s is None else now_s)), MAX_RETRY_AFTER_S)
    limits = dict(part.strip().partition("=")[::2] for part in headers.get("ratelimit", "").split(";")[1:])
    if limits.get("r") == "0" and limits.get("t", "").isdecimal():
        return min(float(limits["t"]), MAX_RETRY_AFTER_S)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
