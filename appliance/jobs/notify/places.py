"""Where notifications may go: the allow-list, and what the text of an address says. Pure; resolves no name.

Hosts are named as in every allow-list, e-mail as `[NAME]@DOMAIN`.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from appliance.core.notify import Target
from appliance.service.places import MAX_ADDRESS_CHARACTERS, AllowedPlaces, is_ip, is_public, place_of, plain_ip

_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


class AllowList:
    """Says which addresses may be told."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._mail = [entry.lower() for entry in entries if "@" in entry]
        self._places = AllowedPlaces(entry for entry in entries if "@" not in entry)

    def refusal(self, target: Target) -> str | None:
        """Return why a target is not told, None when it may be."""
        if target.kind == "email":
            return self._mail_refusal(target.address)
        try:
            place = place_of(target.address)
        except ValueError as fault:
            return str(fault)
        if place not in self._places:
            return f"{place.entry} is not in notify.allowed_addresses"
        return self.ip_refusal(place.host) if is_ip(place.host) else None

    def ip_refusal(self, ip: str) -> str | None:
        """Return why this IP address is not connected to, None when it may be: a private one only if listed itself."""
        if is_public(ip) or self._places.names_ip(ip):
            return None
        return f"{plain_ip(ip)} is a private address, and notify.allowed_addresses does not name it itself"

    def _mail_refusal(self, address: str) -> str | None:
        if not _MAIL.fullmatch(address) or len(address) > MAX_ADDRESS_CHARACTERS:
            return "it is not an address such as ada@example.org"
        name, _, domain = address.lower().rpartition("@")
        for entry in self._mail:
            only, _, domains = entry.rpartition("@")
            if only in ("", name) and fnmatchcase(domain, domains):
                return None
        return f"neither {address} nor @{domain} is in notify.allowed_addresses"
