"""instructor: answers as types, by each of its ways to ask for them."""

from collections.abc import Iterator

import instructor
import pytest
from instructor import Mode
from openai import AsyncOpenAI, OpenAI
from said import A_LESSON, SAID_LESSON, Lesson, user


@pytest.fixture
def client(box: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{box}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON_SCHEMA])
def test_noise_becomes_a_type(client: OpenAI, mode: Mode) -> None:
    lesson = instructor.from_openai(client, mode=mode).chat.completions.create(
        model="random", messages=[user("Solve it.")], response_model=Lesson, max_tokens=1000, seed=1, max_retries=0
    )
    assert isinstance(lesson, Lesson)


@pytest.mark.parametrize("mode", [Mode.JSON, Mode.MD_JSON])
def test_json_in_the_text_becomes_a_type(client: OpenAI, mode: Mode) -> None:
    lesson = instructor.from_openai(client, mode=mode).chat.completions.create(
        model="echo", messages=[user(SAID_LESSON)], response_model=Lesson, max_tokens=1000, max_retries=0
    )
    assert lesson.model_dump() == A_LESSON.model_dump()


async def test_a_type_grows_while_it_streams(box: str) -> None:
    async with AsyncOpenAI(base_url=f"{box}/v1", api_key="none", max_retries=0) as client:
        patched = instructor.from_openai(client, mode=Mode.TOOLS)
        partial = patched.chat.completions.create_partial(
            model="random", messages=[user("Solve it.")], response_model=Lesson, max_tokens=1000, seed=2
        )
        lessons = [lesson async for lesson in partial]
    assert len(lessons) > 1
    assert Lesson.model_validate(lessons[-1].model_dump())


def test_many_of_a_type(client: OpenAI) -> None:
    patched = instructor.from_openai(client, mode=Mode.JSON_SCHEMA)
    lessons = patched.chat.completions.create(
        model="random", messages=[user("Solve it.")], response_model=list[Lesson], max_tokens=4000, seed=3
    )
    assert all(isinstance(lesson, Lesson) for lesson in lessons)
