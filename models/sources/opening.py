"""Which source a reference belongs to, opened at the addresses that are set."""

from urllib.parse import urlsplit

from models.secret_fields import Discreet
from models.sources.base import Source, SourceError
from models.sources.reference import (
    FileReference,
    HttpReference,
    HubReference,
    OllamaReference,
    Reference,
    parse_reference,
)


class SourceSettings(Discreet, frozen=True, kw_only=True):
    """Where the hubs are, and who asks. None: the hub's own address, and nobody."""

    hugging_face_endpoint: str | None = None
    hugging_face_token: str | None = None
    modelscope_endpoint: str | None = None
    modelscope_token: str | None = None
    ollama_registry: str | None = None


def open_source(reference: Reference, settings: SourceSettings) -> Source:
    """Return the source to ask for it. Raises: SourceError, for a name of the catalogue, which is no place.

    What a source is made with is loaded only here: Hugging Face's library takes a while.
    """
    if isinstance(reference, HttpReference):
        reference = _of_a_mirror(reference, settings)
    if isinstance(reference, HubReference):
        return _hub(reference, settings)
    if isinstance(reference, OllamaReference):
        from models.sources import ollama

        return ollama.OllamaSource(settings.ollama_registry or ollama.DEFAULT_REGISTRY)
    if isinstance(reference, HttpReference):
        from models.sources.http import HttpSource

        return HttpSource()
    if isinstance(reference, FileReference):
        from models.sources.file import FileSource

        return FileSource()
    raise SourceError(f"the catalogue has no model {reference.name!r}; write where it is: hf:OWNER/REPO, ollama:NAME …")


def _of_a_mirror(reference: HttpReference, settings: SourceSettings) -> Reference:
    """Return what an address means where the hubs that are set are at addresses of their own."""
    hosts = (settings.hugging_face_endpoint, settings.modelscope_endpoint)
    return parse_reference(reference.address, *(endpoint and urlsplit(endpoint).netloc for endpoint in hosts))


def _hub(reference: HubReference, settings: SourceSettings) -> Source:
    if reference.kind == "hugging_face":
        from models.sources import hugging_face

        endpoint = settings.hugging_face_endpoint or hugging_face.DEFAULT_ENDPOINT
        return hugging_face.HuggingFaceSource(endpoint, settings.hugging_face_token)
    from models.sources import modelscope

    endpoint = settings.modelscope_endpoint or modelscope.DEFAULT_ENDPOINT
    return modelscope.ModelScopeSource(endpoint, settings.modelscope_token)
