"""Chooses the execution provider when a model is loaded: plan, try in a child process, never fall back in silence."""

import logging
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from appliance.backends.onnx.child import run_child
from appliance.backends.onnx.plug_ins import installed_plug_ins
from appliance.backends.onnx.providers import CPU, ModelKind, Offer, full_name, plan_providers, short_name
from appliance.core.devices import LoadedDevice
from appliance.core.hardware import Accelerator
from appliance.errors import BackendError

Policy = Literal["allow", "warn", "refuse"]

_log = logging.getLogger(__name__)
_PROGRAM = "appliance.backends.onnx.provider_trial"
_LOOK_TIMEOUT_S = 30.0
_RUN_TIMEOUT_S = 120.0  # a first run may compile kernels for the device

# The library computes shapes on the processor on purpose, whatever the provider.
_MAX_ELSEWHERE_RATIO = 0.25


class Trials(Protocol):
    """What may crash or hang and is therefore done elsewhere."""

    def look(self) -> Offer:
        """Return what the library offers. Raises: BackendError."""

    def run(self, provider: str, kind: ModelKind) -> None:
        """Run one token. Raises: BackendError, saying why the provider cannot."""


class ChildTrials:
    """Trials in child processes."""

    def look(self) -> Offer:
        """Ask the library in a child."""
        return msgspec.json.decode(run_child(_PROGRAM, ("list",), _LOOK_TIMEOUT_S), type=Offer)

    def run(self, provider: str, kind: ModelKind) -> None:
        """Run one token in a child."""
        run_child(_PROGRAM, ("run", provider, kind), _RUN_TIMEOUT_S)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The provider that passed its trial. `policy` says what to do if the session is then made of another.

    `problem` says why it is not the one that should serve, if so.
    """

    provider: str
    policy: Policy
    reasons: tuple[str, ...]
    problem: str | None = None


ON_PROCESSOR = Choice(provider=CPU, policy="warn", reasons=())


def choose_provider(
    kind: ModelKind,
    accelerators: Sequence[Accelerator],
    setting: str,
    policy: Policy,
    trials: Trials | None = None,
) -> Choice:
    """Return the first provider of the plan that works. Raises: BackendError, where the policy refuses a fallback."""
    preferred = full_name(setting)
    if preferred == CPU or (preferred is None and (kind == "decoder" or not (accelerators or installed_plug_ins()))):
        return Choice(provider=CPU, policy=policy, reasons=())  # nothing to ask: no child, no time lost
    trials = trials or ChildTrials()
    try:
        offer = trials.look()
    except BackendError as error:
        offer = Offer(built_in=(CPU,), problems=(f"what onnxruntime offers could not be asked: {error.message}",))
    plan = plan_providers(kind, accelerators, offer, preferred)
    reasons = list(plan.reasons)
    chosen = CPU
    for provider in plan.order[:-1]:
        try:
            trials.run(provider, kind)
        except BackendError as error:
            reasons.append(f"{short_name(provider)} failed to run a token: {error.message}")
        else:
            chosen = provider
            break
    problem = None
    if chosen != plan.wanted:
        problem = settle(policy, plan.wanted, f"{short_name(chosen)} would serve instead", reasons)
    return Choice(provider=chosen, policy=policy, reasons=tuple(reasons), problem=problem)


def check_session(choice: Choice, actual: Sequence[str], shares: dict[str, int]) -> None:
    """Compare the session with the choice: its providers, and which of them took the graph's nodes.

    Raises: BackendError, where the policy refuses that another one computes.
    """
    if not actual or actual[0] != choice.provider:
        names = ", ".join(map(short_name, actual)) or "no provider"
        settle(choice.policy, choice.provider, f"the session has {names}", choice.reasons)
        return
    num_nodes = sum(shares.values())
    num_others = num_nodes - shares.get(choice.provider, 0)
    if num_others > _MAX_ELSEWHERE_RATIO * num_nodes:
        what = f"{num_others} of {num_nodes} nodes are computed elsewhere"
        settle(choice.policy, choice.provider, what, choice.reasons)


def placed_on(choice: Choice, actual: Sequence[str]) -> LoadedDevice:
    """Return where a session with those providers computes, and what of it is not as it should be."""
    provider = actual[0] if actual else CPU
    problem = choice.problem
    if provider != choice.provider:
        problem = f"the execution provider {short_name(choice.provider)} ran a token and does not serve this model"
    return LoadedDevice(device=short_name(provider).lower(), problem=problem)


def settle(policy: Policy, wanted: str, what: str, reasons: Sequence[str]) -> str:
    """Say that the provider wanted does not serve, as loud as the policy has it, and return what was said.

    Raises: BackendError, on `refuse`.
    """
    message = f"the execution provider {short_name(wanted)} does not serve this model: {what}"
    if reasons:
        message += f" ({'; '.join(reasons)})"
    if policy == "refuse":
        raise BackendError(f"{message}; set engine.provider to cpu, or engine.device_fallback to warn")
    _log.log(logging.WARNING if policy == "warn" else logging.INFO, "%s", message)
    return message
