"""Models of an Ollama registry: a manifest names the layers of a model, each with its digest.

Sources: the OCI distribution specification; Ollama, `server/images.go` (which layers there are) and `server/auth.go`
(how a registry asks for a token, and that only its own host is asked for one).
"""

import hashlib
import re
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

import msgspec

from models.sources.base import RemoteFile, RemoteModel, SourceError
from models.sources.ollama_layers import Layer, Manifest, licence_of, preset_of, weights_of
from models.sources.reference import OLLAMA_LIBRARY, OllamaReference, parse_reference
from models.sources.web import Web, WebAnswer, host_of, origin_of

DEFAULT_REGISTRY = "https://registry.ollama.ai"
_ACCEPT = "application/vnd.docker.distribution.manifest.v2+json"
_MAX_TEXT_BYTES = 4 * 2**20
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class _Token(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""


class OllamaSource:
    """Registries that speak version 2 of the protocol: the one that is set, and those that a reference names."""

    def __init__(self, registry: str = DEFAULT_REGISTRY, web: Web | None = None) -> None:
        self._registry = registry.rstrip("/")
        self._web = web or Web(max_answer_bytes=_MAX_TEXT_BYTES)
        self._tokens: dict[tuple[str, str, int | None], str] = {}

    def resolve(self, reference: str, max_bytes: int | None = None) -> RemoteModel:
        """Return the model that `ollama:…` means, by the digest of its manifest. Raises: SourceError."""
        parsed = parse_reference(reference)
        if not isinstance(parsed, OllamaReference):
            raise SourceError(f"{reference[:120]!r} is no model of a registry; write ollama:NAME[:TAG]")
        base = f"{self._address(parsed)}/v2/{parsed.namespace}/{parsed.name}"
        body, sha256 = self._manifest(base, parsed)
        manifest = body.json(Manifest)
        weights, projector = weights_of(manifest, str(parsed))
        texts = {layer: self._text(base, layer) for layer in manifest.layers if layer.is_text}
        preset, template = preset_of(texts)
        stem = f"{parsed.name}-{parsed.tag}"
        files = [_file(f"{stem}.gguf", base, weights)]
        files += [_file(f"mmproj-{stem}.gguf", base, projector)] if projector else []
        return RemoteModel(
            kind="ollama",
            reference=str(replace(parsed, sha256=sha256)),
            stem=parsed.name if parsed.tag == "latest" else f"{parsed.name}-{parsed.tag}",
            publisher=None if parsed.namespace == OLLAMA_LIBRARY else parsed.namespace,
            revision=f"sha256:{sha256}",
            licence=licence_of(preset.licence) if preset and preset.licence else None,
            preset=preset,
            template=template,
            files=tuple(files),
        )

    def headers(self, url: str) -> dict[str, str]:
        """Return the token that a registry gave us, for this registry alone."""
        token = self._tokens.get(origin_of(url))
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _address(self, reference: OllamaReference) -> str:
        if reference.host is None:
            return self._registry
        return reference.host if "://" in reference.host else f"https://{reference.host}"

    def _manifest(self, base: str, reference: OllamaReference) -> tuple[WebAnswer, str]:
        """Return the manifest and its digest; one that was asked for by its digest is that one or none."""
        answer = self._get(f"{base}/manifests/{reference.tag}")
        if answer.status not in (200, 404):
            raise answer.failed()
        found = hashlib.sha256(answer.body).hexdigest()
        if reference.sha256 is not None and found != reference.sha256:
            answer = self._get(f"{base}/manifests/sha256:{reference.sha256}")
            found = hashlib.sha256(answer.body).hexdigest()
            if found != reference.sha256:
                raise SourceError(
                    f"{host_of(base)} has another version of {reference.name}:{reference.tag} by now, and does not "
                    "give the one that was asked for; leave '@sha256:…' out to get the new one"
                )
        if answer.status == 404:
            raise SourceError(
                f"{host_of(base)} has no model {reference.namespace}/{reference.name} with the tag {reference.tag!r}"
            )
        return answer, found

    def _text(self, base: str, layer: Layer) -> str:
        """Return a short layer, checked. Raises: SourceError."""
        answer = self._get(f"{base}/blobs/{layer.digest}")
        if answer.status != 200:
            raise answer.failed()
        if hashlib.sha256(answer.body).hexdigest() != layer.sha256:
            raise SourceError(f"{host_of(base)} gave something else than the layer {layer.digest[:19]}… that it names")
        return answer.body.decode("utf-8", "replace")

    def _get(self, url: str) -> WebAnswer:
        answer = self._web.get(url, {"Accept": _ACCEPT, **self.headers(url)})
        if answer.status == 401 and "www-authenticate" in answer.headers and origin_of(answer.url) == origin_of(url):
            self._tokens[origin_of(url)] = self._token(url, answer.headers["www-authenticate"])
            answer = self._web.get(url, {"Accept": _ACCEPT, **self.headers(url)})
        return answer

    def _token(self, url: str, challenge: str) -> str:
        """Ask for a token as anybody may. Raises: SourceError."""
        asked = dict(_CHALLENGE.findall(challenge))
        realm = asked.get("realm", "")
        if not challenge.lower().startswith("bearer ") or origin_of(realm) != origin_of(url):
            raise SourceError(
                f"{host_of(url)} wants to know who asks, in a way that is not offered here; is it private?"
            )
        query = urlencode([("service", asked.get("service", "")), ("scope", asked.get("scope", ""))])
        answer = self._web.get(f"{realm}{'&' if urlsplit(realm).query else '?'}{query}")
        if answer.status != 200:
            raise SourceError(
                f"{host_of(url)} gives no token to strangers (HTTP {answer.status}); is the model private?"
            )
        token = answer.json(_Token)
        return token.token or token.access_token


def _file(name: str, base: str, layer: Layer) -> RemoteFile:
    return RemoteFile(name=name, url=f"{base}/blobs/{layer.digest}", size_bytes=layer.size, sha256=layer.sha256)
