"""Models of ModelScope, by its plain HTTP interface.

Source: modelscope_hub, `LegacyClient`: which addresses there are, what their answers look like, where a listing ends.
"""

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from models.catalogue.licences import normalise
from models.sources.base import RemoteFile, RemoteModel, SourceError
from models.sources.choice import choose_files
from models.sources.hub import COMMIT, SHA256, bearer, chosen_model
from models.sources.reference import HubReference, parse_reference
from models.sources.web import Web, WebAnswer, host_of

DEFAULT_ENDPOINT = "https://www.modelscope.cn"
MAX_LISTED = 3000
"""A listing ends here without a word, and so tells nothing of the files behind."""
_SETTING = "downloads.modelscope_token"


class _Entry(msgspec.Struct, frozen=True, rename="pascal"):
    path: str
    type: str = "blob"
    size: int | None = None
    sha256: str | None = None
    revision: str | None = None


class _Committer(msgspec.Struct, frozen=True, rename="pascal"):
    id: str | None = None
    short_id: str | None = None


class _Listing(msgspec.Struct, frozen=True, rename="pascal"):
    files: list[_Entry] | None = None
    latest_committer: _Committer | None = None


class _Listed(msgspec.Struct, frozen=True, rename="pascal"):
    code: int
    data: _Listing | None = None
    message: str | None = None


class _Described(msgspec.Struct, frozen=True, rename="pascal"):
    data: dict[str, Any] | None = None


class ModelScopeSource:
    """A hub at an endpoint."""

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT, token: str | None = None, web: Web | None = None) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._host = host_of(endpoint)
        self._token = token
        self._web = web or Web()

    def resolve(self, reference: str, max_bytes: int | None = None) -> RemoteModel:
        """Return the model that `ms:…` means, at the commit that its revision is now. Raises: SourceError."""
        parsed = parse_reference(reference, modelscope_host=urlsplit(self._endpoint).netloc)
        if not isinstance(parsed, HubReference):
            raise SourceError(f"{reference[:120]!r} is no model of {self._host}; write ms:OWNER/REPO")
        listing = self._listing(parsed, is_deep=True)
        if len(listing.files or ()) >= MAX_LISTED:
            listing = self._listing(parsed, is_deep=False)
        entries = [entry for entry in listing.files or () if entry.type != "tree"]
        commit = _commit_of(listing, entries)
        revision = commit or parsed.revision or "master"
        files = [self._file(parsed.repository, revision, entry) for entry in entries]
        choice = choose_files(files, parsed.repository, parsed.pick, max_bytes)
        return chosen_model(parsed, choice, revision, self._licence(parsed.repository))

    def headers(self, url: str) -> dict[str, str]:
        """Return the token for addresses of this hub, and nothing for those that it sends us to."""
        return bearer(self._token, self._endpoint, url)

    def _get(self, path: str, **asked: str) -> WebAnswer:
        url = f"{self._endpoint}/api/v1/models/{path}{'?' if asked else ''}{urlencode(asked)}"
        return self._web.get(url, self.headers(url))

    def _listing(self, reference: HubReference, *, is_deep: bool) -> _Listing:
        """Return the files at a revision. One that does not exist is listed as having none, with success."""
        asked = {"Recursive": str(is_deep), **({"Revision": reference.revision} if reference.revision else {})}
        answer = self._get(f"{reference.repository}/repo/files", **asked)
        if answer.status != 200:
            raise self._failed(answer, reference.repository)
        listed = answer.json(_Listed)
        if listed.code != 200:
            raise SourceError(f"{self._host} refused {reference.repository}: {(listed.message or '')[:200]}")
        if not listed.data or not listed.data.files:
            at = f" at revision {reference.revision!r}" if reference.revision else ""
            raise SourceError(f"{reference.repository} has no files{at}, or no such revision; its main one is 'master'")
        return listed.data

    def _failed(self, answer: WebAnswer, repository: str) -> SourceError:
        if answer.status in (404, 410):
            return SourceError(f"{self._host} has no model {repository}; check how it is written")
        if answer.status in (401, 403):
            return SourceError(
                f"{self._host} does not let us have {repository}: it is private, or for those who accept its terms at "
                f"{self._endpoint}/models/{repository}; set {_SETTING}"
            )
        return answer.failed()

    def _licence(self, repository: str) -> str | None:
        """Return what the hub says of the licence: somebody's policy may depend on it, so no answer is an error."""
        answer = self._get(repository)
        if answer.status != 200:
            raise self._failed(answer, repository)
        stated = (answer.json(_Described).data or {}).get("License")
        return normalise(stated[:100]) if isinstance(stated, str) else None

    def _file(self, repository: str, revision: str, entry: _Entry) -> RemoteFile:
        if entry.sha256 and not SHA256.fullmatch(entry.sha256):
            raise SourceError(f"{self._host} states no usable digest of {entry.path[:200]!r}")
        asked = f"Revision={quote(revision, safe='')}&FilePath={quote(entry.path, safe='')}"
        return RemoteFile(
            name=entry.path,
            url=f"{self._endpoint}/api/v1/models/{repository}/repo?{asked}",
            size_bytes=entry.size,
            sha256=entry.sha256 or None,
        )


def _commit_of(listing: _Listing, entries: list[_Entry]) -> str | None:
    """Return the newest commit. The hub shortens it; a file that came with it has the whole name."""
    latest = listing.latest_committer or _Committer()
    if latest.id and COMMIT.fullmatch(latest.id):
        return latest.id
    short = latest.short_id or ""
    found = {entry.revision for entry in entries if entry.revision and COMMIT.fullmatch(entry.revision)}
    matching = [commit for commit in found if len(short) >= 7 and commit.startswith(short)]
    return matching[0] if len(matching) == 1 else None
