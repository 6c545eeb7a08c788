"""`POST /v1/rerank`, as Jina's and Cohere's clients speak it, and `POST /v1/score`, as vLLM's do.

Sources: Jina AI, Reranker API; Cohere, Rerank API v2; vLLM, "Score API" of its OpenAI-compatible server.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from appliance.core.request import EncodeRequest, Priority, RequestId, TextPair
from appliance.errors import InvalidRequest

from .rows import Rows

MAX_PAIRS = 2048

Text = Annotated[str, Meta(min_length=1)]
Method = Literal["relevance", "cosine"]


class RankingFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that both endpoints know."""

    model: str | None = None
    user: Annotated[str, Meta(max_length=256)] | None = None
    priority: Priority | None = None
    deadline_s: Annotated[float, Meta(gt=0)] | None = None


class RerankRequest(RankingFields, frozen=True, kw_only=True):
    """The body of `POST /v1/rerank`. A document is a text, or an object with its `text`."""

    query: Text
    documents: Annotated[list[Text | dict[str, Any]], Meta(min_length=1)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool = False


class ScoreRequest(RankingFields, frozen=True, kw_only=True):
    """The body of `POST /v1/score`: one text against many, or as many against as many, pair by pair."""

    text_1: Text | Annotated[list[Text], Meta(min_length=1)]
    text_2: Text | Annotated[list[Text], Meta(min_length=1)]


class DocumentWire(msgspec.Struct, frozen=True):
    """A document as it was sent."""

    text: str


class RankWire(msgspec.Struct, frozen=True, kw_only=True):
    """One document of a ranking. `index` is its place in the request."""

    index: int
    relevance_score: float
    document: DocumentWire | UnsetType = UNSET


class RankingUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that were read, by the names of several APIs."""

    prompt_tokens: int
    total_tokens: int


class RerankWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `POST /v1/rerank`, the most relevant document first.

    `method` is ours: a `relevance` lies between 0 and 1 and comes from a model that read query and document together,
    a `cosine` between -1 and 1 from the embeddings of each.
    """

    id: str
    model: str
    results: list[RankWire]
    usage: RankingUsage
    method: Method
    object: str = "list"


class ScoreWire(msgspec.Struct, frozen=True, kw_only=True):
    """The score of one pair."""

    index: int
    score: float
    object: str = "score"


class ScoresWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `POST /v1/score`, in the order of the pairs; `method` as in a ranking."""

    id: str
    created: int
    model: str
    data: list[ScoreWire]
    usage: RankingUsage
    method: Method
    object: str = "list"


def rerank_to_core(wire: RerankRequest, id: RequestId, model: str) -> EncodeRequest:
    """Return the request. Raises: InvalidRequest, with the field."""
    documents = texts_of(wire)
    return _request(wire, id, model, [(wire.query, document) for document in documents], "documents")


def score_to_core(wire: ScoreRequest, id: RequestId, model: str) -> EncodeRequest:
    """Return the request. Raises: InvalidRequest, with the field."""
    firsts = [wire.text_1] if isinstance(wire.text_1, str) else wire.text_1
    seconds = [wire.text_2] if isinstance(wire.text_2, str) else wire.text_2
    if len(firsts) == 1:
        firsts = firsts * len(seconds)
    if len(firsts) != len(seconds):
        raise InvalidRequest(
            f"'text_1' holds {len(firsts)} texts and 'text_2' {len(seconds)}; send as many, or a single 'text_1'",
            param="text_2",
        )
    return _request(wire, id, model, list(zip(firsts, seconds, strict=True)), "text_2")


def texts_of(wire: RerankRequest) -> list[str]:
    """Return the texts of the documents. Raises: InvalidRequest, for an object without one."""
    texts = []
    for index, document in enumerate(wire.documents):
        text = document if isinstance(document, str) else document.get("text")
        if not isinstance(text, str) or not text:
            raise InvalidRequest(f"'documents[{index}]' has no 'text'", param=f"documents[{index}]")
        texts.append(text)
    return texts


def ranking(wire: RerankRequest, rows: Rows, id: RequestId, model: str) -> bytes:
    """Return the answer of `POST /v1/rerank` as JSON. Of equal scores the earlier document comes first."""
    scores, texts = rows.scores(), texts_of(wire)
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    results = [
        RankWire(
            index=index,
            relevance_score=scores[index],
            document=DocumentWire(texts[index]) if wire.return_documents else UNSET,
        )
        for index in order[: wire.top_n]
    ]
    return msgspec.json.encode(
        RerankWire(id=id, model=model, results=results, usage=_usage(rows), method=_method(rows))
    )


def scores(rows: Rows, id: RequestId, model: str, created_s: int) -> bytes:
    """Return the answer of `POST /v1/score` as JSON."""
    data = [ScoreWire(index=index, score=score) for index, score in enumerate(rows.scores())]
    return msgspec.json.encode(
        ScoresWire(id=id, created=created_s, model=model, data=data, usage=_usage(rows), method=_method(rows))
    )


def _request(wire: RankingFields, id: RequestId, model: str, pairs: list[tuple[str, str]], param: str) -> EncodeRequest:
    if len(pairs) > MAX_PAIRS:
        raise InvalidRequest(f"'{param}' holds {len(pairs)} texts; at most {MAX_PAIRS}", param=param)
    return EncodeRequest(
        id=id,
        model=model,
        task="score",
        inputs=tuple(TextPair(first=first, second=second) for first, second in pairs),
        priority=wire.priority or "normal",
        deadline_s=wire.deadline_s,
    )


def _usage(rows: Rows) -> RankingUsage:
    return RankingUsage(prompt_tokens=rows.num_prompt_tokens, total_tokens=rows.num_prompt_tokens)


def _method(rows: Rows) -> Method:
    return "cosine" if rows.kind == "cosine" else "relevance"
