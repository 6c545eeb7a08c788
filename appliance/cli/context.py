"""What every command is given: where the state is, how the daemon is reached, how to print."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from appliance.client import DEFAULT_URL, READ_TIMEOUT_S, Client
from appliance.client.runfiles import local_key, local_url

SETTINGS_FILE = Path("appliance.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The environment as the commands see it. `environ` is only for the settings."""

    home: Path
    environ: Mapping[str, str]
    is_json: bool = False

    @property
    def names_daemon(self) -> bool:
        """Return whether the person chose a daemon, so that the files here may not stand in for it."""
        return bool(self.environ.get("APPLIANCE_URL"))

    @property
    def key(self) -> str | None:
        """Return the key of this person, else the one of this home's daemon."""
        return self.environ.get("APPLIANCE_API_KEY", "").strip() or local_key(self.home)

    def key_for(self, url: str) -> str | None:
        """Return the key to send to an address: that of this home's daemon never leaves the machine."""
        own = self.environ.get("APPLIANCE_API_KEY", "").strip()
        is_here = url == local_url(self.home) or urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
        return own or (local_key(self.home) if is_here else None)

    def client(
        self, *, read_timeout_s: float = READ_TIMEOUT_S, url: str | None = None, key: str | None = None
    ) -> Client:
        """Return a client of the daemon: the one that was named, else the one of this home, else the usual address."""
        url = url or self.environ.get("APPLIANCE_URL") or local_url(self.home) or DEFAULT_URL
        return Client(url, key or self.key_for(url), read_timeout_s=read_timeout_s)

    def settings_path(self) -> Path | None:
        """Return the settings file of this home, if there is one."""
        path = self.home / SETTINGS_FILE
        return path if path.exists() else None


def find_home(environ: Mapping[str, str]) -> Path:
    """Return the folder that holds all state."""
    named = environ.get("APPLIANCE_HOME")
    return Path(named).expanduser().absolute() if named else Path.home() / ".local" / "share" / "appliance"
