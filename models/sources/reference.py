"""What people write to name a model somewhere, and what it means. Pure: nothing is looked up.

`hf:OWNER/REPO[:QUANT|:FILE][@REVISION]` and `ms:…` are repositories of Hugging Face and ModelScope,
`ollama:NAME[:TAG]` is a model of an Ollama registry, `https://…` a file, a path a file or folder of this machine, and a
bare name one of the catalogue. The addresses that the hubs' own pages have in a browser mean what they show.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from models.names import InvalidModelName, ModelName
from models.sources.base import SourceError

MAX_LENGTH = 2000
HUGGING_FACE_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
MODELSCOPE_HOSTS = ("modelscope.cn", "www.modelscope.cn", "modelscope.ai", "www.modelscope.ai")
OLLAMA_HOSTS = ("ollama.com", "www.ollama.com", "registry.ollama.ai")
OLLAMA_LIBRARY = "library"

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_-])?")
_REVISION = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/+-]{0,253}[A-Za-z0-9_+-])?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HOST = re.compile(r"(?:https?://)?(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|\[[0-9a-f:]+\])(?::\d{1,5})?")
_PATH = re.compile(r"/|\.{1,2}(/|$)|~|[A-Za-z]:[\\/]|\\\\")
_FILE_ENDINGS = (".gguf", ".onnx", ".safetensors")
_PAGES_OF_FILES = ("resolve", "blob", "raw")
_FORMS = (
    "write hf:OWNER/REPO[:QUANT][@REVISION], ms:OWNER/REPO, ollama:NAME[:TAG], https://…/file.gguf, a path, "
    "or a name of the catalogue"
)


class InvalidReference(SourceError):
    """The text names no model; the message says what is wrong with it and what can be written."""


@dataclass(frozen=True, slots=True)
class HubReference:
    """A model in a repository. `pick` is a quantization or a file of it, `revision` a branch, a tag or a commit."""

    kind: Literal["hugging_face", "modelscope"]
    repository: str
    pick: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        """Return the form that a person would write."""
        prefix = "hf" if self.kind == "hugging_face" else "ms"
        pick = f":{self.pick}" if self.pick else ""
        return f"{prefix}:{self.repository}{pick}{f'@{self.revision}' if self.revision else ''}"


@dataclass(frozen=True, slots=True)
class OllamaReference:
    """A model of an Ollama registry; `host` is None for the one that is set, and may carry its own `http://`."""

    namespace: str
    name: str
    tag: str = "latest"
    host: str | None = None
    sha256: str | None = None

    def __str__(self) -> str:
        """Return the form that a person would write, with the digest of the manifest where that is known."""
        host = f"{self.host}/" if self.host else ""
        namespace = "" if self.namespace == OLLAMA_LIBRARY and not self.host else f"{self.namespace}/"
        digest = f"@sha256:{self.sha256}" if self.sha256 else ""
        return f"ollama:{host}{namespace}{self.name}:{self.tag}{digest}"


@dataclass(frozen=True, slots=True)
class HttpReference:
    """A file at an address. What stands behind its `?` may be a secret and is not shown."""

    url: str
    sha256: str | None = None
    query: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """Return what is asked for."""
        return f"{self.url}?{self.query}" if self.query else self.url

    def __str__(self) -> str:
        """Return the address without its query."""
        return f"{self.url}#sha256={self.sha256}" if self.sha256 else self.url


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file or a folder of this machine."""

    path: str

    def __str__(self) -> str:
        """Return the path, so that it is no other reference."""
        return self.path if _PATH.match(self.path) else f"./{self.path}"


@dataclass(frozen=True, slots=True)
class CatalogueReference:
    """A name that the catalogue may know."""

    name: str

    def __str__(self) -> str:
        """Return the name."""
        return self.name


Reference: TypeAlias = HubReference | OllamaReference | HttpReference | FileReference | CatalogueReference


def parse_reference(text: str, hugging_face_host: str | None = None, modelscope_host: str | None = None) -> Reference:
    """Return what is meant; the hosts are those of mirrors (`HOST[:PORT]`), whose pages mean what the hubs' own do.

    Raises: InvalidReference.
    """
    stripped = text.strip()
    if not stripped or len(stripped) > MAX_LENGTH or any(ord(letter) < 32 or ord(letter) == 127 for letter in stripped):
        raise InvalidReference(f"{stripped[:80]!r} names no model; {_FORMS}")
    scheme, colon, rest = stripped.partition(":")
    match scheme.lower() if colon else "":
        case "hf" | "huggingface":
            return _hub("hugging_face", rest.removeprefix("//"))
        case "ms" | "modelscope":
            return _hub("modelscope", rest.removeprefix("//"))
        case "ollama":
            return _ollama(rest)
        case "file":
            return _file_url(stripped)
        case "http" | "https":
            hosts = ((*HUGGING_FACE_HOSTS, hugging_face_host), (*MODELSCOPE_HOSTS, modelscope_host))
            return _address(stripped, *hosts)
        case _:
            return _without_prefix(stripped)


def pinned(reference: HubReference, file: str, revision: str | None) -> HubReference:
    """Return a reference to that file at that revision, or as near to it as one can be written."""
    pick = file if _is_pick(file) else reference.pick
    return replace(reference, pick=pick, revision=revision or reference.revision)


def _without_prefix(text: str) -> Reference:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise InvalidReference(f"{text[:80]!r}: only http:, https: and file: addresses can be fetched; {_FORMS}")
    if _PATH.match(text):
        return FileReference(text)
    host, slash, rest = text.partition("/")
    if slash and host.lower() in HUGGING_FACE_HOSTS:
        return _hub("hugging_face", rest)
    if slash and host.lower() in MODELSCOPE_HOSTS:
        return _hub("modelscope", rest.removeprefix("models/"))
    if slash and host.lower() in OLLAMA_HOSTS:
        return _ollama(rest)
    if slash:
        return _hub("hugging_face", text)
    if text.lower().endswith(_FILE_ENDINGS):
        return FileReference(f"./{text}")
    try:
        ModelName.parse(text)
    except InvalidModelName:
        raise InvalidReference(f"{text[:80]!r} names no model; {_FORMS}") from None
    return CatalogueReference(text)


def _hub(kind: Literal["hugging_face", "modelscope"], text: str) -> HubReference:
    prefix = "hf" if kind == "hugging_face" else "ms"
    named, at, revision = text.rpartition("@") if "@" in text else (text, "", "")
    repository, colon, pick = named.partition(":")
    parts = repository.split("/")
    if len(parts) != 2 or not all(_is_part(part) for part in parts):
        raise InvalidReference(
            f"{repository[:120]!r} is no repository; write {prefix}:OWNER/REPO with letters, digits, '.', '_' and '-'"
        )
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise InvalidReference(f"{revision[:80]!r} is no revision; write a branch, a tag or a commit after '@'")
    if colon and not _is_pick(pick):
        raise InvalidReference(
            f"{pick[:80]!r} is neither a quantization nor a file; write {prefix}:{repository}:Q4_K_M, or "
            f"{prefix}:{repository}:FILE.gguf"
        )
    return HubReference(kind, repository, pick or None, revision or None)


def _is_part(text: str) -> bool:
    """Return whether this can be an owner or a repository, as `huggingface_hub.utils.validate_repo_id` has it."""
    return _PART.fullmatch(text) is not None and "--" not in text and ".." not in text and not text.endswith(".git")


def _is_pick(text: str) -> bool:
    steps = text.split("/")
    return (
        "@" not in text and text.isprintable() and all(step == step.strip() != "" and step.strip(".") for step in steps)
    )


def _ollama(text: str) -> OllamaReference:
    named, at, digest = text.partition("@")
    sha256 = digest.removeprefix("sha256:")
    if at and (not digest.startswith("sha256:") or not _SHA256.fullmatch(sha256)):
        raise InvalidReference(f"{digest[:80]!r} is no digest; write @sha256: and 64 hexadecimal digits in lower case")
    scheme = next((scheme for scheme in ("http://", "https://") if named.startswith(scheme)), "")
    *front, last = named.removeprefix(scheme).split("/")
    name, colon, tag = last.partition(":")
    namespace = front.pop() if front else OLLAMA_LIBRARY
    host = scheme + "/".join(front)
    if not _PART.fullmatch(name) or not _PART.fullmatch(namespace) or (colon and not _TAG.fullmatch(tag)):
        raise InvalidReference(f"{named[:120]!r} is no model of a registry; write ollama:[NAMESPACE/]NAME[:TAG]")
    if host and not _HOST.fullmatch(host):
        raise InvalidReference(f"{host[:120]!r} is no registry; write ollama:[HOST[:PORT]/NAMESPACE/]NAME[:TAG]")
    return OllamaReference(namespace, name, tag or "latest", host or None, sha256 or None)


def _address(
    text: str, hugging_face_hosts: tuple[str | None, ...], modelscope_hosts: tuple[str | None, ...]
) -> Reference:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidReference(f"{text[:120]!r} is no address of a file") from None
    if not host:
        raise InvalidReference(f"{text[:120]!r} names no host; write https://HOST/…/FILE.gguf")
    if parts.username is not None or parts.password is not None:
        raise InvalidReference("an address is kept with the model: leave the user name and password out of it")
    is_usual = port in (None, {"http": 80, "https": 443}[parts.scheme])
    located = {host.lower() if is_usual else f"{host.lower()}:{port}"}
    page: Reference | None = None
    if located & set(hugging_face_hosts):
        page = _page_of_hugging_face(parts)
    elif located & set(modelscope_hosts):
        page = _page_of_modelscope(parts)
    elif host.lower() in OLLAMA_HOSTS:
        page = _ollama(parts.path.strip("/"))
    return page or _file_at(parts)


def _file_at(parts: SplitResult) -> HttpReference:
    stated = parse_qs(parts.fragment).get("sha256", [])
    sha256 = stated[0].lower() if stated else None
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise InvalidReference("the address ends in no usable #sha256=; write 64 hexadecimal digits behind it")
    url = parts._replace(query="", fragment="").geturl()
    return HttpReference(url, sha256, parts.query)


def _page_of_hugging_face(parts: SplitResult) -> HubReference:
    """Return the model that a page shows: `/OWNER/REPO[/tree/REVISION]` or `/OWNER/REPO/resolve/REVISION/FILE`."""
    steps = [unquote(step) for step in parts.path.strip("/").split("/")]
    if steps[0] in ("datasets", "spaces", "buckets"):
        raise InvalidReference(f"{'/'.join(steps)[:120]!r} is no model but one of the {steps[0]}")
    repository, what, rest = "/".join(steps[:2]), steps[2:3], steps[3:]
    reference = _hub("hugging_face", repository)
    if what and what[0] in _PAGES_OF_FILES and len(rest) > 1:
        return _checked(replace(reference, revision=rest[0], pick="/".join(rest[1:])))
    if what == ["tree"] and rest:
        return _checked(replace(reference, revision=rest[0]))
    return reference


def _page_of_modelscope(parts: SplitResult) -> HubReference | None:
    """Return the model that a page shows, None where it is no page of a model.

    Source: modelscope_hub, `get_download_url`; the addresses of its pages in a browser.
    """
    steps = [unquote(step) for step in parts.path.strip("/").split("/")]
    if steps[:2] == ["api", "v1"]:
        steps = steps[2:]
    if steps[0] != "models" or len(steps) < 3:
        return None
    reference, rest = _hub("modelscope", "/".join(steps[1:3])), steps[3:]
    asked = parse_qs(parts.query)
    if rest == ["repo"] and "FilePath" in asked:
        return _checked(replace(reference, revision=asked.get("Revision", [None])[0], pick=asked["FilePath"][0]))
    if rest[:2] == ["file", "view"]:
        rest = ["resolve", *rest[2:]]
    if rest[:1] == ["resolve"] and len(rest) > 2:
        return _checked(replace(reference, revision=rest[1], pick="/".join(rest[2:])))
    return reference


def _checked(reference: HubReference) -> HubReference:
    """Return what came out of an address if it can be written as a reference, too. Raises: InvalidReference."""
    return _hub(reference.kind, str(reference).partition(":")[2])


def _file_url(text: str) -> FileReference:
    parts = urlsplit(text)
    path = unquote(parts.path)
    if (
        parts.netloc not in ("", "localhost")
        or not path.startswith("/")
        or path != path.strip()
        or not path.isprintable()
    ):
        raise InvalidReference(f"{text[:120]!r} names no file of this machine; write file:///PATH, or the path alone")
    return FileReference(path)
