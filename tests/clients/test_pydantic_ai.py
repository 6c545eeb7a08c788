"""pydantic-ai: agents over each of the three dialects that it speaks to a box like this."""

from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from said import Lesson, call


def model_of(box: str, dialect: str, name: str) -> Model:
    if dialect == "anthropic":
        return AnthropicModel(name, provider=AnthropicProvider(base_url=box, api_key="none"))
    kind: Any = OpenAIChatModel if dialect == "chat" else OpenAIResponsesModel
    return kind(name, provider=OpenAIProvider(base_url=f"{box}/v1", api_key="none"))


@pytest.mark.parametrize("dialect", ["chat", "responses", "anthropic"])
class TestAgent:
    def test_it_answers(self, box: str, dialect: str) -> None:
        result = Agent(model_of(box, dialect, "echo"), instructions="Be brief.").run_sync("Good morning!")
        assert result.output == "Good morning!"

    async def test_it_streams(self, box: str, dialect: str) -> None:
        async with Agent(model_of(box, dialect, "echo")).run_stream("one two") as result:
            assert [text async for text in result.stream_text()][-1] == "one two"

    def test_it_calls_a_tool_and_answers_with_what_that_said(self, box: str, dialect: str) -> None:
        agent = Agent(model_of(box, dialect, "echo"))
        asked: list[tuple[str, int]] = []

        @agent.tool_plain
        def get_weather(city: str, days: int) -> str:
            asked.append((city, days))
            return "snow"

        result = agent.run_sync(call("get_weather", city="Oslo", days=2))
        assert asked == [("Oslo", 2)]
        assert "snow" in result.output

    def test_its_answer_has_the_type_that_is_asked_for(self, box: str, dialect: str) -> None:
        settings = {"max_tokens": 1000}
        agent = Agent(model_of(box, dialect, "random"), output_type=Lesson, model_settings=settings)
        assert isinstance(agent.run_sync("Solve it.").output, Lesson)
