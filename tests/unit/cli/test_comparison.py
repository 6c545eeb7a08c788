"""The table of several types of one model, as the command line shows it, and the orders that lead to it."""

from typing import Any

import msgspec
import pytest

from appliance.cli.comparison import comparison_of, comparison_text
from appliance.core.admin import ModelLoss
from appliance.core.jobs import Job, JobId, JobNews
from appliance.core.quantized import Comparison, KeptModels, MeasuredType
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, Reply

LOSS = ModelLoss(
    num_samples=2024,
    loss_ratio=0.0248,
    method="Q6_K (50 Q6_K)",
    kl_mean=0.0245,
    kl_p99=0.233,
    top1_agreement_ratio=0.911,
)
ROWS = (
    MeasuredType(type="F16", size_bytes=13_270_432, prefill_tokens_per_s=7371.2, decode_tokens_per_s=1405.0),
    MeasuredType(
        type="Q6_K",
        size_bytes=5_539_232,
        prefill_tokens_per_s=5116.0,
        decode_tokens_per_s=55.52,
        quality=LOSS,
        model="guide-q6_k",
    ),
    MeasuredType(type="Q2_K", problem="llama.cpp cannot quantize it", is_within=False),
)
COMPARISON = Comparison(model="guide", rows=ROWS, recommended="Q6_K", reason="Q6_K is the smallest", num_threads=2)


def job(result: object = None) -> Job:
    return Job(
        id=JobId("job-1"),
        kind="quantize",
        arguments={},
        caller="me",
        created_s=0.0,
        state="done",
        result=None if result is None else msgspec.to_builtins(result),
    )


def test_the_table_tells_size_quality_and_speed() -> None:
    assert comparison_text(COMPARISON).splitlines() == [
        "TYPE      SIZE  LOSS  DIVERGENCE   99 %  SAME CHOICE  PROMPT/s  TOKENS/s",
        "F16   12.7 MiB     -           -      -            -     7,371     1,405  the original",
        "Q6_K   5.3 MiB  2.5%      0.0245  0.233        91.1%     5,116      55.5  kept as guide-q6_k, recommended",
        "Q2_K         -     -           -      -            -         -         -  llama.cpp cannot quantize it",
        "Q6_K is the smallest",
    ]


def test_speeds_that_were_disturbed_and_rows_that_do_not_divide_are_said() -> None:
    method = "Q4_K_M (15 Q5_0); 15 of 15 have rows that do not divide into 256 and became Q5_0"
    odd = msgspec.structs.replace(ROWS[1], quality=msgspec.structs.replace(LOSS, method=method), is_disturbed=True)
    lines = comparison_text(msgspec.structs.replace(COMPARISON, rows=(ROWS[0], odd))).splitlines()

    assert lines[2].endswith("recommended, disturbed")
    assert lines[3] == method
    assert lines[4].startswith("disturbed: other programs were at work")


def test_a_job_has_a_table_or_none() -> None:
    assert comparison_of(job(COMPARISON)) == COMPARISON
    assert comparison_of(job(KeptModels(models=("guide-q6_k",), comparison=COMPARISON))) == COMPARISON
    assert comparison_of(job({"model": "guide-int4", "quality": None})) is None
    assert comparison_of(job()) is None


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (["compare", "mine"], "evaluate", {"model": "mine", "to": ["all"], "force": False}),
        (["compare", "mine", "--to", "Q8_0, q4_0"], "evaluate", {"to": ["Q8_0", "q4_0"]}),
        (["quantize", "mine", "--to", "Q8_0,Q6_K"], "quantize", {"to": ["Q8_0", "Q6_K"], "method": None}),
        (["quantize", "mine"], "quantize", {"to": [], "is_symmetric": None, "block_size": None}),
        (["quantize", "mine", "--to", "int4", "--symmetric"], "quantize", {"to": ["int4"], "is_symmetric": True}),
        (["convert", "/floats", "--to", "gguf"], "convert", {"model": "/floats", "to": "gguf", "precision": None}),
        (["convert", "/floats", "--precision", "Q8_0"], "convert", {"to": None, "precision": "Q8_0"}),
    ],
)
def test_words_become_an_order(
    words: list[str], kind: str, says: dict[str, Any], appliance: Command, daemon: FakeDaemon
) -> None:
    daemon.reply("POST", "/admin/v1/jobs", job())
    event = b"data: %b\n\n" % msgspec.json.encode(JobNews(job=job(COMPARISON)))
    daemon.replies["GET", "/admin/v1/jobs/job-1?follow=true"] = Reply([event])

    result = appliance("models", *words)

    body = next(asked.body for asked in daemon.asked if asked.method == "POST")
    assert body["kind"] == kind
    assert body["arguments"].items() >= says.items()
    assert result.code == 0
    assert "Q6_K is the smallest" in result.out


@pytest.mark.parametrize(
    "words", [["convert", "/floats", "--to", "safetensors"], ["convert", "/floats", "--to", "zip"]]
)
def test_only_what_can_be_made_is_offered(words: list[str], appliance: Command) -> None:
    assert appliance("models", *words).code == 2
