"""Catalogues and keys for tests: a small signed file, and a backend that runs GGUF files."""

from functools import cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from appliance.core.catalogue import Fit
from appliance.core.plan import BackendDescriptor
from models.catalogue.signatures import sign

GGUF = BackendDescriptor(
    name="llama_cpp",
    state="ready",
    message="found",
    mend=None,
    formats=frozenset({"gguf"}),
    devices=("cpu",),
    kv_types=("f16",),
    version="1",
)

OURS = """
schema_version = 1
family = "Heron"
publisher = "Example"

[[models]]
name = "heron-support"
title = "Heron for support"
num_parameters = 600_000_000
licence = "apache-2.0"
languages = ["en", "zh"]
capabilities = ["chat", "tools"]
template = "hermes"
purposes = ["chat"]
maturity = "proven"
judgement = "Knows our products."

[[models.sources]]
reference = "https://models.example/heron.gguf"
format = "gguf"
quantizations = ["Q8_0"]

[models.sources.files.Q8_0]
size_bytes = 640_000_000
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""


@cache
def secret_key(number: int = 0) -> bytes:
    """Return a key in PEM, always the same for a number."""
    secret = Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))
    return secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def catalogue_key(number: int = 0) -> str:
    """Return the public key, as the settings have it."""
    return str(sign(b"", secret_key(number), "")[1])


def signature_of(text: str, number: int = 0) -> str:
    """Return the signature of a catalogue."""
    return sign(text.encode(), secret_key(number), "of a test")[0]


def fit_of(name: str = "guide", **changes: Any) -> Fit:
    """Return how a model fits, for answers."""
    fit = Fit(
        name=name,
        is_installed=True,
        reference=None,
        quantization="Q8_0",
        num_parameters=920_000,
        weights_bytes=3 * 2**20,
        backend="llama_cpp",
        budget_bytes=2**29,
        contexts=(),
        trained_context_tokens=2048,
        max_context_tokens=2048,
        speed=None,
        licence="apache-2.0",
        licence_note=None,
        is_licence_allowed=True,
        template="hermes",
        capabilities=("chat", "tools"),
        name_note=None,
        notes=(),
    )
    return msgspec.structs.replace(fit, **changes)
