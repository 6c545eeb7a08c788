"""A registry on this machine that Ollama could pull from: manifests, blobs with redirects and ranges, tokens.

Sources: the OCI distribution specification; Ollama, `server/images.go`, `server/download.go` and `server/auth.go`.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hubs.server import Answer, Content, LocalServer, Request, Storage, json_answer, sha256_of

_PREFIX = "application/vnd.ollama.image."
_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_ROUTE = re.compile(r"/v2/(?P<name>[^/]+/[^/]+)/(?P<what>manifests|blobs)/(?P<key>[^/]+)")


@dataclass
class RegistryModel:
    """A model under construction: add layers, the weights first."""

    layers: list[dict[str, Any]] = field(default_factory=list)
    blobs: dict[str, Content] = field(default_factory=dict)

    def layer(self, role: str, data: bytes | str | Path | dict[str, Any] | list[Any]) -> "RegistryModel":
        """Add a layer: text, JSON or a file."""
        if isinstance(data, dict | list):
            data = json.dumps(data)
        taken = data.encode() if isinstance(data, str) else data
        read = taken.read_bytes() if isinstance(taken, Path) else taken
        digest = f"sha256:{sha256_of(read)}"
        self.blobs[digest] = Content(taken, f'"{digest}"')
        self.layers.append({"mediaType": f"{_PREFIX}{role}", "digest": digest, "size": len(read)})
        return self

    @property
    def manifest(self) -> bytes:
        config = json.dumps({"model_format": "gguf", "rootfs": {"type": "layers"}}).encode()
        digest = f"sha256:{sha256_of(config)}"
        self.blobs[digest] = Content(config, f'"{digest}"')
        stated = {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": digest, "size": len(config)}
        return json.dumps(
            {"schemaVersion": 2, "mediaType": _MANIFEST_TYPE, "config": stated, "layers": self.layers}
        ).encode()


class OllamaRegistry(LocalServer):
    """The registry; blobs come from `storage`. With `needs_token`, even strangers have to fetch a token first."""

    def __init__(self, *, needs_token: bool = False, keeps_former: bool = True) -> None:
        super().__init__()
        self.storage = Storage(self.faults)
        self.needs_token = needs_token
        self.realm: str | None = None
        self._keeps_former = keeps_former
        self._models: dict[tuple[str, str], RegistryModel] = {}
        self._former: dict[tuple[str, str], bytes] = {}

    def model(self, name: str, tag: str = "latest") -> RegistryModel:
        """Make a model, or another under the same name; add layers to what this returns."""
        full = name if "/" in name else f"library/{name}"
        before = self._models.get((full, tag))
        if before is not None:
            self._former[full, f"sha256:{sha256_of(before.manifest)}"] = before.manifest
        self._models[full, tag] = RegistryModel(blobs=dict(before.blobs) if before else {})
        return self._models[full, tag]

    @property
    def token(self) -> str:
        """Return the token that the registry gives away."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:32]

    def close(self) -> None:
        self.storage.close()
        super().close()

    def answer(self, request: Request) -> Answer:
        if request.path == "/token":
            if not request.query.get("scope", "").startswith("repository:"):
                return json_answer({"errors": [{"code": "DENIED", "message": "no scope"}]}, 401)
            return json_answer({"token": self.token})
        match = _ROUTE.fullmatch(request.path)
        if match is None:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        if self.needs_token and request.token != self.token:
            realm, scope = self.realm or f"{self.url}/token", f"repository:{match['name']}:pull"
            challenge = f'Bearer realm="{realm}",service="registry",scope="{scope}"'
            refused = _error(401, "UNAUTHORIZED", "authentication required")
            return Answer(401, {**refused.headers, "WWW-Authenticate": challenge}, refused.body)
        if match["what"] == "manifests":
            return self._manifest(match["name"], match["key"])
        return self._blob(match["name"], match["key"])

    def _manifest(self, name: str, key: str) -> Answer:
        found = self._models.get((name, key))
        body = found.manifest if found else None
        if key.startswith("sha256:") and self._keeps_former:
            current = [model.manifest for (owner, _), model in self._models.items() if owner == name]
            body = next((each for each in current if f"sha256:{sha256_of(each)}" == key), self._former.get((name, key)))
        if body is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        digest = f"sha256:{sha256_of(body)}"
        return Answer(headers={"Content-Type": _MANIFEST_TYPE, "Docker-Content-Digest": digest}, body=body)

    def _blob(self, name: str, digest: str) -> Answer:
        kept = [model.blobs for (owner, _), model in self._models.items() if owner == name]
        content = next((blobs[digest] for blobs in kept if digest in blobs), None)
        if content is None:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return Answer(307, {"Location": self.storage.keep(f"blobs/{digest.replace(':', '/')}", content)})


def _error(status: int, code: str, message: str) -> Answer:
    return json_answer({"errors": [{"code": code, "message": message}]}, status)
