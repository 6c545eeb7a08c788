"""The model that comes with the appliance: always there, never removed."""

import hashlib
from functools import cache
from pathlib import Path

from models.formats.gguf import read_gguf
from models.formats.summary import summarize_gguf
from models.manifest import ManifestFile, ModelManifest
from models.names import DEFAULT_TAG

EMBEDDED_NAME = "guide"
EMBEDDED_PATH = Path(__file__).with_name("default") / "guide.gguf"


@cache
def embedded_manifest() -> ModelManifest:
    """Return the embedded model's manifest, made of its file once in a process."""
    status = EMBEDDED_PATH.stat()
    sha256 = hashlib.sha256(EMBEDDED_PATH.read_bytes()).hexdigest()
    file = ManifestFile(
        path=str(EMBEDDED_PATH),
        size_bytes=status.st_size,
        sha256=sha256,
        mtime_ns=status.st_mtime_ns,
        role="embedded",
    )
    return ModelManifest(
        name=EMBEDDED_NAME,
        tag=DEFAULT_TAG,
        format="gguf",
        digest=f"sha256:{sha256}",
        files=(file,),
        details=summarize_gguf(read_gguf(EMBEDDED_PATH)),
        added_s=status.st_mtime,
    )
