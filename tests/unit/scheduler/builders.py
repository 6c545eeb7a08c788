"""Small requests, plans and events, so that a test shows only what it is about."""

from appliance.core.caller import Caller
from appliance.core.events import Accepted, Delta, Finished, FinishReason, Timings, Usage
from appliance.core.plan import Artefact, LoadPlan
from appliance.core.request import GenerateRequest, Priority, RequestId, TextPrompt
from appliance.core.sampling import StopConditions
from appliance.core.traits import ModelTraits
from appliance.scheduler.claims import Claim

GIB = 2**30


def plan(model: str, num_bytes: int = GIB, *, max_step_sequences: int = 4, max_sequences: int = 12) -> LoadPlan:
    return LoadPlan(
        model=model,
        backend="echo",
        artefact=Artefact(format="echo", path="echo:", digest=model),
        device="cpu",
        context_tokens=1024,
        kv_capacity_tokens=4096,
        max_sequences=max_sequences,
        max_step_sequences=max_step_sequences,
        max_step_tokens=64,
        threads_decode=1,
        threads_prefill=1,
        kv_type="f16",
        gpu_layers=0,
        step_time_target_s=0.1,
        estimated_bytes=num_bytes,
        reasons=(),
    )


def traits(*, max_step_sequences: int = 4, max_sequences: int = 12) -> ModelTraits:
    return ModelTraits(
        task="generate",
        vocab_size=512,
        max_context_tokens=1024,
        kv_capacity_tokens=4096,
        max_sequences=max_sequences,
        max_step_sequences=max_step_sequences,
        max_step_tokens=64,
        max_step_outputs=64,
        chunk_multiple_tokens=1,
        copy_cost="shared",
        retain="free",
        can_truncate=True,
        is_batch_invariant=True,
        kv_bytes_per_token=4,
        max_adapters_per_step=0,
    )


def request(
    id_: str,
    model: str = "a",
    *,
    num_choices: int = 1,
    priority: Priority = "normal",
    deadline_s: float | None = None,
    max_tokens: int | None = None,
) -> GenerateRequest:
    return GenerateRequest(
        id=RequestId(id_),
        model=model,
        prompt=TextPrompt(text="hello"),
        num_choices=num_choices,
        priority=priority,
        deadline_s=deadline_s,
        stop=StopConditions(max_tokens=max_tokens),
    )


def claim(
    id_: str,
    caller: str = "local",
    num_choices: int = 1,
    *,
    priority: Priority = "normal",
    weight: float = 1.0,
    cost_tokens: float = 100.0,
    arrived: float = 0.0,
    since: float | None = None,
    can_pause: bool = True,
    is_aged: bool = False,
    rests_until: float = 0.0,
) -> Claim:
    return Claim(
        id=RequestId(id_),
        caller=caller,
        weight=weight,
        priority=priority,
        num_choices=num_choices,
        cost_tokens=cost_tokens,
        arrived_s=arrived,
        since_s=arrived if since is None else since,
        can_pause=can_pause,
        is_aged=is_aged,
        rests_until_s=rests_until,
    )


def caller(id_: str, weight: float = 1.0) -> Caller:
    return Caller(id=id_, source="key", scope="use", weight=weight)


def accepted(id_: str, num_prompt_tokens: int = 5, cached_tokens: int = 0) -> Accepted:
    return Accepted(id=RequestId(id_), num_prompt_tokens=num_prompt_tokens, cached_tokens=cached_tokens)


def delta(id_: str, choice: int = 0, num_tokens: int = 1, text: str = "x") -> Delta:
    return Delta(id=RequestId(id_), choice=choice, num_tokens=num_tokens, text=text)


def finished(
    id_: str,
    choice: int = 0,
    *,
    reason: FinishReason = "stop",
    completion_tokens: int = 1,
    probability: float | None = None,
) -> Finished:
    return Finished(
        id=RequestId(id_),
        choice=choice,
        reason=reason,
        usage=Usage(prompt_tokens=5, cached_tokens=0, completion_tokens=completion_tokens),
        timings=Timings(queue_s=0.0, prefill_s=0.1, decode_s=0.2),
        mean_token_probability=probability,
    )
