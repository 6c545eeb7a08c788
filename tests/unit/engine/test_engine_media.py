"""Pictures among the tokens of an engine: computed whole, used again, never mistaken for words or for each other."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.backends.base import Batch, MediaSpan, StepOutput
from appliance.backends.media_keys import begin_of_medium, end_of_medium, media_keys, text_tokens
from appliance.core.events import Accepted, Failed
from appliance.core.request import ChatPrompt, GenerateRequest, Media, MediaAddress, Message
from appliance.core.sampling import SamplingParams
from appliance.engine import sequence
from appliance.engine.batcher import Work, plan_step
from appliance.engine.blocks import block_end
from appliance.engine.prefix import Grid
from appliance.engine.prompt import Arrival, PromptReader
from appliance.errors import ContextLengthExceeded, InvalidRequest
from tests.media import medium
from tests.unit.engine.engine_bench import Bench, chat
from tests.unit.engine.test_batcher import DECODE, LIMITS, prompt

SEES = "echo:?sees=1"
CAT, DOG = (medium(name) for name in (b"a cat", b"a dog, larger"))


def show(request_id: str, text: str, *media: Media, **fields: Any) -> GenerateRequest:
    """Return a chat of one message; a `|` in the text is where a medium stands."""
    before = text.split("|")
    places = np.cumsum([len(part) for part in before])
    placed = tuple(replace(each, at=int(place)) for each, place in zip(media, places, strict=False))
    request = chat(request_id, "".join(before), **fields)
    message = Message(role="user", content="".join(before), media=placed)
    return replace(request, prompt=ChatPrompt(messages=(message,)))


def word(shown: Media) -> str:
    """Return what echo says of a medium."""
    return f"<{int(media_keys(shown.digest, 0, 4)[0]) & 0xFFFFFFFF:08x}>"


def cached(bench: Bench, request_id: str) -> int:
    (event,) = [event for event in bench.of(Accepted) if event.id == request_id]
    return int(event.cached_tokens)


def test_a_picture_stands_where_the_message_has_it() -> None:
    bench = Bench(SEES).start(show("a", "one | two | three", CAT, DOG), show("b", "|", DOG)).run()
    assert bench.text("a") == f"one {word(CAT)} two {word(DOG)} three"
    assert word(CAT) != word(DOG)
    assert bench.text("b") == word(DOG)


def test_a_picture_counts_in_the_usage_and_against_the_context() -> None:
    bench = Bench(SEES).start(show("a", "|", CAT), chat("b", "")).run()
    num_keys = len(media_keys(CAT.digest, 0, 4)) + len(CAT.data) % 5
    assert bench.finished("a").usage.prompt_tokens == bench.finished("b").usage.prompt_tokens + num_keys + 2
    small = Bench(SEES, context_tokens=bench.finished("a").usage.prompt_tokens)
    with pytest.raises(ContextLengthExceeded):
        small.start(show("a", "|", CAT))


def test_the_same_picture_is_not_computed_again_and_another_is() -> None:
    text = "before " * 8 + "|" + "behind " * 8
    bench = Bench(SEES)
    for request_id, picture in (("a", CAT), ("b", CAT), ("c", DOG)):
        bench.start(show(request_id, text, picture)).run()
    assert cached(bench, "b") == bench.finished("b").usage.prompt_tokens - 1
    assert cached(bench, "c") == len("Suser\n" + "before " * 8 + "<")  # S is one token, and so is what opens a picture
    assert bench.text("c") == "before " * 8 + word(DOG) + "behind " * 8


def test_a_picture_of_a_few_tokens_is_shared_with_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence, "MIN_TOKENS", 100)
    bench = Bench(SEES)
    for request_id in ("a", "b"):
        bench.start(show(request_id, "x" * 50 + "|", CAT)).run()
    assert cached(bench, "b") == 0


def test_nobody_guesses_a_picture_where_words_repeat_that_stood_before_one() -> None:
    text = "ab ab ab ab |" * 4 + " and on"
    bench = Bench(SEES).start(show("a", text, CAT, CAT, DOG, CAT)).run()
    assert bench.text("a") == text.replace("|", "{}").format(*map(word, (CAT, CAT, DOG, CAT)))
    assert bench.finished("a").usage.accepted_draft_tokens > 0


def test_penalties_and_biases_know_words_only() -> None:
    sampling = SamplingParams(temperature=0.0, repeat_penalty=1.01, frequency_penalty=0.01)
    bench = Bench(SEES).start(show("a", "see |", CAT, sampling=sampling)).run()
    assert bench.text("a") == f"see {word(CAT)}"


def test_an_exchange_is_handed_back_in_tokens_alone() -> None:
    bench = Bench(SEES).start(show("a", "see |", CAT, returns_tokens=True)).run()
    assert min(bench.finished("a").tokens) >= 0
    later = replace(show("b", "|", DOG), context=bench.finished("a").tokens)
    assert bench.start(later).run().text("b") == word(DOG)


def test_every_choice_sees_the_picture() -> None:
    bench = Bench(SEES).start(show("a", "|", CAT, num_choices=3)).run()
    assert [bench.text("a", choice) for choice in range(3)] == [word(CAT)] * 3


def test_a_sequence_that_is_paused_within_its_pictures_goes_on() -> None:
    bench = Bench(SEES, max_step_tokens=16).start(show("a", "words " * 9 + "|" + "more " * 9 + "|", CAT, DOG))
    while bench.engine.has_work:
        bench.step()
        bench.engine.pause("a")
        bench.engine.resume("a")
    assert bench.text("a") == "words " * 9 + word(CAT) + "more " * 9 + word(DOG)


class Watched(Bench):
    """Notes what every step computes."""

    def watch(self) -> list[Batch]:
        batches: list[Batch] = []
        step = self.model.step

        def watched(batch: Batch) -> StepOutput:
            batches.append(batch)
            return step(batch)

        self.model.step = watched  # type: ignore[method-assign]  # the model is this test's own
        return batches


def test_streams_go_on_while_pictures_are_read() -> None:
    bench = Watched(SEES)
    batches = bench.watch()
    bench.start(chat("text", "a long story " * 6)).step(4)
    bench.start(show("a", "|||", CAT, DOG, CAT), show("b", "|", DOG)).run()
    with_media = [batch for batch in batches if any(run.media for run in batch.runs)]
    assert len(with_media) == 4
    assert all(sum(run.media is not None for run in batch.runs) == 1 for batch in with_media)
    assert all(any(run.num_outputs and run.media is None for run in batch.runs) for batch in with_media)
    assert bench.text("text") == "a long story " * 6


PICTURES = [medium(bytes([number]) * number) for number in range(1, 6)]
TALKS = st.lists(
    st.tuples(st.sampled_from(["", "so ", "and so on, " * 3]), st.sampled_from([None, *PICTURES])),
    min_size=1,
    max_size=4,
)


AND_SO_ON = "and so on, " * 3
A_CHUNK_OF_ONE_TOKEN_BESIDE_A_GUESS = [
    [(AND_SO_ON, PICTURES[0]), (AND_SO_ON, PICTURES[2]), (AND_SO_ON, None), ("so ", PICTURES[1])],
    [("so ", PICTURES[1]), ("", PICTURES[2]), (AND_SO_ON, PICTURES[2]), ("", PICTURES[1])],
    [(AND_SO_ON, PICTURES[3]), ("so ", PICTURES[4]), ("", PICTURES[0]), ("so ", PICTURES[1])],
    [(AND_SO_ON, PICTURES[0]), (AND_SO_ON, PICTURES[1]), (AND_SO_ON, PICTURES[3]), (AND_SO_ON, PICTURES[0])],
]


@example(talks=A_CHUNK_OF_ONE_TOKEN_BESIDE_A_GUESS, grid=8, copies="shared", can_truncate=True)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    talks=st.lists(TALKS, min_size=1, max_size=4),
    grid=st.sampled_from([1, 8]),
    copies=st.sampled_from(["shared", "memory"]),
    can_truncate=st.booleans(),
)
def test_whatever_is_shared_and_sent_back_every_answer_is_of_its_own_pictures(
    talks: list[list[tuple[str, Media | None]]], grid: int, copies: str, can_truncate: bool
) -> None:
    path = f"{SEES}&grid={grid}&copy={copies}&truncate={int(can_truncate)}"
    bench = Bench(path, kv_capacity_tokens=600, max_step_tokens=32, max_step_sequences=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("appliance.engine.blocks.BLOCK_TOKENS", 16)
        for number, talk in enumerate(talks):
            text = "".join(words + ("|" if picture else "") for words, picture in talk)
            bench.start(show(str(number), text, *(picture for _, picture in talk if picture)))
            bench.step(number)
        bench.run()
    for number, talk in enumerate(talks):
        assert bench.text(str(number)) == "".join(words + (word(p) if p else "") for words, p in talk)


def test_a_template_that_leaves_a_picture_out_is_no_answer_without_it() -> None:
    bench = Bench(SEES)
    bench.reader._format._template._template = bench.reader._format._template._template.environment.from_string(
        "{% for message in messages %}{{ message.role }}{% endfor %}"
    )
    with pytest.raises(InvalidRequest, match="leaves out"):
        bench.start(show("a", "|", CAT))


def test_words_cannot_pose_as_a_picture() -> None:
    bench = Bench(SEES).start(show("a", "medium0n0x <__media__> |", CAT)).run()
    assert bench.text("a") == f"medium0n0x <__media__> {word(CAT)}"


def test_who_cannot_see_says_so() -> None:
    bench = Bench("echo:")
    with pytest.raises(InvalidRequest, match="image"):
        bench.start(show("a", "|", CAT))
    reader = PromptReader(bench.reader._tokenizer, 100)
    with pytest.raises(InvalidRequest, match="projector"):
        reader.prepare(show("a", "|", CAT), Arrival())
    address = MediaAddress(kind="image", url="http://x/", at=0, param="messages")
    unfetched = replace(
        show("a", ""), prompt=ChatPrompt(messages=(Message(role="user", content="", media=(address,)),))
    )
    with pytest.raises(InvalidRequest, match="not fetched"):
        reader.prepare(unfetched, Arrival())


def test_a_picture_at_fault_fails_its_request_alone() -> None:
    bench = Bench(SEES)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        bench.start(show("a", "|", medium(b"broken")))
    assert bench.start(show("b", "|", CAT)).run().text("b") == word(CAT)
    assert not bench.of(Failed)


def test_people_read_a_prompt_with_the_kind_of_what_stands_in_it() -> None:
    request = show("a", "see | there", CAT)
    assert isinstance(request.prompt, ChatPrompt)
    assert "see [image] there" in Bench(SEES).reader.render(request.prompt)


def test_a_medium_takes_the_place_of_chunks_and_is_computed_whole() -> None:
    picture = Work(num_computed=10, num_pending=700, num_until_medium=0, num_medium=600)
    text = Work(num_computed=0, num_pending=700, num_until_medium=40, num_medium=600)
    last = Work(num_computed=9, num_pending=1, num_until_medium=0, num_medium=1)
    assert plan_step([DECODE, picture, prompt(50)], LIMITS, 100) == [1, 600, 0]
    assert plan_step([DECODE, text], LIMITS, None) == [1, 40]
    assert plan_step([prompt(50), picture, picture], LIMITS, 100) == [50, 600, 0]
    assert not last.is_decode


def test_a_cut_within_a_medium_moves_to_its_ends() -> None:
    first, second = media_keys("a", 0, 5), media_keys("b", 0, 3)
    tokens = np.concatenate((np.arange(4, dtype=np.int32), first, second, np.arange(2, dtype=np.int32)))
    assert [begin_of_medium(tokens, position) for position in range(15)] == [0, 1, 2, 3, *[4] * 5, *[9] * 3, 12, 13, 14]
    assert [end_of_medium(tokens, position) for position in (3, 4, 5, 8, 9, 11, 14)] == [3, 4, 9, 9, 9, 12, 14]
    assert text_tokens(tokens).tolist() == [0, 1, 2, 3, 0, 1]
    grid = Grid(2, can_truncate=True)
    assert grid.usable_tokens(11, 14, tokens) == 4  # 10 lies in the second, 9 off the grid, 8 in the first
    assert grid.usable_tokens(13, 14, tokens) == 12


def test_a_block_that_would_end_within_a_medium_has_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.engine.blocks.BLOCK_TOKENS", 4)
    tokens = np.concatenate((np.arange(3, dtype=np.int32), media_keys("a", 0, 6), np.arange(9, dtype=np.int32)))
    ends = [0]
    while ends[-1] < len(tokens):
        ends.append(block_end(ends[-1], tokens, Grid(1, can_truncate=True)))
    assert ends == [0, 9, 12, 16, 18]


def test_spans_are_what_they_are_whatever_their_keys() -> None:
    assert MediaSpan(media_keys("a", 0, 4), None) != MediaSpan(media_keys("a", 0, 4), None)
