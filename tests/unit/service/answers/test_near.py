"""Questions that mean the same, by vectors that the tests choose."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from appliance.caches.responses import ResponseFolder
from appliance.core.caller import LOCAL
from appliance.core.request import ChatPrompt, GenerateRequest, Message, RequestId
from appliance.core.response_cache import CacheMark, CacheWish
from appliance.core.sampling import SamplingParams
from appliance.errors import ModelNotFound
from appliance.service.answers.cache import ResponseCache
from appliance.service.answers.near import MAX_QUESTIONS, Neighbourhood, Question
from appliance.settings import CacheSettings
from tests.fakes import FakeScheduler

ANGLES = {"how tall is it": 0.0, "what is its height": 0.2, "who built it": 1.4, "is 7 prime": 0.0, "is 8 prime": 0.01}


def vector(angle: float) -> bytes:
    return np.array([np.cos(angle), np.sin(angle)], "<f4").tobytes()


def question(text: str) -> Question:
    return Question(text, vector(ANGLES[text]))


def test_the_nearest_question_is_found_with_its_cosine() -> None:
    known = Neighbourhood()
    for text in ("how tall is it", "who built it"):
        known.add(question(text), f"answer to {text}")
    near = known.nearest(question("what is its height"))
    assert near is not None
    assert (near.name, round(near.similarity, 4)) == ("answer to how tall is it", round(float(np.cos(0.2)), 4))


def test_it_survives_being_written_and_read() -> None:
    known = Neighbourhood()
    known.add(question("who built it"), "a")
    assert Neighbourhood(known.encode()).nearest(question("who built it")) == known.nearest(question("who built it"))


def test_questions_with_other_numbers_are_never_the_same() -> None:
    known = Neighbourhood()
    known.add(question("is 7 prime"), "a")
    assert known.nearest(question("is 8 prime")) is None
    assert known.nearest(question("how tall is it")) is None


def test_vectors_of_another_model_are_not_compared() -> None:
    known = Neighbourhood()
    known.add(Question("who built it", bytes(12)), "a")
    assert known.nearest(question("who built it")) is None


def test_the_oldest_questions_go_first() -> None:
    known = Neighbourhood()
    for number in range(MAX_QUESTIONS + 1):
        known.add(Question("x", vector(number * 0.001)), str(number))
    near = known.nearest(Question("x", vector(0.0)))
    assert near is not None and near.name == "1"


class Box:
    def __init__(self, home: Path, *, breaks: bool = False) -> None:
        self.scheduler = FakeScheduler()
        self.breaks = breaks
        settings = CacheSettings(semantic_model="minilm", semantic_threshold=0.95)
        folder = lambda: ResponseFolder(home / "responses", 2**22)  # noqa: E731  (the cache opens it on its own thread)
        self.cache = ResponseCache(folder, settings, lambda model: "1", lambda event: None, embed=self.embed)

    async def embed(self, text: str) -> bytes:
        if self.breaks:
            raise ModelNotFound("no model is called 'minilm'")
        return vector(ANGLES[text])

    async def ask(self, text: str, system: str = "be brief", wish: CacheWish | None = None) -> CacheMark:
        messages = (Message(role="system", content=system), Message(role="user", content=text))
        request = GenerateRequest(
            id=RequestId(str(len(self.scheduler.requests)) + text),
            model="m",
            prompt=ChatPrompt(messages=messages),
            sampling=SamplingParams(temperature=0),
            cache=wish,
        )
        stream, mark = await self.cache.answer(request, LOCAL, self.scheduler.submit)
        async for _ in stream:
            pass
        await asyncio.sleep(0)
        return mark


def asked(home: Path, *questions: str, breaks: bool = False, **how: object) -> list[CacheMark]:
    async def run() -> list[CacheMark]:
        box = Box(home, breaks=breaks)
        try:
            return [await box.ask(text, **how) for text in questions]  # type: ignore[arg-type]  # the keywords of `ask`
        finally:
            await box.cache.close()

    return asyncio.run(run())


def test_a_near_question_is_answered_like_the_first_and_says_how_near(tmp_path: Path) -> None:
    first, near, far = asked(tmp_path, "how tall is it", "what is its height", "who built it")
    assert (first.outcome, near.outcome, far.outcome) == ("miss", "hit", "miss")
    assert first.similarity is None
    assert near.similarity == pytest.approx(np.cos(0.2), abs=1e-4)
    assert near.name == first.name


def test_it_is_known_after_a_restart(tmp_path: Path) -> None:
    asked(tmp_path, "how tall is it")
    assert [mark.outcome for mark in asked(tmp_path, "what is its height")] == ["hit"]


def test_other_conditions_are_another_neighbourhood(tmp_path: Path) -> None:
    asked(tmp_path, "how tall is it")
    assert [mark.outcome for mark in asked(tmp_path, "what is its height", system="be long")] == ["miss"]


def test_a_request_may_insist_on_its_own_words(tmp_path: Path) -> None:
    asked(tmp_path, "how tall is it")
    wish = CacheWish(semantic=False)
    assert [mark.outcome for mark in asked(tmp_path, "what is its height", wish=wish)] == ["miss"]


def test_without_the_model_for_it_everything_else_goes_on(tmp_path: Path) -> None:
    marks = asked(tmp_path, "how tall is it", "how tall is it", "what is its height", breaks=True)
    assert [mark.outcome for mark in marks] == ["miss", "hit", "miss"]
