"""Prompts that go on with an earlier exchange."""

import numpy as np
import pytest

from appliance.backends.echo_tokenizer import EchoTokenizer
from appliance.core.request import ChatPrompt, GenerateRequest, Message, Prompt, RequestId, TextPrompt
from appliance.engine.prompt import Arrival, PromptReader
from appliance.errors import ContextLengthExceeded, InvalidRequest

CHAT = ChatPrompt(messages=(Message(role="user", content="Hi"),))


def tokens_of(prompt: Prompt, context: tuple[int, ...], max_context_tokens: int = 1000) -> list[int]:
    request = GenerateRequest(id=RequestId("r"), model="m", prompt=prompt, context=context)
    return PromptReader(EchoTokenizer(512), max_context_tokens).prepare(request, Arrival()).tokens.tolist()


@pytest.mark.parametrize("prompt", [CHAT, TextPrompt(text="Hi")])
def test_a_prompt_stands_behind_the_context(prompt: Prompt) -> None:
    assert tokens_of(prompt, (65, 66)) == [65, 66, *tokens_of(prompt, ())]


def test_a_vocabulary_that_marks_the_beginning_marks_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = EchoTokenizer(512)
    reader = PromptReader(tokenizer, 1000)
    monkeypatch.setattr(tokenizer, "bos_id", 300)
    monkeypatch.setattr(tokenizer, "encode", lambda text, *, parse_special, add_bos: np.array([300, 65], np.int32))
    request = GenerateRequest(id=RequestId("r"), model="m", prompt=TextPrompt(text="A"), context=(300, 66))
    assert reader.prepare(request, Arrival()).tokens.tolist() == [300, 66, 65]


def test_a_context_is_checked_like_a_prompt() -> None:
    with pytest.raises(InvalidRequest, match=r"outside \[0, 512\)"):
        tokens_of(CHAT, (512,))
    with pytest.raises(ContextLengthExceeded, match="the prompt has"):
        tokens_of(CHAT, (65,) * 20, max_context_tokens=20)
