"""What an MCP client may do here: each tool is a method, with the scope that a key needs for it. Knows no MCP.

A method's docstring is what a model reads to decide whether it wants the tool, and its parameters are the tool's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from appliance.client import Client, ClientError
from appliance.core.caller import Scope
from appliance.core.pulls import PullModel

Shown = dict[str, Any]
"""What a tool returns: a JSON object."""

_MAX_JOBS = 20


class Tools:
    """The tools, speaking to one daemon. Every method raises: NoDaemon, ClientError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def status(self) -> Shown:
        """Show what the box does now: models in memory with their speed, running and waiting requests, the machine."""
        return _shown(self._client.status())

    def list_models(self) -> Shown:
        """List the installed models, with state, size, quantization, context and what each is for."""
        return {"models": [_shown(model) for model in self._client.models()]}

    def show_model(self, model: str) -> Shown:
        """Show everything that is known of an installed model, by its name."""
        return _shown(self._client.model(model))

    def search_catalogue(self, query: str = "") -> Shown:
        """List models that could be pulled, the best for this machine first, with what they need and why they fit."""
        return _shown(self._client.catalogue(query=query))

    def load_model(self, model: str) -> Shown:
        """Bring an installed model into memory and wait until it is ready; another may have to leave."""
        for _ in self._client.load(model):
            pass
        return _shown(self._client.model(model))

    def unload_model(self, model: str) -> Shown:
        """Take a model out of memory; its file stays, and the next request for it loads it again."""
        self._client.unload(model)
        return _shown(self._client.model(model))

    def pull_model(self, reference: str, name: str | None = None, quantization: str | None = None) -> Shown:
        """Begin to fetch a model as a job and return that job at once; show_job says how far it is.

        The reference is hf:OWNER/REPO[:QUANT|:FILE], ms:OWNER/REPO, ollama:NAME[:TAG], an https address, a path on the
        box, or a name that search_catalogue shows.
        """
        order = PullModel(model=reference, name=name, quantization=quantization)
        return _shown(self._client.pull_model(order))

    def list_jobs(self) -> Shown:
        """List the newest jobs (pulls, conversions, batches), with their progress and how they ended."""
        return {"jobs": [_shown(job) for job in self._client.jobs()[:_MAX_JOBS]]}

    def show_job(self, job_id: str) -> Shown:
        """Show one job: its progress, its result, or why it failed."""
        return _shown(self._client.job(job_id))

    def cancel_job(self, job_id: str) -> Shown:
        """Give a job up and delete what it has written so far."""
        return _shown(self._client.cancel_job(job_id))

    def doctor(self) -> Shown:
        """Examine the box and say what is wrong with it, the worst first, each with the command that mends it."""
        return _shown(self._client.doctor())


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: which scope of key it needs, whether it changes something, and whether that loses work."""

    call: Callable[..., Shown]
    scope: Scope = "use"
    changes: bool = False
    destroys: bool = False

    @property
    def name(self) -> str:
        """Return what clients call it."""
        return self.call.__name__


TOOLS = (
    Tool(Tools.status),
    Tool(Tools.list_models),
    Tool(Tools.show_model),
    Tool(Tools.search_catalogue),
    Tool(Tools.load_model, "operate", changes=True),
    Tool(Tools.unload_model, "operate", changes=True),
    Tool(Tools.pull_model, "operate", changes=True),
    Tool(Tools.list_jobs, "operate"),
    Tool(Tools.show_job, "operate"),
    Tool(Tools.cancel_job, "operate", changes=True, destroys=True),
    Tool(Tools.doctor, "admin"),
)


def scope_of(client: Client) -> Scope:
    """Return what the client's key may do, found by what the daemon lets it read. Raises: NoDaemon, ClientError."""
    probes: tuple[tuple[Scope, Callable[[], object]], ...] = (("admin", client.keys), ("operate", client.requests))
    for scope, probe in probes:
        try:
            probe()
        except ClientError as error:
            if error.status != 403:
                raise
        else:
            return scope
    return "use"


def _shown(value: msgspec.Struct) -> Shown:
    shown: Shown = msgspec.to_builtins(value)
    return shown
