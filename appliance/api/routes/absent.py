"""What OpenAI's clients may ask for and nothing here can do: refused in a sentence that says how it can be had."""

from litestar import post
from litestar.handlers import HTTPRouteHandler

from appliance.api.operation import Operation
from appliance.dialects.openai.errors import Envelope
from appliance.errors import NotOffered

_BESIDE = "a server that speaks OpenAI's API for it can run beside this one, on a port of its own"
_ABSENT = {
    "/v1/audio/speech": ("speak", _BESIDE),
    "/v1/images/generations": ("draw", _BESIDE),
    "/v1/images/edits": ("change images", _BESIDE),
}


def _absent(path: str, what: str, how: str) -> HTTPRouteHandler:
    def absent() -> None:
        """Refuse: no model of this version does that."""
        raise NotOffered(f"no model of this version can {what}, whichever is named: all answer with text; {how}")

    absent.__name__ = path.removeprefix("/v1/").replace("/", "_")
    return post(path, status_code=501, sync_to_thread=False, operation=Operation(gives=Envelope))(absent)


ROUTES = tuple(_absent(path, what, how) for path, (what, how) in _ABSENT.items())
