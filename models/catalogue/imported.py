"""An operator's own catalogues: signed files under `catalogue/`, whose signatures are checked at every reading."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from models.catalogue.catalogue import (
    MAX_FILE_BYTES,
    SUFFIX,
    Catalogue,
    CatalogueError,
    Entry,
    built_in_entries,
    parse_catalogue,
)
from models.catalogue.signatures import SUFFIX as SIGNATURE_SUFFIX
from models.catalogue.signatures import PublicKey, SignatureProblem, Signed, read_signature, verify
from models.files import replace_atomically

logger = logging.getLogger(__name__)

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.toml")


class ImportedCatalogues:
    """Owns `catalogue/` under the root. `keys` are the public keys that are trusted, as the settings have them."""

    def __init__(self, root: Path, keys: Sequence[str]) -> None:
        self._folder = root / "catalogue"
        self._keys = tuple(keys)

    def catalogue(self) -> Catalogue:
        """Return the imported models and the built-in ones; a file that is not as it was signed counts for nothing."""
        return Catalogue([*self._imported(), *built_in_entries()])

    def check(self, data: bytes, signature: str) -> tuple[tuple[Entry, ...], Signed]:
        """Return a file's models and who signed it. Raises: CatalogueError."""
        try:
            signed = verify(data, signature, trusted_keys(self._keys))
        except SignatureProblem as problem:
            raise CatalogueError(f"the catalogue is refused: {problem}") from None
        return parse_catalogue(data), signed

    def take_in(self, name: str, data: bytes, signature: str) -> tuple[tuple[Entry, ...], Signed]:
        """Check a file and keep it under its name, in place of a former one. Raises: CatalogueError."""
        if _FILE_NAME.fullmatch(name) is None:
            raise CatalogueError(
                f"{name[:80]!r} is no name for a catalogue; it is a plain file name that ends in .toml"
            )
        checked = self.check(data, signature)
        self._folder.mkdir(parents=True, exist_ok=True)
        # The signature first: a crash between the two leaves a file that is refused, never one that nobody signed.
        for path, content in ((name + SIGNATURE_SUFFIX, signature.encode()), (name, data)):
            with replace_atomically(self._folder / path) as stream:
                stream.write(content)
        return checked

    def _imported(self) -> list[Entry]:
        files = sorted(self._folder.glob(f"*{SUFFIX}")) if self._folder.is_dir() else []
        entries: list[Entry] = []
        for file in files:
            try:
                data = read_catalogue(file)
                verify(data, read_signature(file), trusted_keys(self._keys))
                entries += parse_catalogue(data, file.name)
            except (OSError, SignatureProblem, CatalogueError) as problem:
                logger.warning("catalogue %s counts for nothing: %s", file.name, problem)
        return entries


def read_catalogue(path: Path) -> bytes:
    """Return the bytes of a file, if it is not longer than a catalogue may be. Raises: CatalogueError, OSError."""
    with path.open("rb") as stream:
        data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise CatalogueError(f"{path.name} is longer than a catalogue may be, {MAX_FILE_BYTES} bytes")
    return data


def trusted_keys(lines: Sequence[str]) -> tuple[PublicKey, ...]:
    """Return the keys that are written in the settings. Raises: SignatureProblem."""
    return tuple(map(PublicKey.parse, lines))
