"""What `appliance kernels` shows and asks for."""

import msgspec

from appliance.core.jobs import JobNews
from appliance.core.kernels import CleanedKernels, CompiledModel, CompiledModels, KernelSpeed
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, Reply
from tests.unit.cli.test_jobs import DONE

KERNELS = "/admin/v1/kernels"
CURRENT = CompiledModel(
    models=("qwen", "mine"),
    instruction_set="avx512_vnni",
    compiler="0.27",
    kernels="abc",
    size_bytes=2**20,
    is_current=True,
    num_tuned=2,
    speed=KernelSpeed(prefill_tokens_per_s=1547.3, decode_tokens_per_s=95.96, decode_8_tokens_per_s=458),
)
OLD = msgspec.structs.replace(CURRENT, models=("qwen",), kernels="old", is_current=False, num_tuned=0, speed=None)


def follow(daemon: FakeDaemon, path: str, note: str) -> None:
    ended = msgspec.structs.replace(DONE, kind="compile", result={"model": "qwen", "note": note})
    daemon.reply("POST", path, ended)
    event = b"data: %b\n\n" % msgspec.json.encode(JobNews(job=ended))
    daemon.replies["GET", "/admin/v1/jobs/job-1?follow=true"] = Reply([event])


def test_what_is_compiled_is_listed_with_its_speed_and_what_is_old(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", KERNELS, CompiledModels(compiled=(CURRENT, OLD)))

    rows = [line.split() for line in appliance("kernels", "list").out.splitlines()]

    assert rows[1][:5] == ["qwen", "mine", "avx512_vnni", "abc", "0.27"]
    assert rows[1][5:] == ["1.0", "MiB", "1547/s", "96.0/s", "458/s", "2", "tuned"]
    assert rows[2] == ["qwen", "avx512_vnni", "old", "0.27", "1.0", "MiB", "-", "-", "-", "old"]
    assert appliance("kernels", "list", "--json").json == msgspec.json.decode(msgspec.json.encode([CURRENT, OLD]))


def test_where_nothing_is_compiled_the_list_says_what_to_do(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", KERNELS, CompiledModels(compiled=()))

    assert "appliance kernels compile NAME" in appliance("kernels", "list").out


def test_compiling_is_a_job_that_is_followed_to_what_it_cost(appliance: Command, daemon: FakeDaemon) -> None:
    follow(daemon, "/admin/v1/models/compile", "its weights were quantized anew")

    result = appliance("kernels", "compile", "qwen", "--bits", "4")

    assert result.code == 0
    assert result.out.endswith("its weights were quantized anew\n")
    assert daemon.last("POST", "/admin/v1/models/compile").body == {"model": "qwen", "bits": 4}


def test_tuning_is_of_one_model_or_of_all(appliance: Command, daemon: FakeDaemon) -> None:
    follow(daemon, f"{KERNELS}/tune", "1 of 5")

    assert appliance("kernels", "tune", "qwen").out.endswith("1 of 5\n")
    assert daemon.last("POST", f"{KERNELS}/tune").body == {"model": "qwen"}
    assert appliance("kernels", "tune").code == 0
    assert daemon.last("POST", f"{KERNELS}/tune").body == {"model": None}


def test_tuning_that_is_refused_says_why(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.refuse("POST", f"{KERNELS}/tune", 409, "models are answering now", "conflict")

    result = appliance("kernels", "tune")

    assert result.code != 0
    assert "models are answering now" in result.err


def test_cleaning_tells_what_it_freed(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("DELETE", KERNELS, CleanedKernels(num_removed=1, freed_bytes=2**20))
    assert appliance("kernels", "clean").out == "1.0 MiB freed\n"
    daemon.reply("DELETE", KERNELS, CleanedKernels(num_removed=0, freed_bytes=0))
    assert appliance("kernels", "clean").out == "there is nothing that is not used\n"
