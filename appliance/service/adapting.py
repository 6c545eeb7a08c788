"""From a request's name to the adapters that its worker applies, and to that worker."""

import asyncio

from msgspec.structs import replace

from appliance.core.request import GenerateRequest
from models.names import adapters_of, without_adapters

from .installed import Installed


class Adapting:
    """Completes requests whose model is named with adapters; any other stays as it is."""

    def __init__(self, installed: Installed) -> None:
        self._installed = installed

    async def adapt(self, request: GenerateRequest) -> GenerateRequest:
        """Return the request with its adapters. Raises: ModelNotFound, InvalidRequest, BackendError, DoesNotFit."""
        names = adapters_of(request.model)
        if not names:
            return request
        known, model = self._installed.adapters, self._installed.manifest(request.model)
        adapters = [known.get(name) for name in names]
        await asyncio.to_thread(known.check, adapters, without_adapters(request.model), model)
        return replace(
            request,
            adapters=tuple(map(known.ref, adapters)),
            served_by=self._installed.resident(request.model),
        )
