"""The wit that LangChain's standard tests ask of a model: what the echo model shall say to each of their questions.

How that is asked for, sent and read is LangChain's and ours; only the thinking is done here.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_tests.integration_tests import ChatModelIntegrationTests
from said import call

ANSWERS = {
    "What is the value of magic_function(3)? Use the tool.": call("magic_function", input=3),
    "What is the value of magic_function_no_args()? Use the tool.": call("magic_function_no_args"),
    "Using the tool, generate a Pirate greeting.": call("greeting_generator", answer_style="Pirate"),
    "What is the weather in San Francisco, CA?": call("get_weather", location="San Francisco, CA"),
    "Create a customer named '你好啊集团' (Hello Group) - a Chinese technology company": call(
        "unicode_customer", customer_name="你好啊集团", description="technology"
    ),
    "Create a customer named 'こんにちは株式会社' (Hello Corporation) - a Japanese company": call(
        "unicode_customer", customer_name="こんにちは株式会社", description="corporation"
    ),
    "Tell me a joke about cats. Return the result as a JSON with 'setup' and 'punchline' keys. "
    "Return nothing other than JSON.": '{"setup": "Why do cats code?", "punchline": "For the mouse."}',
}


def with_wit(messages: list[BaseMessage]) -> list[BaseMessage]:
    """Return the messages with each question in place of which something is to be said."""
    return [
        HumanMessage(ANSWERS[message.content])
        if isinstance(message.content, str) and message.content in ANSWERS
        else message
        for message in messages
    ]


class Witty:
    """Goes before a chat model of LangChain and changes what it is asked."""

    def _generate(self, messages: list[BaseMessage], *arguments: Any, **options: Any) -> ChatResult:
        return super()._generate(with_wit(messages), *arguments, **options)

    def _stream(self, messages: list[BaseMessage], *arguments: Any, **options: Any) -> Iterator[ChatGenerationChunk]:
        return super()._stream(with_wit(messages), *arguments, **options)

    async def _agenerate(self, messages: list[BaseMessage], *arguments: Any, **options: Any) -> ChatResult:
        return await super()._agenerate(with_wit(messages), *arguments, **options)

    def _astream(
        self, messages: list[BaseMessage], *arguments: Any, **options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        return super()._astream(with_wit(messages), *arguments, **options)


class ChatTests(ChatModelIntegrationTests):
    """The standard tests against the box; `DETAILS` says what the library reads of how tokens were used."""

    DETAILS: tuple[Any, ...] = ("cache_read_input", "reasoning_output")

    @pytest.fixture(autouse=True)
    def _find(self, box: str) -> None:
        self.box = box

    @property
    def model_override_value(self) -> str:
        return "echo-again"

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[Any]]:
        return {"invoke": list(self.DETAILS), "stream": list(self.DETAILS)}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._ask("<think>two and two</think>four", stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        self._ask("the same again " * 50, stream)
        return self._ask("the same again " * 50, stream)

    def _ask(self, question: str, stream: bool) -> AIMessage:
        model = self.chat_model_class(**self.standard_chat_model_params, **self.chat_model_params)
        if not stream:
            return model.invoke(question)
        first, *rest = model.stream(question)
        return sum(rest, first)
