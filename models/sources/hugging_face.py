"""Models of a Hugging Face Hub, through its own library. It writes no cache, and nobody is told who asks.

The library asks with one client for a whole process, so this belongs in a process of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from huggingface_hub import HfApi, ModelInfo, constants, set_client_factory
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from models.catalogue.licences import normalise
from models.sources.base import RemoteFile, RemoteModel, SourceError
from models.sources.choice import choose_files
from models.sources.failures import network_failure, status_failure
from models.sources.hub import COMMIT, SHA256, bearer, chosen_model
from models.sources.hub_client import TransportFailure, bounded_client
from models.sources.reference import HubReference, InvalidReference, parse_reference
from models.sources.web import host_of

DEFAULT_ENDPOINT = "https://huggingface.co"
_TIMEOUT_S = 30.0
_NUM_SUGGESTIONS = 5
Result = TypeVar("Result")
_SETTING = "downloads.hugging_face_token"


_NO_DESCRIPTION = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What the library raises for an answer that is none: it takes every answer for what it should be."""


@dataclass(frozen=True, slots=True)
class _Description:
    """What a hub says of a model. `reference` has the name that the repository has now."""

    reference: HubReference
    commit: str
    files: list[RemoteFile]
    licence: str | None
    is_gated: bool


class HuggingFaceSource:
    """A hub at an endpoint: Hugging Face's, or a mirror that speaks as it does."""

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT, token: str | None = None) -> None:
        constants.HF_HUB_DISABLE_TELEMETRY = True
        self._endpoint = endpoint.rstrip("/")
        set_client_factory(partial(bounded_client, urlsplit(endpoint).scheme))
        self._host = host_of(endpoint)
        self._token = token
        self._api = HfApi(endpoint=self._endpoint, token=token or False, library_name="llm-appliance")

    def resolve(self, reference: str, max_bytes: int | None = None) -> RemoteModel:
        """Return the model that `hf:…` means, at the commit that its revision is now. Raises: SourceError."""
        parsed = parse_reference(reference, urlsplit(self._endpoint).netloc)
        if not isinstance(parsed, HubReference):
            raise SourceError(f"{reference[:120]!r} is no model of {self._host}; write hf:OWNER/REPO")
        described = self._ask(parsed, lambda: self._describe(parsed))
        current = described.reference
        choice = choose_files(described.files, current.repository, current.pick, max_bytes)
        if described.is_gated:
            self._ask(current, lambda: self._api.auth_check(current.repository))
        return chosen_model(current, choice, described.commit, described.licence)

    def headers(self, url: str) -> dict[str, str]:
        """Return the token for addresses of this hub, and nothing for those that it sends us to."""
        return bearer(self._token, self._endpoint, url)

    def _describe(self, reference: HubReference) -> "_Description":
        """Ask for a model and read the answer. Raises: SourceError; and whatever the library does, for `_ask`."""
        info = self._api.model_info(
            reference.repository, revision=reference.revision, files_metadata=True, timeout=_TIMEOUT_S
        )
        if not isinstance(info.sha, str) or not COMMIT.fullmatch(info.sha):
            raise SourceError(f"{self._host} names no commit of {reference.repository}, so nothing could be checked")
        current = _current(reference, info.id)
        return _Description(
            reference=current,
            commit=info.sha,
            files=[self._file(current.repository, info.sha, sibling) for sibling in info.siblings or ()],
            licence=_licence(info),
            is_gated=bool(info.gated),
        )

    def _file(self, repository: str, commit: str, sibling: Any) -> RemoteFile:
        """Return a file with the digest that the hub states: LFS's own, else that of Git's blob."""
        name, size, lfs, blob = sibling.rfilename, sibling.size, sibling.lfs, sibling.blob_id
        if not isinstance(name, str) or not _is_size(size):
            raise SourceError(f"{self._host} lists files of {repository} in a form that is not understood")
        sha256 = lfs.sha256 if lfs is not None else None
        if sha256 is not None and not (isinstance(sha256, str) and SHA256.fullmatch(sha256)):
            raise SourceError(f"{self._host} states no usable digest of {name[:200]!r}")
        is_git = lfs is None and isinstance(blob, str) and COMMIT.fullmatch(blob) is not None
        return RemoteFile(
            name=name,
            url=f"{self._endpoint}/{repository}/resolve/{commit}/{quote(name)}",
            size_bytes=size,
            sha256=sha256,
            git_sha1=blob if is_git else None,
        )

    def _ask(self, reference: HubReference, question: Callable[[], Result]) -> Result:
        """Return the library's answer, or say what its errors mean. Raises: SourceError, SourceUnavailable."""
        repository = reference.repository
        try:
            return question()
        except GatedRepoError:
            raise SourceError(self._gated(repository)) from None
        except RevisionNotFoundError:
            raise SourceError(f"{repository} has no revision {reference.revision!r} at {self._host}") from None
        except DisabledRepoError:
            raise SourceError(f"{self._host} has closed {repository} for everybody") from None
        except RepositoryNotFoundError:
            raise SourceError(self._unknown(repository)) from None
        except HfHubHTTPError as error:
            raise self._refused(error, repository) from error
        except TransportFailure as error:
            raise network_failure(error, self._host) from error
        except _NO_DESCRIPTION as error:
            raise SourceError(
                f"{self._host} answered with something that describes no model ({error!s:.100}); does "
                "downloads.hugging_face_endpoint name a hub, and does the network ask for a login in a browser first?"
            ) from error

    def _gated(self, repository: str) -> str:
        page = f"{self._endpoint}/{repository}"
        if self._token is None:
            return f"{repository} is for those who accept its terms: accept them at {page}, then set {_SETTING}"
        return f"the account of {_SETTING} has not accepted the terms of {repository}: accept them at {page}"

    def _unknown(self, repository: str) -> str:
        known = self._similar(repository)
        hint = f"; is it one of {', '.join(known)}" if known else "; check how it is written"
        private = "" if self._token else f", or it is private and needs {_SETTING}"
        return f"{self._host} has no model {repository}{hint}{private}"

    def _similar(self, repository: str) -> list[str]:
        """Return names to suggest; none where the hub does not say, as this is asked for after a failure."""
        try:
            name = repository.rpartition("/")[2]
            return [model.id for model in self._api.list_models(search=name, limit=_NUM_SUGGESTIONS)]
        except (HfHubHTTPError, TransportFailure, SourceError, *_NO_DESCRIPTION):
            return []

    def _refused(self, error: HfHubHTTPError, repository: str) -> SourceError:
        status = error.response.status_code
        headers = {name.lower(): value for name, value in error.response.headers.items()}
        if status == 401 and self._token is not None:
            return SourceError(f"{self._host} does not know the token in {_SETTING}; make a new one there")
        return status_failure(status, headers, self._host, repository)


def _current(reference: HubReference, name: object) -> HubReference:
    """Return the reference under the name that the repository has now: hubs redirect those who use a former one."""
    try:
        parsed = parse_reference(f"hf:{name}")
    except InvalidReference:
        return reference
    return replace(reference, repository=parsed.repository) if isinstance(parsed, HubReference) else reference


def _licence(info: ModelInfo) -> str | None:
    """Return the licence that the model's card states: its own name, where it is none that many share."""
    card = info.card_data
    stated = getattr(card, "license", None) if card is not None else None
    if stated == "other":
        stated = getattr(card, "license_name", None) or stated
    if isinstance(stated, list):
        stated = stated[0] if stated else None
    if stated is None:
        stated = next((tag[8:] for tag in info.tags or () if isinstance(tag, str) and tag.startswith("license:")), None)
    return normalise(stated[:100]) if isinstance(stated, str) else None


def _is_size(size: object) -> bool:
    """Return whether a hub's word for a size is one. Truth is a number in Python, but no size."""
    return size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 0)
