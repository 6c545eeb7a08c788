"""A Responses request as the engine understands it."""

from collections.abc import Iterable

from appliance.core.request import ChatPrompt, GenerateRequest, RequestId
from appliance.dialects.openai.sampling import sampling_of, stop_of

from .items import Item
from .request import PromptRequest, ResponseRequest, constraint_of, thinking_of
from .tools import Offers, choose, offers_of
from .transcript import messages_of


def prompt_of(wire: PromptRequest, items: Iterable[Item]) -> tuple[ChatPrompt, Offers]:
    """Return the prompt, `items` being the whole conversation, and the tools in it. Raises: InvalidRequest."""
    offers, choice = choose(offers_of(wire.tools or ()), wire.tool_choice, wire.parallel_tool_calls is not False)
    prompt = ChatPrompt(
        messages=messages_of(wire.instructions, items),
        tools=tuple(offer.tool for offer in offers.values()),
        tool_choice=choice,
        reasoning=thinking_of(wire),
        template_kwargs=wire.chat_template_kwargs or {},
    )
    return prompt, offers


def response_to_core(wire: ResponseRequest, prompt: ChatPrompt, id: RequestId, model: str) -> GenerateRequest:
    """Return the request for the engine. Raises: InvalidRequest, with the field."""
    return GenerateRequest(
        id=id,
        model=model,
        prompt=prompt,
        sampling=sampling_of(wire),
        stop=stop_of(wire, wire.max_output_tokens),
        logprobs=wire.num_logprobs,
        constraint=constraint_of(wire),
        cache_prompt=wire.cache_prompt is not False,
        priority=wire.priority or "normal",
        deadline_s=wire.deadline_s,
    )
