"""A model behind the address of its file. What a server says of the file is asked for once, before it is fetched."""

from collections.abc import Iterator
from email.message import Message
from urllib.parse import unquote, urlsplit, urlunsplit

from models.formats.shard_names import shard_of
from models.sources.base import RemoteFile, RemoteModel, SourceError
from models.sources.file_names import MAX_FILES, checked, is_pickle
from models.sources.reference import HttpReference, parse_reference
from models.sources.sidecars import digest_in
from models.sources.web import Web, WebAnswer, host_of

_ASK_OTHERWISE = frozenset({400, 403, 405, 501})
"""What servers answer that know no HEAD, or have signed an address for GET alone."""


class HttpSource:
    """Any web server. It gets no secrets of ours."""

    def __init__(self, web: Web | None = None) -> None:
        self._web = web or Web()

    def resolve(self, reference: str, max_bytes: int | None = None) -> RemoteModel:
        """Return the GGUF file at an address, with all its parts where it was split. Raises: SourceError."""
        parsed = parse_reference(reference)
        if not isinstance(parsed, HttpReference):
            raise SourceError(f"{reference[:120]!r} is no address of a file; write https://HOST/…/FILE.gguf")
        first = self._look_at(parsed.address)
        name = _name_of(parsed.url, first)
        _check_kind(name, host_of(parsed.url))
        files = checked(self._files(parsed, first, name))
        return RemoteModel(
            kind="http",
            reference=str(parsed),
            stem=_stem(name),
            files=files,
        )

    def headers(self, url: str) -> dict[str, str]:
        """Return nothing: nobody is told who we are."""
        return {}

    def _files(self, parsed: HttpReference, first: WebAnswer, name: str) -> Iterator[RemoteFile]:
        shard = shard_of(name)
        path = urlsplit(parsed.url).path
        if shard is None or not path.endswith(name):
            yield self._file(parsed.address, name, first, parsed.sha256)
            return
        if not shard.is_possible or shard.count > MAX_FILES:
            raise SourceError(f"{name} is no part that a model can have")
        for part in shard.names():
            if part == name:
                yield self._file(parsed.address, name, first, parsed.sha256)
            else:
                address = _beside(parsed.address, part)
                yield self._file(address, part, self._look_at(address), None)

    def _file(self, address: str, name: str, answer: WebAnswer, sha256: str | None) -> RemoteFile:
        return RemoteFile(
            name=name,
            url=address,
            size_bytes=_size_of(answer),
            sha256=sha256 or self._sidecar(address, name),
        )

    def _look_at(self, address: str) -> WebAnswer:
        """Return the headers that a file comes with. Raises: SourceError, SourceUnavailable."""
        answer = self._web.head(address)
        if answer.status in _ASK_OTHERWISE:
            answer = self._web.get(address, {"Range": "bytes=0-0"})
        if answer.status not in (200, 206):
            raise answer.failed()
        if answer.headers.get("content-type", "").startswith("text/html"):
            raise SourceError(
                f"{host_of(address)} shows a page there, no file; copy the address of the download itself"
            )
        return answer

    def _sidecar(self, address: str, name: str) -> str | None:
        """Return the digest that lies beside the file, if there is one: as `sha256sum` writes it."""
        try:
            answer = self._web.get(_beside(address, urlsplit(address).path.rpartition("/")[2] + ".sha256"))
        except SourceError:
            return None
        return digest_in(answer.body, name) if answer.status == 200 else None


def _beside(address: str, name: str) -> str:
    """Return the address of another file in the same folder, with the same query: it may be what lets us in."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(path=f"{parts.path.rpartition('/')[0]}/{name}"))


def _name_of(url: str, answer: WebAnswer) -> str:
    """Return the file's name: the address's, if that has one of a model; else the server's word for it."""
    names = [unquote(urlsplit(url).path).rpartition("/")[2]]
    message = Message()
    message["content-disposition"] = answer.headers.get("content-disposition", "")
    stated = message.get_filename()
    names += [stated.replace("\\", "/").rpartition("/")[2]] if stated else []
    names += [unquote(urlsplit(answer.url).path).rpartition("/")[2]]
    return next((name for name in names if name.lower().endswith(".gguf") or is_pickle(name)), names[0])


def _check_kind(name: str, host: str) -> None:
    if is_pickle(name):
        raise SourceError(f"{name[:200]} is of a format that can run a program when it is read, and is refused")
    if not name.lower().endswith(".gguf"):
        raise SourceError(
            f"{name[:200] or host} is no .gguf file; other formats are made of several files: name their repository"
        )


def _size_of(answer: WebAnswer) -> int | None:
    """Return the file's size, None where the server does not say or would compress it."""
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    if answer.status == 206:
        return int(total) if total.isdigit() else None
    length = answer.headers.get("content-length", "")
    is_plain = answer.headers.get("content-encoding", "identity") == "identity"
    return int(length) if length.isdigit() and is_plain and not answer.body else None


def _stem(name: str) -> str:
    shard = shard_of(name)
    return shard.stem if shard else name[: -len(".gguf")]
