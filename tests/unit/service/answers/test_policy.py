"""Which requests share a name in the cache."""

from typing import Any

import msgspec
import pytest

from appliance.core.caller import LOCAL
from appliance.core.request import (
    AdapterRef,
    ChatPrompt,
    GenerateRequest,
    JsonSchema,
    Message,
    RequestId,
    Tool,
)
from appliance.core.response_cache import CacheMark, CacheWish
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.service.answers.policy import merged_mark, plan
from appliance.settings import CacheSettings

HELLO = ChatPrompt(messages=(Message(role="user", content="hello"),))
REQUEST = GenerateRequest(id=RequestId("a"), model="m", prompt=HELLO, sampling=SamplingParams(temperature=0))


TONE = AdapterRef(name="tone", digest="sha256:tone", path="/a", format="gguf", compiled_path="/c")
LAW = msgspec.structs.replace(TONE, name="law", digest="sha256:law")


def name_of(**changes: Any) -> str:
    planned = plan(msgspec.structs.replace(REQUEST, **changes), lambda model: "sha256:1", LOCAL, CacheSettings())
    assert planned is not None
    return planned.name


@pytest.mark.parametrize(
    "changes",
    [
        {"id": RequestId("b")},
        {"priority": "batch"},
        {"deadline_s": 3.0},
        {"keep_alive_s": 60.0},
        {"cache_prompt": False},
        {"cache": CacheWish(ttl_s=5)},
        {"served_by": "m@other"},
    ],
    ids=str,
)
def test_what_does_not_change_the_answer_does_not_change_the_name(changes: dict[str, Any]) -> None:
    assert name_of(**changes) == name_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": ChatPrompt(messages=(Message(role="user", content="hello!"),))},
        {"prompt": ChatPrompt(messages=HELLO.messages, tools=(Tool(name="f"),))},
        {"prompt": ChatPrompt(messages=HELLO.messages, template_kwargs={"enable_thinking": False})},
        {"sampling": SamplingParams(temperature=0, top_k=5)},
        {"sampling": SamplingParams(seed=1)},
        {"stop": StopConditions(max_tokens=5)},
        {"num_choices": 2},
        {"logprobs": 3},
        {"constraint": JsonSchema(schema=True, param="response_format")},
        {"echoes_prompt": True},
        {"returns_tokens": True},
        {"timings_per_token": True},
        {"context": (1, 2)},
        {"adapters": (TONE,)},
    ],
    ids=str,
)
def test_what_changes_the_answer_changes_the_name(changes: dict[str, Any]) -> None:
    assert name_of(**changes) != name_of()


def test_adapters_are_known_by_their_content_and_not_by_name_place_or_order() -> None:
    moved = msgspec.structs.replace(TONE, name="other", path="/b", compiled_path="/d")
    assert name_of(adapters=(TONE, LAW)) == name_of(adapters=(LAW, moved))
    for other in ({"digest": "sha256:new"}, {"scale": 0.5}):
        assert name_of(adapters=(TONE,)) != name_of(adapters=(msgspec.structs.replace(TONE, **other),))


def test_the_cost_of_a_call_is_that_of_its_dearest_request() -> None:
    hit, miss = CacheMark(outcome="hit", name="a", age_s=3.0), CacheMark(outcome="miss", name="b")
    assert merged_mark([hit, miss]).outcome == "miss"
    older = CacheMark(outcome="hit", name="c", age_s=9.0)
    assert (merged_mark([hit, older]).outcome, merged_mark([hit, older]).age_s) == ("hit", 9.0)
