"""A hub and a registry with a small real model, and real daemons that pull from them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.embedded import EMBEDDED_PATH
from tests.conftest import RealDaemon, running_daemon
from tests.hubs.hugging_face import HuggingFaceHub
from tests.hubs.ollama import OllamaRegistry
from tests.hubs.server import sha256_of

REFERENCE = "hf:acme/heron-GGUF:Q8_0"
NAME = "heron-q8_0"
SHA256 = sha256_of(EMBEDDED_PATH.read_bytes())
SIZE = EMBEDDED_PATH.stat().st_size


@dataclass(frozen=True)
class Hubs:
    """Both serve the same small model that can talk."""

    hub: HuggingFaceHub
    registry: OllamaRegistry

    @property
    def settings(self) -> dict[str, str]:
        """Return the daemon's settings by which it finds them."""
        return {
            "APPLIANCE_DOWNLOADS__HUGGING_FACE_ENDPOINT": self.hub.url,
            "APPLIANCE_DOWNLOADS__OLLAMA_REGISTRY": self.registry.url,
            "APPLIANCE_DOWNLOADS__MIN_FREE_BYTES": "0",
            "APPLIANCE_ENGINE__KERNELS": "off",
        }


@contextmanager
def hubs() -> Iterator[Hubs]:
    with HuggingFaceHub() as hub, OllamaRegistry() as registry:
        hub.repository("acme/heron-GGUF").file("heron-Q8_0.gguf", EMBEDDED_PATH).file("README.md", "a model")
        registry.model("library/heron", "1b").layer("model", EMBEDDED_PATH).layer("system", "Be brief.")
        yield Hubs(hub, registry)


@contextmanager
def pulling_daemon(home: Path, around: Hubs) -> Iterator[RealDaemon]:
    """Run a daemon, also in a home whose last daemon was killed."""
    (home / "run" / "daemon.json").unlink(missing_ok=True)
    with running_daemon(home, **around.settings) as daemon:
        yield daemon


def blobs(home: Path) -> list[str]:
    folder = home / "models" / "blobs"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def downloads(home: Path) -> list[Path]:
    folder = home / "downloads"
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
