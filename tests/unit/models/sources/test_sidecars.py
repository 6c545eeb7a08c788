"""Digests that lie beside files, as `sha256sum` and others write them."""

import pytest

from models.sources.sidecars import MAX_BYTES, digest_in

A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    "text",
    [
        f"{A}",
        f"{A}\n",
        f"{A}  m.gguf\n",
        f"{A} *m.gguf",
        f"{A.upper()}  ./out/m.gguf",
        f"{B}  n.gguf\n{A}  m.gguf\n",
        f"SHA256 (m.gguf) = {A}",
        f"# sums\n{A}  m.gguf",
    ],
)
def test_the_digest_of_a_file_is_found(text: str) -> None:
    assert digest_in(text.encode(), "m.gguf") == A


@pytest.mark.parametrize(
    "text", ["", "<html>", f"{A}  other.gguf", f"{A}  m.gguf\n{B}  m.gguf", f"{A}\n{B}", A[:-1], "\xff"]
)
def test_what_states_none_or_two_states_nothing(text: str) -> None:
    assert digest_in(text.encode("latin-1"), "m.gguf") is None


def test_a_text_that_is_too_long_is_not_read() -> None:
    assert digest_in(A.encode() + b"\n" * MAX_BYTES, "m.gguf") is None
