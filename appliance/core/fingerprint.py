"""The names under which results are kept: two results have the same name only if one can stand in for the other."""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

_NAME_BYTES = 16
_KV_VERSION = 1
_RESPONSE_VERSION = 1


def fingerprint(kind: str, version: int, fields: Mapping[str, str | int | None]) -> str:
    """Return 32 hexadecimal digits for these fields, whatever their order.

    `version` rises when the same fields come to mean something else. Kinds never meet.
    """
    named = {"kind": kind, "version": version, "fields": dict(fields)}
    return blake2b(msgspec.json.encode(named, order="deterministic"), digest_size=_NAME_BYTES).hexdigest()


def kv_fingerprint(*, digest: str, backend: str, backend_version: str | None, kv_type: str) -> str:
    """Return the name for keys and values of an artefact, run by this version of a backend.

    The digest stands for weights, quantization and tokenizer. Adapters and tokens are in the key of each block. How
    many tokens a context may have is not in it: it follows from the memory that is free, and keys and values do not
    depend on it. Where a backend computes positions otherwise in a longer context, its layout has to say so.
    """
    return fingerprint(
        "kv",
        _KV_VERSION,
        {"digest": digest, "backend": backend, "backend_version": backend_version, "kv_type": kv_type},
    )


def response_fingerprint(*, content: str, owner: str | None, request: bytes) -> str:
    """Return the name for an answer: of this very model, to whoever may share it, to all that was said and set.

    `content` stands for the weights, the template and everything else that the model is made of; `request` is the
    request without what does not change the answer.
    """
    return fingerprint("response", _RESPONSE_VERSION, {"content": content, "owner": owner, "request": request.decode()})
