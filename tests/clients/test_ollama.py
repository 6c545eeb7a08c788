"""ollama: its own API, as programs written for Ollama call it."""

import json

import ollama
import pytest
from ollama import AsyncClient, Client
from said import A_LESSON, SAID_LESSON, TWO_CALLS, WEATHER_PARAMETERS, Lesson, call, user

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_PARAMETERS}}


@pytest.fixture
def client(box: str) -> Client:
    return Client(host=box)


def get_weather(city: str, days: int) -> str:
    """Tell the weather.

    Args:
        city: which city
        days: how many days
    """
    return f"snow in {city} for {days} days"


def test_a_chat(client: Client) -> None:
    answer = client.chat(model="echo", messages=[user("Good morning!")])
    assert answer.message.content == "Good morning!"
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert answer.eval_count and answer.prompt_eval_count and answer.total_duration


def test_a_streamed_chat(client: Client) -> None:
    parts = list(client.chat(model="echo", messages=[user("größer 你好 🙂")], stream=True))
    assert "".join(part.message.content or "" for part in parts) == "größer 你好 🙂"
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]


async def test_a_streamed_chat_for_an_asynchronous_program(box: str) -> None:
    client = AsyncClient(host=box)
    parts = [part async for part in await client.chat(model="echo", messages=[user("one two")], stream=True)]
    assert "".join(part.message.content or "" for part in parts) == "one two"


def test_a_prompt_is_answered(client: Client) -> None:
    answer = client.generate(model="echo", system="Be brief.", prompt="Good morning!")
    assert answer.response == "Good morning!"
    assert answer.context
    parts = client.generate(model="echo", prompt="one two", stream=True)
    assert "".join(part.response for part in parts) == "one two"


def test_a_raw_prompt_is_continued(client: Client) -> None:
    answer = client.generate(model="echo", prompt="abcabc", raw=True, options={"num_predict": 6, "temperature": 0})
    assert (answer.response, answer.done_reason) == ("abcabc", "length")


def test_a_gap_in_a_text_is_filled(client: Client) -> None:
    assert client.generate(model="echo", prompt="def f(", suffix="): pass", options={"num_predict": 5}).response


def test_a_function_of_the_program_is_called(client: Client) -> None:
    messages: list = [user(call("get_weather", city="Oslo", days=2))]
    first = client.chat(model="echo", messages=messages, tools=[get_weather])
    (asked,) = first.message.tool_calls or []
    assert (asked.function.name, asked.function.arguments) == ("get_weather", {"city": "Oslo", "days": 2})
    result = get_weather(**asked.function.arguments)
    messages += [first.message, {"role": "tool", "tool_name": "get_weather", "content": result}]
    last = client.chat(model="echo", messages=messages, tools=[get_weather])
    assert "snow in Oslo for 2 days" in (last.message.content or "")


def test_calls_are_streamed_whole(client: Client) -> None:
    parts = list(client.chat(model="echo", messages=[user(TWO_CALLS)], tools=[WEATHER], stream=True))
    calls = [asked for part in parts for asked in part.message.tool_calls or []]
    assert [asked.function.arguments["city"] for asked in calls] == ["Oslo", "Bergen"]
    assert "".join(part.message.content or "" for part in parts).strip() == "Let me look."


def test_thoughts_are_told_apart_from_the_answer(client: Client) -> None:
    said = "<think>two and two</think>four"
    whole = client.chat(model="echo", messages=[user(said)], think=True).message
    assert (whole.thinking, whole.content) == ("two and two", "four")
    parts = list(client.chat(model="echo", messages=[user(said)], think=True, stream=True))
    assert "".join(part.message.thinking or "" for part in parts) == "two and two"
    assert "".join(part.message.content or "" for part in parts) == "four"


def test_an_answer_has_the_form_that_is_asked_for(client: Client) -> None:
    answer = client.chat(model="echo", messages=[user(SAID_LESSON)], format=Lesson.model_json_schema())
    assert Lesson.model_validate_json(answer.message.content or "") == A_LESSON
    noise = client.generate(
        model="random", prompt="Solve it.", format=Lesson.model_json_schema(), options={"num_predict": 600, "seed": 1}
    )
    assert Lesson.model_validate_json(noise.response)
    some = client.chat(model="echo", messages=[user('{"a": 1}')], format="json")
    assert json.loads(some.message.content or "") == {"a": 1}


def test_vectors(client: Client) -> None:
    two = client.embed(model="embedder", input=["the cat sat", "the dog runs"])
    one = client.embed(model="embedder", input="the cat sat")
    assert len(two.embeddings) == 2
    assert list(one.embeddings[0]) == pytest.approx(list(two.embeddings[0]), abs=1e-5)
    assert sum(value * value for value in one.embeddings[0]) == pytest.approx(1, abs=1e-4)
    assert len(client.embeddings(model="embedder", prompt="the cat sat").embedding) == len(one.embeddings[0])


def test_models_are_listed_and_shown(client: Client) -> None:
    names = {str(model.model) for model in client.list().models}
    assert {"echo:latest", "embedder:latest"} <= names
    shown = client.show("echo")
    assert "tools" in (shown.capabilities or []) and "completion" in (shown.capabilities or [])
    assert shown.modelinfo and shown.modelinfo["general.architecture"] == "qwen2"
    assert "embedding" in (client.show("embedder").capabilities or [])


def test_what_is_loaded_is_listed(client: Client) -> None:
    client.chat(model="echo", messages=[user("Hi")], keep_alive="10m")
    (loaded,) = [model for model in client.ps().models if model.name == "echo:latest"]
    assert loaded.size and loaded.expires_at


def test_a_model_is_copied_and_the_copy_deleted(client: Client) -> None:
    client.copy("random", "noise")
    assert "noise:latest" in {model.model for model in client.list().models}
    client.delete("noise")
    assert "noise:latest" not in {model.model for model in client.list().models}


def test_a_model_is_made_of_another_with_a_system_prompt(client: Client) -> None:
    client.create(model="echo-terse", from_="echo", system="Be brief.")
    try:
        assert "Be brief." in (client.show("echo-terse").modelfile or "")
        assert client.chat(model="echo-terse", messages=[user("Hi")]).message.content
    finally:
        client.delete("echo-terse")


def test_what_cannot_be_pulled_is_said(client: Client) -> None:
    with pytest.raises(ollama.ResponseError):
        client.pull("no-such-model")


def test_an_address_with_its_end_twice_is_understood(box: str) -> None:
    assert Client(host=f"{box}/api").chat(model="echo", messages=[user("Hi")]).message.content == "Hi"


def test_a_model_is_let_go_at_once(client: Client) -> None:
    client.generate(model="echo-again", prompt="Hi", keep_alive=0)
    assert "echo-again:latest" not in {model.name for model in client.ps().models}


def test_errors_are_of_the_types_that_programs_catch(client: Client) -> None:
    with pytest.raises(ollama.ResponseError, match="ecko") as error:
        client.chat(model="ecko", messages=[user("Hi")])
    assert error.value.status_code == 404
