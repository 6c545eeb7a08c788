"""Takes out of a captured text what names a machine, a person or a network, and counts what was taken.

The same name always becomes the same stand-in, of the same form, so that what belonged together still does.
"""

import re

_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_MAC = re.compile(r"(?<![0-9a-fA-F:])(?:[0-9a-fA-F]{2}:){5,7}[0-9a-fA-F]{2}(?![0-9a-fA-F:])")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(rf"(?<![\w.+-])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w.+-])")
# All eight groups, or `::` in the place of some: colons alone are the kernel's numbers of devices.
_GROUP = "[0-9a-fA-F]{1,4}"
_IPV6 = re.compile(rf"(?<![\w:.])(?:(?:{_GROUP}:){{7}}{_GROUP}|(?:{_GROUP}:){{1,6}}(?::{_GROUP}){{1,6}})(?![\w:.])")
_WEB = re.compile(r"\bhttps?://[^\s\"'<>]+")
# Ids of containers and disks. Numbers alone are counters, zeros and `ffffffff` masks.
_HEX_ID = re.compile(r"(?<![0-9a-zA-Z])(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{12,}(?![0-9a-zA-Z])")
_SERIAL = re.compile(r"^([ \t]*(?:Serial|serial_number|Serial Number|unique_id)[ \t]*:?[ \t]+)\S.*$", re.MULTILINE)
_HOME = re.compile(r"(?<=/home/)[^/\s:]+|(?<=/media/)[^/\s:]+(?:/[^/\s:]+)?|(?<=/mnt/)[^/\s:]+|(?<=/Users/)[^/\s:]+")
_USER_UNIT = re.compile(r"(?<=user-)\d+(?=\.slice)|(?<=user@)\d+(?=\.service)")

# Names that systems come with say nothing about anybody, and some of them stand in texts that must stay as they are.
_COMMON_HOSTS = frozenset(
    {"localhost", "linux", "ubuntu", "debian", "fedora", "raspberrypi", "jetson", "nvidia", "amd"}
)
_MIN_HOST_CHARACTERS = 4


class Scrubber:
    """Scrubs the texts of one machine. `num_removed` counts, by kind, the different names that were taken out."""

    def __init__(self, host_names: tuple[str, ...] = ()) -> None:
        names = [name for name in host_names if len(name) >= _MIN_HOST_CHARACTERS and name.lower() not in _COMMON_HOSTS]
        self._hosts = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names)) if names else None
        self._stand_ins: dict[tuple[str, str], str] = {}

    def scrub(self, text: str) -> str:
        """Return the text with stand-ins for what is nobody's business."""
        text = _SERIAL.sub(lambda found: found[1] + self._stand_in("serial numbers", found[0], "0"), text)
        text = _WEB.sub(lambda found: self._stand_in("web addresses", found[0], "https://address{}.invalid/"), text)
        text = _UUID.sub(lambda found: self._stand_in("UUIDs", found[0], "00000000-0000-0000-0000-{:012x}"), text)
        text = _MAC.sub(lambda found: self._stand_in("hardware addresses", found[0], "00:00:00:00:00:{:02x}"), text)
        text = _IPV4.sub(lambda found: self._stand_in("network addresses", found[0], "0.0.0.{}"), text)
        text = _IPV6.sub(lambda found: self._stand_in("network addresses", found[0], "::{:x}"), text)
        text = _HEX_ID.sub(lambda found: self._stand_in("ids", found[0], f"{{:0{len(found[0])}x}}"), text)
        text = _HOME.sub(lambda found: self._stand_in("names of folders", found[0], "folder{}"), text)
        text = _USER_UNIT.sub(lambda found: self._stand_in("numbers of users", found[0], "1000"), text)
        if self._hosts is not None:
            text = self._hosts.sub(lambda found: self._stand_in("host names", found[0], "host"), text)
        return text

    @property
    def num_removed(self) -> dict[str, int]:
        """Return how many different names of each kind were taken out."""
        counts: dict[str, int] = {}
        for kind, _ in self._stand_ins:
            counts[kind] = counts.get(kind, 0) + 1
        return counts

    def _stand_in(self, kind: str, name: str, form: str) -> str:
        if (kind, name) not in self._stand_ins:
            self._stand_ins[kind, name] = form.format(self.num_removed.get(kind, 0) + 1)
        return self._stand_ins[kind, name]
