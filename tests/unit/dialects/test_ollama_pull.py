"""A pull in Ollama's words: which model a name means, and what is told of the job."""

import pytest

from appliance.core.jobs import Job, JobError, JobId, JobProgress
from appliance.core.pulls import CHECKING, COMPILING, KEEPING, LOOKING, PullModel
from appliance.dialects.ollama.care import StatusWire
from appliance.dialects.ollama.pull import PullNews, order_of
from appliance.errors import Conflict, InvalidRequest

DIGEST = "sha256:" + "ab" * 32


def job(text: str = "", **facts: object) -> Job:
    return Job(
        id=JobId("job-1"),
        kind="pull",
        arguments={},
        caller="local",
        created_s=1.0,
        state=facts.pop("state", "running"),  # type: ignore[arg-type]  # the facts are a dict
        error=facts.pop("error", None),  # type: ignore[arg-type]  # the facts are a dict
        progress=JobProgress(text=text, **facts),  # type: ignore[arg-type]  # the facts are a dict
    )


def fetching(done: float, total: float | None = 100.0) -> Job:
    return job("fetching x.gguf", done=done, total=total, unit="bytes", digest=DIGEST)


def told(*jobs: Job) -> list[StatusWire]:
    news = PullNews()
    return [line for each in jobs for line in news.lines(each)]


@pytest.mark.parametrize(
    ("name", "model", "called"),
    [
        ("llama3.2", "ollama:llama3.2", "llama3.2"),
        ("llama3.2:1b", "ollama:llama3.2:1b", "llama3.2:1b"),
        ("Acme/Heron:1B", "ollama:Acme/Heron:1B", "acme/heron:1b"),
        ("hf.co/Acme/Heron-GGUF:Q8_0", "hf.co/Acme/Heron-GGUF:Q8_0", "acme/heron-gguf:q8_0"),
        ("huggingface.co/acme/heron", "huggingface.co/acme/heron", "acme/heron"),
        ("box.lan:5000/library/heron:1b", "ollama:box.lan:5000/library/heron:1b", "heron:1b"),
        ("a/b/c/d", "ollama:a/b/c/d", None),
    ],
)
def test_a_name_means_what_ollama_pulls_by_it_and_stays_the_models_name(
    name: str, model: str, called: str | None
) -> None:
    assert order_of(name, is_in_catalogue=False, is_insecure=False) == PullModel(model=model, name=called)


def test_a_name_of_the_catalogue_means_that_and_only_a_named_registry_is_asked_without_encryption() -> None:
    assert order_of("heron", is_in_catalogue=True, is_insecure=True) == PullModel(model="heron")
    assert order_of("heron", is_in_catalogue=False, is_insecure=True).model == "ollama:heron"
    order = order_of("localhost:5000/library/heron", is_in_catalogue=False, is_insecure=True)
    assert order.model == "ollama:http://localhost:5000/library/heron"


def test_each_step_is_told_once_and_bytes_whenever_there_are_more() -> None:
    lines = told(
        job(state="queued"), job(LOOKING), fetching(0), fetching(40), fetching(40), job(CHECKING), job(KEEPING)
    )
    lines_after = told(fetching(40), job(COMPILING), job(COMPILING, done=0.5), job(COMPILING, state="done"))
    assert [(line.status, line.completed) for line in lines if line.digest] == [
        ("pulling abababababab", n) for n in (0, 40, 100)
    ]
    assert [line.status for line in lines if not line.digest] == [
        "pulling manifest",
        "verifying sha256 digest",
        "writing manifest",
    ]
    assert [line.status for line in lines_after][-3:] == ["verifying sha256 digest", "writing manifest", "success"]


def test_a_size_that_nobody_knows_is_left_out() -> None:
    assert not told(fetching(5, None))[-1].total


def test_a_pull_that_fails_or_is_given_up_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match=r"^pull model manifest: it is nowhere$"):
        told(job(state="failed", error=JobError(message="it is nowhere", kind="InvalidRequest")))
    with pytest.raises(Conflict, match="was cancelled"):
        told(job(state="cancelled"))
