"""Signatures: what was signed is accepted by those who trust the key, and nothing else is."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue.catalogue import CatalogueError
from models.catalogue.imported import ImportedCatalogues
from models.catalogue.signatures import SUFFIX, PublicKey, SignatureProblem, read_signature, sign, verify
from tests.catalogues import OURS, catalogue_key, secret_key, signature_of

DATA = b"a catalogue"
SIGNATURE, KEY = sign(DATA, secret_key(), "of today")


def test_what_was_signed_is_accepted_with_its_comment() -> None:
    signed = verify(DATA, SIGNATURE, [KEY])
    assert (signed.key, signed.comment) == (KEY, "of today")


def test_a_key_is_written_as_one_line_and_read_back() -> None:
    assert re.fullmatch(r"RW[A-Za-z0-9+/=]{54}", str(KEY))
    assert PublicKey.parse(f"untrusted comment: minisign public key\n{KEY}\n") == KEY


def test_a_signature_in_minisigns_older_form_is_accepted() -> None:
    secret = Ed25519PrivateKey.from_private_bytes(bytes(32))
    first = secret.sign(DATA)
    text = "\n".join(
        (
            "untrusted comment: x",
            base64.b64encode(b"Ed" + KEY.key_id + first).decode(),
            "trusted comment: y",
            base64.b64encode(secret.sign(first + b"y")).decode(),
        )
    )
    assert verify(DATA, text, [KEY]).comment == "y"


def test_the_form_is_minisigns_to_the_byte() -> None:
    """By the description of the format, so that its program accepts what we sign."""
    untrusted, first, trusted, second = SIGNATURE.splitlines()
    data = base64.b64decode(first)
    public = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    assert untrusted.startswith("untrusted comment: ")
    assert (data[:2], data[2:10], len(data)) == (b"ED", KEY.key_id, 74)
    public.verify(data[10:], hashlib.blake2b(DATA).digest())
    public.verify(base64.b64decode(second), data[10:] + trusted.removeprefix("trusted comment: ").encode())


@pytest.mark.parametrize(
    ("data", "signature", "keys", "words"),
    [
        (DATA + b"!", SIGNATURE, (KEY,), "not what was signed"),
        (DATA, SIGNATURE.replace("of today", "of tomorrow"), (KEY,), "comment of its signature was changed"),
        (DATA, SIGNATURE, (), "no key is trusted"),
        (DATA, SIGNATURE, (PublicKey.parse(catalogue_key(1)),), "1 are trusted, none of them it"),
        (DATA, "", (KEY,), "not in minisign's form"),
        (DATA, SIGNATURE.replace("\n", "\nx", 1), (KEY,), "not in minisign's form"),
        (DATA, "untrusted comment: \n\ntrusted comment: \n\n", (KEY,), "not in minisign's form"),
    ],
)
def test_what_is_wrong_with_a_signature_is_said(
    data: bytes, signature: str, keys: tuple[PublicKey, ...], words: str
) -> None:
    with pytest.raises(SignatureProblem, match=words):
        verify(data, signature, keys)


def test_another_key_that_claims_the_trusted_ones_id_is_refused() -> None:
    _, other = sign(DATA, secret_key(1), "")
    forged = PublicKey(KEY.key_id, other.key)
    with pytest.raises(SignatureProblem, match="not what was signed"):
        verify(DATA, SIGNATURE, [forged])


@given(position=st.integers(0, len(SIGNATURE) - 1), byte=st.integers(0, 127))
def test_no_change_of_a_signature_makes_it_another_ones(position: int, byte: int) -> None:
    changed = SIGNATURE[:position] + chr(byte) + SIGNATURE[position + 1 :]
    try:
        signed = verify(DATA, changed, [KEY])
    except SignatureProblem:
        return
    assert (signed.key, signed.comment) == (KEY, "of today"), "only what nobody signs may differ"


@pytest.mark.parametrize("text", ["", "RW", "nothing", "AAA" + "A" * 53, str(KEY)[:-4]])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(SignatureProblem, match="no public key"):
        PublicKey.parse(text)


def test_a_key_of_another_kind_signs_nothing() -> None:
    with pytest.raises(SignatureProblem, match="cannot be read"):
        sign(DATA, b"-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n", "")


def test_a_catalogue_is_taken_in_and_found_again(tmp_path: Path) -> None:
    catalogues = ImportedCatalogues(tmp_path, (catalogue_key(),))
    entries, signed = catalogues.take_in("ours.toml", OURS.encode(), signature_of(OURS))
    assert [entry.model.name for entry in entries] == ["heron-support"]
    assert str(signed.key) == catalogue_key()
    entry = catalogues.catalogue().get("heron-support")
    assert entry is not None
    assert entry.origin == "ours.toml"


def test_a_catalogue_that_was_changed_on_disk_counts_for_nothing(tmp_path: Path) -> None:
    catalogues = ImportedCatalogues(tmp_path, (catalogue_key(),))
    catalogues.take_in("ours.toml", OURS.encode(), signature_of(OURS))
    path = tmp_path / "catalogue" / "ours.toml"
    path.write_text(OURS.replace("heron-support", "heron-malice"))
    assert catalogues.catalogue().get("heron-malice") is None
    path.write_text(OURS)
    assert catalogues.catalogue().get("heron-support") is not None
    path.with_name("ours.toml" + SUFFIX).unlink()
    assert catalogues.catalogue().get("heron-support") is None


def test_a_key_that_is_trusted_no_more_takes_its_catalogues_with_it(tmp_path: Path) -> None:
    ImportedCatalogues(tmp_path, (catalogue_key(),)).take_in("ours.toml", OURS.encode(), signature_of(OURS))
    assert ImportedCatalogues(tmp_path, (catalogue_key(1),)).catalogue().get("heron-support") is None


@pytest.mark.parametrize("name", ["../ours.toml", "ours.txt", ".toml", "a/b.toml", "", "x" * 200 + ".toml"])
def test_a_catalogue_lies_nowhere_but_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogueError, match="is no name for a catalogue"):
        ImportedCatalogues(tmp_path, (catalogue_key(),)).take_in(name, OURS.encode(), signature_of(OURS))
    assert not any(tmp_path.iterdir())


def test_what_is_refused_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="the catalogue is refused"):
        ImportedCatalogues(tmp_path, ()).take_in("ours.toml", OURS.encode(), signature_of(OURS))
    wrong = OURS.replace("judgement", "judgment")
    with pytest.raises(CatalogueError, match="judgment"):
        ImportedCatalogues(tmp_path, (catalogue_key(),)).take_in("ours.toml", wrong.encode(), signature_of(wrong))
    assert not any(tmp_path.iterdir())


def test_a_file_without_its_signature_is_not_signed(tmp_path: Path) -> None:
    with pytest.raises(SignatureProblem, match=r"ours\.toml\.minisig is not beside it"):
        read_signature(tmp_path / "ours.toml")
