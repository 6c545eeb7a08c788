"""Whether the daemon can be sent work: what `/ready` says, from the events of the default model."""

from appliance.core.events import ModelState, ModelStateChanged, RequestEnded, SystemEvent, TokensEmitted


class Readiness:
    """Ready from the default model's first answer on, until a load of it fails or the daemon drains.

    Keep-alive, eviction and a worker that died do not matter: the next request loads the model again.
    """

    def __init__(self, default_model: str) -> None:
        self._default_model = default_model
        self._has_answered = False
        self._is_draining = False
        self._state: ModelState = "stopped"
        self._problem: str | None = None

    @property
    def is_draining(self) -> bool:
        """Return whether the daemon is stopping."""
        return self._is_draining

    @property
    def reason(self) -> str | None:
        """Return why the daemon is not ready, None when it is."""
        if self._is_draining:
            return "the daemon is stopping"
        if self._problem is not None:
            return f"model {self._default_model!r} cannot answer: {self._problem}"
        if not self._has_answered:
            return f"model {self._default_model!r} has not answered yet; it is {self._state}"
        return None

    def observe(self, event: SystemEvent) -> None:
        """Take a system event."""
        if isinstance(event, TokensEmitted) and event.model == self._default_model:
            self._has_answered, self._problem = True, None
        elif isinstance(event, RequestEnded) and event.model == self._default_model and event.outcome == "stop":
            self._has_answered, self._problem = True, None  # of a model that embeds, which emits no tokens
        elif isinstance(event, ModelStateChanged) and event.model == self._default_model:
            if event.state == "failed" and self._state == "loading":
                self._problem = event.reason
            self._state = event.state

    def fail(self, problem: str) -> None:
        """Note why the default model could not even be asked."""
        self._problem = problem

    def drain(self) -> None:
        """Be not ready from now on."""
        self._is_draining = True
