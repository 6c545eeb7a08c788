"""The answer to how a model would run here, and why so. It looks at files, so each call belongs on a thread."""

from collections.abc import Callable

from appliance.core.measurement import Explanation
from models.manifest import ModelManifest

from .installed import Installed

Explain = Callable[[str, ModelManifest, str | None], Explanation]
"""`(model, manifest, variant) -> explanation`."""


class Explainer:
    """Explains installed models by the names that callers use."""

    def __init__(self, installed: Installed, explain: Explain) -> None:
        self._installed = installed
        self._explain = explain

    def explain(self, name: str) -> Explanation:
        """Return what would be taken now, and why not the others. Raises: ModelNotFound, InvalidRequest."""
        canonical = self._installed.resolve_adapted(name)
        return self._explain(canonical, self._installed.manifest(canonical), canonical.partition("@")[2] or None)
