"""Near questions through a real daemon: answered from the cache where they mean the same, and where all else is equal.

The model that compares them is tiny: it knows sixteen words, and takes the same words in another order for the same.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bert import random_bert, write_bert_gguf
from tests.commands import printed
from tests.conftest import RealDaemon, running_daemon
from tests.shapes import write_shape

THRESHOLD = 0.97
QUESTION = "the cat sat on the mat"
PARAPHRASE = "on the mat the cat sat"
OTHER = "the dog runs fast"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    folder = tmp_path_factory.mktemp("near")
    settings = {
        "APPLIANCE_CACHE__SEMANTIC_MODEL": "ear",
        "APPLIANCE_CACHE__SEMANTIC_THRESHOLD": str(THRESHOLD),
    }
    write_bert_gguf(folder / "ear.gguf", random_bert())
    write_shape(folder / "tiny.gguf")
    with running_daemon(folder / "home", **settings) as daemon:
        for name in ("ear", "tiny"):
            list(daemon.client.add_model(str(folder / f"{name}.gguf")))
        yield daemon


@pytest.fixture
def http(daemon: RealDaemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=daemon.url, trust_env=False, timeout=60) as http:
        http.delete("/admin/v1/cache").raise_for_status()
        yield http


def ask(http: httpx.Client, question: str, **fields: Any) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": 4}
    return http.post("/v1/chat/completions", json=body | fields).raise_for_status()


def outcome(answer: httpx.Response) -> tuple[str, bool]:
    """Return where an answer comes from, and whether it is that to a near question."""
    return answer.headers["x-cache"], "x-cache-similarity" in answer.headers


def test_a_paraphrase_is_answered_from_the_cache_which_says_how_near_it_is(http: httpx.Client) -> None:
    first, near = ask(http, QUESTION), ask(http, PARAPHRASE)
    assert (outcome(first), outcome(near)) == (("miss", False), ("hit", True))
    assert THRESHOLD <= float(near.headers["x-cache-similarity"]) < 1
    assert near.json()["choices"] == first.json()["choices"]
    assert outcome(ask(http, QUESTION)) == ("hit", False)


def test_another_question_is_computed(http: httpx.Client) -> None:
    ask(http, QUESTION)
    assert outcome(ask(http, OTHER)) == ("miss", False)


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "tiny"},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PARAPHRASE}]},
        {"tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]},
        {"max_tokens": 5},
        {"seed": 1, "temperature": 0.5},
    ],
    ids=["model", "system", "tools", "length", "sampling"],
)
def test_under_other_conditions_nothing_is_the_same(http: httpx.Client, fields: dict[str, Any]) -> None:
    ask(http, QUESTION)
    assert outcome(ask(http, PARAPHRASE, **fields)) == ("miss", False)


def test_numbers_make_it_another_question(http: httpx.Client) -> None:
    ask(http, f"{QUESTION} 7")
    assert outcome(ask(http, f"{PARAPHRASE} 8")) == ("miss", False)
    assert outcome(ask(http, f"{PARAPHRASE} 7")) == ("hit", True)


def test_near_questions_outlive_the_daemon(tmp_path: Path) -> None:
    write_bert_gguf(tmp_path / "ear.gguf", random_bert())
    settings = {"APPLIANCE_CACHE__SEMANTIC_MODEL": "ear", "APPLIANCE_CACHE__SEMANTIC_THRESHOLD": str(THRESHOLD)}
    found = []
    for question in (QUESTION, PARAPHRASE):
        with (
            running_daemon(tmp_path / "home", **settings) as daemon,
            httpx.Client(base_url=daemon.url, trust_env=False, timeout=60) as http,
        ):
            if not found:
                list(daemon.client.add_model(str(tmp_path / "ear.gguf")))
            found.append(outcome(ask(http, question)))
    assert found == [("miss", False), ("hit", True)]


def test_a_file_of_pairs_says_what_each_threshold_would_do(daemon: RealDaemon, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.txt"
    pairs.write_text(
        f"{QUESTION}\t{PARAPHRASE}\tsame\nthe sun is warm\tis the sun warm\tsame\n{QUESTION}\t{OTHER}\tdifferent\n"
    )
    table = printed(daemon, "cache", "evaluate", str(pairs), "--model", "ear")
    rows = {line.split()[0]: line.split()[1:3] for line in table.splitlines()}
    assert rows["0.90"] == ["100%", "100%"] and rows["0.97"][1] == "0%"
    assert 'semantic_model = "ear"' in table
