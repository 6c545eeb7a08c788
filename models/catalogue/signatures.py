"""Detached signatures of files in the form of minisign, so that its program can check ours and we its.

    untrusted comment: …                                      whatever its maker wrote
    base64("ED" key-id[8] signature[64])                      Ed25519 over the BLAKE2b-512 of the file
    trusted comment: …
    base64(signature[64])                                     Ed25519 over the signature above and the trusted comment

A public key is one line, base64("Ed" key-id[8] key[32]). A secret key is a PEM file (PKCS#8), as
`openssl genpkey -algorithm ed25519` makes it.

Source: the description of minisign's formats on its page ("Signature format", "Public key format").
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".minisig"
MAX_SIGNATURE_BYTES = 4096

_UNTRUSTED, _TRUSTED = "untrusted comment: ", "trusted comment: "
_KEY_MARK, _WHOLE_MARK, _HASHED_MARK = b"Ed", b"Ed", b"ED"
_ID_BYTES, _KEY_BYTES, _SIGNATURE_BYTES = 8, 32, 64


class SignatureProblem(ValueError):
    """A signature does not say what it should; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that an operator trusts."""

    key_id: bytes
    key: bytes

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Read the line that minisign and our own command print. Raises: SignatureProblem."""
        data = _decode(text.strip().splitlines()[-1] if text.strip() else "")
        if len(data) != len(_KEY_MARK) + _ID_BYTES + _KEY_BYTES or not data.startswith(_KEY_MARK):
            raise SignatureProblem(f"{text[:80]!r} is no public key; it is one line that begins with RW")
        return cls(data[2 : 2 + _ID_BYTES], data[2 + _ID_BYTES :])

    def __str__(self) -> str:
        """Return the line that `parse` reads."""
        return base64.b64encode(_KEY_MARK + self.key_id + self.key).decode()


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a file, and the comment that the signature covers, too."""

    key: PublicKey
    comment: str


def sign(data: bytes, secret_pem: bytes, comment: str) -> tuple[str, PublicKey]:
    """Return the signature's text, and the public key to trust it by. Raises: SignatureProblem."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        secret = load_pem_private_key(secret_pem, None)
    except (TypeError, ValueError) as error:
        raise SignatureProblem(f"the key cannot be read: {error}") from None
    if not isinstance(secret, Ed25519PrivateKey):
        raise SignatureProblem("the key is of another kind; make one with: openssl genpkey -algorithm ed25519 -out KEY")
    raw = secret.public_key().public_bytes_raw()
    key = PublicKey(hashlib.sha256(raw).digest()[:_ID_BYTES], raw)
    signature = secret.sign(hashlib.blake2b(data).digest())
    comment = " ".join(comment.split())
    whole = secret.sign(signature + comment.encode())
    lines = (
        f"{_UNTRUSTED}signature of the key {key}",
        base64.b64encode(_HASHED_MARK + key.key_id + signature).decode(),
        _TRUSTED + comment,
        base64.b64encode(whole).decode(),
    )
    return "\n".join(lines) + "\n", key


def verify(data: bytes, signature: str, keys: Sequence[PublicKey]) -> Signed:
    """Return who signed the bytes, if it was one of the keys. Raises: SignatureProblem."""
    mark, key_id, first, comment, second = _parsed(signature)
    key = next((key for key in keys if key.key_id == key_id), None)
    if key is None:
        trusted = f"{len(keys)} are trusted, none of them it" if keys else "no key is trusted"
        raise SignatureProblem(
            f"it is signed by the key {key_id[::-1].hex().upper()}, and {trusted} (models.catalogue_keys)"
        )
    message = hashlib.blake2b(data).digest() if mark == _HASHED_MARK else data
    if not _is_of(key, first, message):
        raise SignatureProblem("it is not what was signed: its content or its signature was changed")
    if not _is_of(key, second, first + comment.encode()):
        raise SignatureProblem("the comment of its signature was changed")
    return Signed(key, comment)


def read_signature(path: Path) -> str:
    """Return the text of the signature beside a file. Raises: SignatureProblem, OSError."""
    beside = path.with_name(path.name + SUFFIX)
    try:
        with beside.open("rb") as stream:
            return stream.read(MAX_SIGNATURE_BYTES).decode()
    except FileNotFoundError:
        raise SignatureProblem(f"it is not signed: {beside.name} is not beside it") from None
    except UnicodeDecodeError:
        raise SignatureProblem(f"{beside.name} is no signature") from None


def _parsed(text: str) -> tuple[bytes, bytes, bytes, str, bytes]:
    lines = text.splitlines()
    if len(lines) < 4 or not lines[0].startswith(_UNTRUSTED) or not lines[2].startswith(_TRUSTED):
        raise SignatureProblem("its signature is not in minisign's form")
    first, second = _decode(lines[1]), _decode(lines[3])
    mark, key_id = first[:2], first[2 : 2 + _ID_BYTES]
    is_sound = len(first) == 2 + _ID_BYTES + _SIGNATURE_BYTES and len(second) == _SIGNATURE_BYTES
    if mark not in (_WHOLE_MARK, _HASHED_MARK) or not is_sound:
        raise SignatureProblem("its signature is not in minisign's form")
    return mark, key_id, first[2 + _ID_BYTES :], lines[2].removeprefix(_TRUSTED), second


def _is_of(key: PublicKey, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _decode(line: str) -> bytes:
    try:
        return base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
