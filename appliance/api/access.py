"""Who may ask: the host that was named, the page that sent it, the key that came along. Pure but for the keys file."""

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

import msgspec

from appliance.core.admin import KeyInfo
from appliance.core.caller import LOCAL, Caller
from appliance.errors import Forbidden, Unauthorized
from appliance.ops.keys import KeyStore, digest_of

Headers = Mapping[bytes, bytes]
"""Header lines by lower-case name; of a name that comes twice, the last line."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_MAX_CALLER_LENGTH = 256
# How containers on this machine call it; nobody can register a name under .internal
_CONTAINER_HOST_NAMES = ("host.docker.internal", "host.containers.internal")
# Programs with a web view. Source: Ollama, envconfig, AllowedOrigins. No page of the web has such an origin
_PROGRAM_SCHEMES = ("app://", "file://", "tauri://", "vscode-file://", "vscode-webview://")


class HostGuard:
    """Refuses requests that were sent to a name that is not ours: a page with such a name could drive this box."""

    def __init__(self, machine_name: str, allowed_hosts: Iterable[str]) -> None:
        short = machine_name.partition(".")[0]
        names = {"localhost", machine_name, short, f"{short}.local", *_CONTAINER_HOST_NAMES, *allowed_hosts}
        self._names = {name.lower().rstrip(".") for name in names}

    def check(self, headers: Headers) -> None:
        """Raise Forbidden unless `Host` is an address, one of our names, or absent (no browser leaves it out)."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = _without_port(host).rstrip(".")
        if not host or name in self._names or _is_address(name):
            return
        raise Forbidden(f"the host name {name!r} is not served here; add it to server.allowed_hosts if it is yours")


class OriginGuard:
    """Refuses requests that a page of another origin sent."""

    def __init__(self, allowed_origins: Iterable[str]) -> None:
        self._allowed = known_origins(allowed_origins)

    def check(self, method: str, path: str, headers: Headers) -> None:
        """Raise Forbidden for a foreign `Origin` on every route that changes or administers something."""
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if not origin or (method in _SAFE_METHODS and not path.startswith("/admin")):
            return
        if is_program(origin) and not path.startswith("/admin"):
            return
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if origin not in (f"http://{host}", f"https://{host}") and origin not in self._allowed:
            raise Forbidden(f"the origin {origin!r} may not use this API; see server.allowed_origins")


def known_origins(allowed_origins: Iterable[str]) -> frozenset[str]:
    """Return the origins of the settings as browsers write them."""
    return frozenset(origin.lower().rstrip("/") for origin in allowed_origins)


def is_program(origin: str) -> bool:
    """Return whether a program of this kind of origin asks, and no page that somebody visits."""
    return origin.startswith(_PROGRAM_SCHEMES)


class Authenticator:
    """Finds the caller. Without any key in the file everybody on this machine is `local`, and nobody else is let in."""

    def __init__(self, keys: KeyStore, local_secret: str) -> None:
        self._keys = keys
        self._local_digest = digest_of(local_secret)

    def caller(self, headers: Headers, client_host: str | None) -> Caller:
        """Return who asks. Raises: Unauthorized."""
        if self._keys.is_empty():
            if client_host is not None and _is_loopback(client_host):
                return LOCAL
            raise Unauthorized("this machine serves only itself while it has no key; see: appliance keys create NAME")
        secret = _secret(headers)
        if secret is None:
            raise Unauthorized("a key is needed; send it as 'Authorization: Bearer KEY'")
        if digest_of(secret) == self._local_digest:
            return _own_caller(headers)
        key = self._keys.find(secret)
        if key is None:
            raise Unauthorized("the key is not valid; `appliance keys list` shows those that are")
        return _caller_of(key, headers)


def refine(caller: Caller, user: str | None) -> Caller:
    """Return `caller` narrowed to one of its users: it keeps the key's rights and never leaves the key."""
    if not user:
        return caller
    return msgspec.structs.replace(caller, id=f"{caller.id}/{user}", source="user")


def _own_caller(headers: Headers) -> Caller:
    """Return this machine's own caller, or the one for whom a job of ours asks: with the least rights."""
    named = unquote(headers.get(b"x-appliance-caller", b"").decode("latin-1"))[:_MAX_CALLER_LENGTH]
    if not named or named == LOCAL.id:
        return LOCAL
    return Caller(id=named, source="key", scope="use")


def _caller_of(key: KeyInfo, headers: Headers) -> Caller:
    try:
        weight = float(key.options.get("weight", 1.0))
    except ValueError:
        weight = 1.0
    header = key.options.get("header", "").lower().encode("latin-1", "ignore")
    named = headers.get(header, b"").decode("latin-1")[:_MAX_CALLER_LENGTH] if header else ""
    if named:
        return Caller(id=f"{key.name}/{named}", source="header", scope=key.scope, weight=weight)
    return Caller(id=key.name, source="key", scope=key.scope, weight=weight)


def _secret(headers: Headers) -> str | None:
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get(b"x-api-key", b"").decode("latin-1").strip() or None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback
