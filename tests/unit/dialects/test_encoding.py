"""Embeddings, rerank and score between the wire and the core."""

import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from appliance.core.events import Encoded, Finished, Timings, Usage
from appliance.core.request import RequestId, TextPair, TextPrompt, TokenPrompt
from appliance.dialects.decode import decode_json
from appliance.dialects.openai.embeddings import MAX_INPUTS, EmbeddingsRequest, embeddings, embeddings_to_core
from appliance.dialects.rerank import (
    MAX_PAIRS,
    RerankRequest,
    ScoreRequest,
    ranking,
    rerank_to_core,
    score_to_core,
    scores,
)
from appliance.dialects.rows import Rows
from appliance.errors import InvalidRequest

ID = RequestId("r")


def wire_of(kind: type[Any], **fields: object) -> Any:
    return decode_json(msgspec.json.encode(fields), kind)


def inputs_of(value: object) -> Sequence[object]:
    return embeddings_to_core(wire_of(EmbeddingsRequest, input=value), ID, "m").inputs


def rows_of(*rows: Sequence[float], kind: str = "embedding", num_tokens: int = 5) -> Rows:
    """The rows as a worker sends them: the last one first."""
    gathered = Rows(len(rows))
    for index in reversed(range(len(rows))):
        data = struct.pack(f"<{len(rows[index])}f", *rows[index])
        gathered.add(Encoded(id=ID, kind=kind, indices=(index,), data=data))
    usage = Usage(prompt_tokens=num_tokens, cached_tokens=0, completion_tokens=0)
    timings = Timings(queue_s=0, prefill_s=0, decode_s=0)
    gathered.add(Finished(id=ID, choice=0, reason="stop", usage=usage, timings=timings, mean_token_probability=None))
    return gathered


def test_every_form_of_input_is_understood() -> None:
    assert inputs_of("a") == (TextPrompt(text="a"),)
    assert inputs_of(["a", "b"]) == (TextPrompt(text="a"), TextPrompt(text="b"))
    assert inputs_of([1, 2]) == (TokenPrompt(tokens=(1, 2)),)
    assert inputs_of([[1, 2], [3]]) == (TokenPrompt(tokens=(1, 2)), TokenPrompt(tokens=(3,)))


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("", "input"),
        ([], "input"),
        (["a", ""], "input[1]"),
        ([[]], "input[0]"),
        (["a", 1], "input"),
        (["a", [1]], "input"),
        ([-1], "input[0]"),
        (None, "input"),
        (["a"] * (MAX_INPUTS + 1), "input"),
    ],
)
def test_input_that_means_nothing_is_refused_by_its_place(value: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        inputs_of(value)
    assert refusal.value.param == param


def test_vectors_are_written_as_numbers_or_as_base64_in_the_order_of_the_inputs() -> None:
    rows = rows_of([0.5, -2.0], [0.25, 1.0])
    wire = wire_of(EmbeddingsRequest, input=["a", "b"])
    answer = msgspec.json.decode(embeddings(wire, rows, "m"))
    assert [each["embedding"] for each in answer["data"]] == [[0.5, -2.0], [0.25, 1.0]]
    assert [each["index"] for each in answer["data"]] == [0, 1]
    assert answer["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    wire = wire_of(EmbeddingsRequest, input=["a", "b"], encoding_format="base64")
    answer = msgspec.json.decode(embeddings(wire, rows, "m"))
    assert answer["data"][0]["embedding"] == "AAAAPwAAAMA="


def test_documents_come_as_texts_or_objects_and_leave_by_relevance() -> None:
    wire = wire_of(RerankRequest, query="q", documents=["a", {"text": "b", "id": 7}, "c"], return_documents=True)
    core = rerank_to_core(wire, ID, "m")
    assert core.inputs == tuple(TextPair(first="q", second=text) for text in "abc")
    answer = msgspec.json.decode(ranking(wire, rows_of([0.25], [0.75], [0.25], kind="relevance"), ID, "m"))
    assert [(each["index"], each["relevance_score"]) for each in answer["results"]] == [(1, 0.75), (0, 0.25), (2, 0.25)]
    assert answer["results"][0]["document"] == {"text": "b"}
    assert (answer["method"], answer["usage"]["total_tokens"]) == ("relevance", 5)


def test_only_the_best_are_returned_where_so_many_are_asked_for() -> None:
    wire = wire_of(RerankRequest, query="q", documents=["a", "b"], top_n=1)
    answer = msgspec.json.decode(ranking(wire, rows_of([0.25], [0.75], kind="cosine"), ID, "m"))
    assert answer["results"] == [{"index": 1, "relevance_score": 0.75}]
    assert answer["method"] == "cosine"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": "", "documents": ["a"]}, "query"),
        ({"query": "q", "documents": []}, "documents"),
        ({"query": "q", "documents": [{"title": "t"}]}, "documents[0]"),
        ({"query": "q", "documents": ["a"], "top_n": 0}, "top_n"),
        ({"query": "q", "documents": ["a"] * (MAX_PAIRS + 1)}, "documents"),
    ],
)
def test_a_ranking_that_means_nothing_is_refused(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        rerank_to_core(wire_of(RerankRequest, **fields), ID, "m")
    assert refusal.value.param == param


def test_texts_are_scored_one_against_many_or_pair_by_pair() -> None:
    one = score_to_core(wire_of(ScoreRequest, text_1="q", text_2=["a", "b"]), ID, "m")
    assert one.inputs == (TextPair(first="q", second="a"), TextPair(first="q", second="b"))
    many = score_to_core(wire_of(ScoreRequest, text_1=["p", "q"], text_2=["a", "b"]), ID, "m")
    assert many.inputs == (TextPair(first="p", second="a"), TextPair(first="q", second="b"))
    with pytest.raises(InvalidRequest, match="2 texts and 'text_2' 3"):
        score_to_core(wire_of(ScoreRequest, text_1=["p", "q"], text_2=["a", "b", "c"]), ID, "m")
    answer = msgspec.json.decode(scores(rows_of([0.5], [0.25], kind="relevance"), ID, "m", 7))
    assert [(each["index"], each["score"]) for each in answer["data"]] == [(0, 0.5), (1, 0.25)]
