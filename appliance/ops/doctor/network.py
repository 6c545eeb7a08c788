"""Checks of what others can reach: the address, the port, the keys, the allow-lists."""

from appliance.core.doctor import Finding

from .facts import Check, Facts, Outcome

_BIND_REASONS = {
    "in_use": "another program listens there",
    "not_allowed": "ports below 1024 need root",
    "no_address": "this machine has no such address",
}


def port(facts: Facts) -> Outcome:
    """Say whether a daemon could listen."""
    network = facts.network
    if facts.daemon.is_ready is not None or facts.daemon.process is not None:
        return None
    if network.bind_problem is None:
        return Finding(check="network.port", state="ok", title=f"port {network.port} can be listened on")
    if network.bind_problem == "no_address":
        mend = "appliance serve --host 127.0.0.1"
    else:
        mend = f"appliance serve --port {network.port + 1 if network.bind_problem == 'in_use' else 8484}"
    where = network.host if network.bind_problem == "no_address" else f"port {network.port}"
    reason = _BIND_REASONS[network.bind_problem]
    if network.port_holder is not None:
        reason = f"{network.port_holder} listens there"
    elif network.bind_problem == "in_use":
        look = facts.as_root(f"ss -ltnp 'sport = :{network.port}'")
        reason += f" (which one says: {look})"
    return Finding(
        check="network.port",
        state="error",
        title=f"the daemon could not listen on {where}",
        reason=reason,
        mend=mend,
    )


def ollama_port(facts: Facts) -> Outcome:
    """Say whether a daemon could listen where clients of Ollama look, which Ollama itself prevents while it runs."""
    network, port = facts.network, facts.network.ollama_port
    if port is None or network.ollama_bind_problem is None:
        return None
    holder = network.ollama_port_holder
    is_ollamas = network.ollama_bind_problem == "in_use" and (holder is None or holder.startswith("ollama"))
    other = port + 1 if network.ollama_bind_problem == "in_use" else 11434
    return Finding(
        check="network.ollama_port",
        state="error",
        title=f"the daemon could not listen on port {port}, which is server.ollama_port",
        reason=f"{holder} listens there" if holder else _BIND_REASONS[network.ollama_bind_problem],
        mend=facts.as_root("systemctl stop ollama") if is_ollamas else f"appliance serve --ollama-port {other}",
    )


def exposure(facts: Facts) -> Outcome:
    """Say whether other machines can reach this one, and what protects it."""
    network = facts.network
    if network.keys is None:
        return None
    if not network.is_exposed:
        return Finding(check="network.exposure", state="ok", title="only this machine can reach the daemon")
    if not network.keys and not network.num_unreadable_keys:
        return Finding(
            check="network.exposure",
            state="error",
            title=f"other machines can reach {network.host}, and no key protects this one",
            reason="the daemon refuses to start so",
            mend="appliance keys create NAME",
        )
    if admins := [key.name for key in network.keys if key.scope == "admin"]:
        return Finding(
            check="network.exposure",
            state="note",
            title=f"other machines may do everything here with the key{'s' * (len(admins) > 1)} {', '.join(admins)}",
            reason="a key of scope 'use' or 'operate' is enough for most programs",
            mend=f"appliance keys revoke {admins[0]}",
        )
    return Finding(
        check="network.exposure", state="ok", title="other machines need a key, and none of scope admin exists"
    )


def wildcards(facts: Facts) -> Outcome:
    """Say whether an allow-list holds a wildcard: names are compared as they are, so it allows nothing."""
    lists = {"allowed_hosts": facts.network.allowed_hosts, "allowed_origins": facts.network.allowed_origins}
    found = [f"server.{name}" for name, values in lists.items() if any("*" in value for value in values)]
    if not found:
        return None
    return Finding(
        check="network.wildcards",
        state="warning",
        title=f"{' and '.join(found)} {'hold' if len(found) > 1 else 'holds'} a '*', which allows nothing",
        reason="write each name in full; a page that may come from anywhere could drive this machine",
    )


def unreadable_keys(facts: Facts) -> Outcome:
    """Say whether lines of the keys file are damaged."""
    num_damaged = facts.network.num_unreadable_keys
    if not num_damaged:
        return None
    return Finding(
        check="keys.damaged",
        state="warning",
        title=f"{num_damaged} {'lines' if num_damaged > 1 else 'line'} of the keys file cannot be understood",
        reason="the keys in them are refused; revoke and make them anew",
        mend="appliance keys list",
    )


CHECKS: tuple[Check, ...] = (port, ollama_port, exposure, wildcards, unreadable_keys)
