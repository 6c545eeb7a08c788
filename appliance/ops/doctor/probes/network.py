"""The address that the daemon listens on or would, and the keys that protect it."""

import errno
import ipaddress
import socket
from pathlib import Path
from typing import Literal

from appliance.core.admin import KeyInfo
from appliance.ops.doctor.facts import NetworkFacts
from appliance.ops.doctor.probes.ports import listener
from appliance.ops.keys import KeyStore
from appliance.settings import ServerSettings

_REASONS: dict[int, Literal["in_use", "not_allowed", "no_address"]] = {
    errno.EADDRINUSE: "in_use",
    errno.EACCES: "not_allowed",
    errno.EADDRNOTAVAIL: "no_address",
}


def look_at_network(home: Path, server: ServerSettings, *, is_daemon_running: bool) -> NetworkFacts:
    """Return what the network's checks need; a port that our own daemon holds is not tried."""
    infos, num_lines = _keys(home / "keys")
    problem = None if is_daemon_running else bind_problem(server.host, server.port)
    second = server.ollama_port or None
    second_problem = None if is_daemon_running or second is None else bind_problem(server.host, second)
    return NetworkFacts(
        host=server.host,
        port=server.port,
        is_exposed=_is_exposed(server.host),
        allowed_hosts=server.allowed_hosts,
        allowed_origins=server.allowed_origins,
        bind_problem=problem,
        port_holder=listener(server.port) if problem == "in_use" else None,
        ollama_port=second,
        ollama_bind_problem=second_problem,
        ollama_port_holder=listener(second) if second is not None and second_problem == "in_use" else None,
        keys=infos,
        num_unreadable_keys=num_lines - len(infos) if infos is not None else 0,
    )


def bind_problem(host: str, port: int) -> Literal["in_use", "not_allowed", "no_address"] | None:
    """Return why nobody could listen there now, None where somebody could."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError:
        return "no_address"
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            return _REASONS.get(error.errno or 0, "no_address")
    return None


def _keys(path: Path) -> tuple[tuple[KeyInfo, ...] | None, int]:
    try:
        infos = KeyStore(path).infos()
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    except (OSError, ValueError):
        return None, 0
    return infos, sum(bool(line.strip()) and not line.startswith("#") for line in lines)


def _is_exposed(host: str) -> bool:
    """A name could be looked up, but that may take long; only `localhost` is sure to be this machine alone."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
