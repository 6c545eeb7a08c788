"""Requests for rows: who shares a call, who goes first, and what becomes of the rows."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from appliance.backends.base import EncoderInput, RowArray
from appliance.backends.echo_description import EchoOptions
from appliance.backends.echo_encoder import EchoEncoder, EchoInputs
from appliance.backends.echo_tokenizer import EchoTokenizer
from appliance.core.events import Accepted, Encoded, Failed, Finished, RequestEvent
from appliance.core.request import EncodeRequest, GenerateRequest, RequestId, TextPair, TextPrompt, TokenPrompt
from appliance.engine.encoding import EncodingEngine
from appliance.engine.inputs import RequestReader
from appliance.engine.prompt import Arrival
from appliance.errors import ContextLengthExceeded, InvalidRequest
from tests.fakes import load_plan


class RecordingEncoder(EchoEncoder):
    """Remembers the lengths of the inputs of each call."""

    def __init__(self, **options: object) -> None:
        plan = msgspec.structs.replace(load_plan(context_tokens=100), max_step_tokens=20)
        super().__init__(plan, msgspec.convert({"task": "embed", **options}, EchoOptions))
        self.calls: list[list[int]] = []

    def embed(self, inputs: Sequence[EncoderInput]) -> RowArray:
        self.calls.append([len(each.tokens) for each in inputs])
        return super().embed(inputs)


class Bench:
    """A reader and an engine over one model."""

    def __init__(self, **options: object) -> None:
        self.model = RecordingEncoder(**options)
        self.reader = RequestReader(EchoInputs(EchoTokenizer(512)), self.model.traits)
        self.engine = EncodingEngine(self.model, clock=lambda: 0.0)

    def start(self, request: EncodeRequest) -> None:
        assert self.engine.start(self.reader.prepare(request, Arrival())) == []

    def run(self) -> list[RequestEvent]:
        events: list[RequestEvent] = []
        while self.engine.has_work:
            events += self.engine.step()
        return events


def texts(id: str, *inputs: str, **fields: object) -> EncodeRequest:
    prompts = tuple(TextPrompt(text=text) for text in inputs)
    return EncodeRequest(id=RequestId(id), model="m", task="embed", inputs=prompts, **fields)


def pairs(id: str, *inputs: tuple[str, str]) -> EncodeRequest:
    prompts = tuple(TextPair(first=first, second=second) for first, second in inputs)
    return EncodeRequest(id=RequestId(id), model="m", task="score", inputs=prompts)


def rows_of(events: Sequence[RequestEvent], id: str) -> dict[int, RowArray]:
    rows = {}
    for event in events:
        if isinstance(event, Encoded) and event.id == id:
            found = np.frombuffer(event.data, "<f4").reshape(len(event.indices), -1)
            rows.update(zip(event.indices, found, strict=True))
    return rows


def test_inputs_of_several_callers_share_a_call() -> None:
    bench = Bench()
    for id in "abc":
        bench.start(texts(id, "hello"))
    events = bench.engine.step()
    assert bench.model.calls == [[5, 5, 5]]
    assert not bench.engine.has_work
    assert [type(event) for event in events] == [Accepted] * 3 + [Encoded, Finished] * 3


def test_every_input_gets_its_own_row_whatever_the_order_of_computing() -> None:
    bench = Bench()
    inputs = ["abcdefgh" * 2, "a", "hhhh", "abab" * 4, "g" * 30]
    bench.start(texts("r", *inputs))
    rows = rows_of(bench.run(), "r")
    for index, text in enumerate(inputs):
        alone = Bench()
        alone.start(texts("x", text))
        assert np.array_equal(rows[index], rows_of(alone.run(), "x")[0])


def test_a_call_holds_no_more_than_a_step_but_for_a_single_longer_input() -> None:
    bench = Bench()
    bench.start(texts("r", "a" * 50, *("b" * 8 for _ in range(5))))
    bench.run()
    assert bench.model.calls == [[50], [8, 8], [8, 8], [8]]


def test_a_long_list_does_not_hold_up_a_short_one() -> None:
    bench = Bench()
    bench.start(texts("long", *("a" * 10 for _ in range(100))))
    bench.engine.step()
    bench.start(texts("short", "b" * 10))
    events = bench.engine.step()
    assert any(isinstance(event, Finished) and event.id == "short" for event in events)


def test_an_interactive_request_goes_before_what_was_begun() -> None:
    bench = Bench()
    bench.start(texts("batch", *("a" * 20 for _ in range(3)), priority="batch"))
    bench.engine.step()
    bench.start(texts("now", "b" * 20, "c" * 20, priority="interactive"))
    finished = [event.id for event in bench.run() if isinstance(event, Finished)]
    assert finished == ["now", "batch"]


def test_a_cancelled_request_leaves_at_once() -> None:
    bench = Bench()
    bench.start(texts("r", *("a" * 20 for _ in range(3))))
    bench.engine.step()
    bench.engine.cancel(RequestId("r"))
    assert not bench.engine.has_work


def test_usage_counts_the_tokens_of_all_inputs() -> None:
    bench = Bench()
    bench.start(texts("r", "abc", "defgh"))
    (finished,) = [event for event in bench.run() if isinstance(event, Finished)]
    assert (finished.usage.prompt_tokens, finished.usage.completion_tokens) == (8, 0)


def test_shortened_embeddings_have_length_one_again() -> None:
    bench = Bench()
    bench.start(texts("whole", "abcdefghab"))
    bench.start(texts("short", "abcdefghab", dimensions=3))
    events = bench.run()
    whole, short = rows_of(events, "whole")[0], rows_of(events, "short")[0]
    assert short.shape == (3,)
    np.testing.assert_allclose(short, whole[:3] / np.linalg.norm(whole[:3]), rtol=1e-6)


def test_a_model_that_embeds_scores_by_cosine_and_reads_every_text_once() -> None:
    bench = Bench()
    bench.start(pairs("r", ("abab", "abab"), ("abab", "cccc"), ("abab", "abab")))
    events = bench.run()
    assert [length for call in bench.model.calls for length in call] == [6, 6, 6]  # `q:` or `d:` and four bytes
    (encoded,) = [event for event in events if isinstance(event, Encoded)]
    assert encoded.kind == "cosine"
    scores = [float(row[0]) for row in rows_of(events, "r").values()]
    assert scores[0] == scores[2] > scores[1]


def test_a_model_that_reads_pairs_gives_relevance_between_0_and_1() -> None:
    bench = Bench(task="score", width=1)
    bench.start(pairs("r", ("abc", "abcabc"), ("abc", "xyz")))
    events = bench.run()
    scores = [float(row[0]) for _, row in sorted(rows_of(events, "r").items())]
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-6)), 1 / (1 + np.exp(3))], rtol=1e-6)


def test_a_row_without_numbers_fails_its_request_alone() -> None:
    class Broken(RecordingEncoder):
        def embed(self, inputs: Sequence[EncoderInput]) -> RowArray:
            rows = super().embed(inputs)
            rows[[len(each.tokens) == 3 for each in inputs]] = np.nan
            return rows

    bench = Bench()
    bench.engine = EncodingEngine(Broken(), clock=lambda: 0.0)
    bench.start(texts("bad", "abc"))
    bench.start(texts("good", "abcd"))
    events = bench.run()
    assert [event.id for event in events if isinstance(event, Failed)] == ["bad"]
    assert [event.id for event in events if isinstance(event, Finished)] == ["good"]


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (texts("r", "ok", "a" * 101), ContextLengthExceeded, ("text 1", "101", "100")),
        (texts("r", ""), InvalidRequest, ("empty",)),
        (texts("r", "a", dimensions=9), InvalidRequest, ("9", "8 numbers")),
        (
            EncodeRequest(id=RequestId("r"), model="m", task="embed", inputs=(TokenPrompt(tokens=(1, 512)),)),
            InvalidRequest,
            ("[0, 512)",),
        ),
        (
            GenerateRequest(id=RequestId("r"), model="m", prompt=TextPrompt(text="a")),
            InvalidRequest,
            ("/v1/embeddings",),
        ),
    ],
)
def test_what_the_model_cannot_do_is_refused_with_the_reason(
    request_: EncodeRequest, error: type[Exception], words: Sequence[str]
) -> None:
    with pytest.raises(error) as refusal:
        Bench().reader.prepare(request_, Arrival())
    assert all(word in str(refusal.value) for word in words)


def test_a_model_that_reads_pairs_embeds_nothing_and_one_with_many_labels_ranks_nothing() -> None:
    with pytest.raises(InvalidRequest, match="/v1/rerank"):
        Bench(task="score", width=1).reader.prepare(texts("r", "a"), Arrival())
    with pytest.raises(InvalidRequest, match="3 labels"):
        Bench(task="score", width=3).reader.prepare(pairs("r", ("a", "b")), Arrival())


def test_token_ids_are_used_as_they_are_beside_texts_with_an_instruction() -> None:
    prompts = (TokenPrompt(tokens=(1, 2)), TextPrompt(text="ab"))
    request = EncodeRequest(id=RequestId("r"), model="m", task="embed", inputs=prompts, role="query")
    prepared = Bench().reader.prepare(request, Arrival())
    assert [each.tokens.tolist() for each in prepared.inputs] == [[1, 2], list(b"q:ab")]


def test_a_text_that_may_be_cut_keeps_its_beginning_and_its_last_token() -> None:
    bench = Bench()
    prepared = bench.reader.prepare(texts("r", "a" * 150 + "b", "short", truncates=True), Arrival())
    long, short = (each.tokens.tolist() for each in prepared.inputs)
    assert (len(long), long[:99], long[-1]) == (100, [ord("a")] * 99, ord("b"))
    assert len(short) == 5
