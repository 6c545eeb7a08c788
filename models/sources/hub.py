"""What the sources share that are hubs: repositories with commits, and a token for those who are known there."""

import re

from models.sources.base import RemoteModel
from models.sources.choice import Choice
from models.sources.reference import HubReference, pinned
from models.sources.web import origin_of

COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def bearer(token: str | None, endpoint: str, url: str) -> dict[str, str]:
    """Return the token for addresses of the hub, and nothing for those that it sends us to."""
    if token is None or origin_of(url) != origin_of(endpoint):
        return {}
    return {"Authorization": f"Bearer {token}"}


def chosen_model(reference: HubReference, choice: Choice, revision: str, licence: str | None) -> RemoteModel:
    """Return the model of a repository that was chosen, so that its reference names the same files for ever."""
    return RemoteModel(
        kind=reference.kind,
        reference=str(pinned(reference, choice.first_name, revision)),
        stem=choice.stem,
        publisher=reference.repository.partition("/")[0],
        revision=revision,
        licence=licence,
        choice=choice.reason,
        files=choice.files,
    )
