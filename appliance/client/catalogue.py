"""The catalogue's routes as typed methods: what could be had, how a model fits or would run, a signed file."""

from urllib.parse import urlencode

from appliance.core.catalogue import CatalogueAnswer, Fit, ImportCatalogue, ImportedCatalogue, Purpose
from appliance.core.measurement import Explanation

from .transport import Transport, quoted

_PATH = "/admin/v1/catalogue"


class CatalogueCalls:
    """What the client can ask of the catalogue. Every method raises: NoDaemon, ClientError."""

    _transport: Transport

    def catalogue(
        self,
        *,
        purpose: Purpose | None = None,
        language: str | None = None,
        query: str = "",
        with_bandwidth: bool = False,
    ) -> CatalogueAnswer:
        """Return the models that are meant, the best for the machine first; measuring its memory takes a second."""
        measured = "true" if with_bandwidth else None
        wanted = {"purpose": purpose, "language": language, "query": query, "bandwidth": measured}
        parameters = urlencode({name: value for name, value in wanted.items() if value})
        return self._transport.call("GET", _PATH + (f"?{parameters}" if parameters else ""), CatalogueAnswer)

    def fit(self, name: str, *, with_bandwidth: bool = False) -> Fit:
        """Return how a model fits the machine, installed or of the catalogue."""
        path = "/admin/v1/fit/" + quoted(name) + ("?bandwidth=true" if with_bandwidth else "")
        return self._transport.call("GET", path, Fit)

    def explain(self, name: str) -> Explanation:
        """Return how an installed model would be run, and why not otherwise."""
        return self._transport.call("GET", "/admin/v1/explain/" + quoted(name), Explanation)

    def import_catalogue(self, name: str, text: str, signature: str) -> ImportedCatalogue:
        """Let the daemon take in a signed catalogue."""
        order = ImportCatalogue(name=name, text=text, signature=signature)
        return self._transport.call("POST", _PATH, ImportedCatalogue, order)
