"""The wheel of llama-cpp-python: what is said about a ready one, and when one made before is used again."""

import shutil
from pathlib import Path

import pytest

from tests.installer.sandbox import ROOT, Sandbox

SCRIPT = ROOT / "installer" / "llama_wheel.sh"
NAME = "llama_cpp_python-0.3.36-py3-none-linux_x86_64.whl"
PLAIN = "flags\t\t: fpu sse4_2 avx f16c avx2 bmi2 fma\n"
WITH_VNNI = "flags\t\t: fpu sse4_2 avx f16c avx2 bmi2 fma avx512f avx512_vnni amx_int8\n"


@pytest.fixture
def ready_wheel(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(b"")
    return path


def explain(sandbox: Sandbox, wheel: Path, cpuinfo: str) -> tuple[int, str]:
    file = sandbox.folder / "cpuinfo"
    file.write_text(cpuinfo)
    done = sandbox.run("sh", SCRIPT, "explain", wheel, file)
    return done.returncode, done.stdout


def made_for(wheel: Path, features: str) -> None:
    Path(f"{wheel}.cpu").write_text(f"lock x\nmachine Linux x86_64\noptions \nfeatures {features} \n")


def test_a_wheel_of_unknown_make_is_said_to_leave_unused_what_a_generic_build_has_no_use_for(
    sandbox: Sandbox, ready_wheel: Path
) -> None:
    status, said = explain(sandbox, ready_wheel, WITH_VNNI)
    assert status == 0
    assert "AVX512F, AVX512-VNNI, AMX-INT8." in said and "AVX2" not in said
    assert "Without --wheel the installer compiles one" in said


def test_on_a_processor_without_more_a_generic_wheel_loses_nothing(sandbox: Sandbox, ready_wheel: Path) -> None:
    status, said = explain(sandbox, ready_wheel, PLAIN)
    assert status == 0
    assert "uses all that this processor offers" in said


def test_a_wheel_that_was_compiled_for_this_processor_is_called_that(sandbox: Sandbox, ready_wheel: Path) -> None:
    made_for(ready_wheel, "avx avx2 f16c fma bmi2 avx512f avx512_vnni amx_int8")
    assert explain(sandbox, ready_wheel, WITH_VNNI) == (0, "This wheel was compiled for this processor.\n")


def test_a_wheel_that_this_processor_cannot_run_is_refused(sandbox: Sandbox, ready_wheel: Path) -> None:
    made_for(ready_wheel, "avx avx2 f16c fma bmi2 avx512f avx512_vnni")
    status, said = explain(sandbox, ready_wheel, PLAIN)
    assert status == 1
    assert "avx512f avx512_vnni, which this one lacks" in said


def test_a_wheel_made_before_is_found_only_while_lock_processor_and_options_are_the_same(
    sandbox: Sandbox, ready_wheel: Path
) -> None:
    assert sandbox.run("sh", SCRIPT, "find", ready_wheel.parent).returncode == 1, "it has no record"
    Path(f"{ready_wheel}.cpu").write_text(sandbox.run("sh", SCRIPT, "record").stdout)
    assert sandbox.run("sh", SCRIPT, "find", ready_wheel.parent).stdout == f"{ready_wheel}\n"
    other = sandbox.run("sh", SCRIPT, "find", ready_wheel.parent, CMAKE_ARGS="-DGGML_VULKAN=ON")
    assert other.returncode == 1, "it was compiled with other options"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_without_a_ready_wheel_one_is_compiled_and_kept_for_the_next_version(sandbox: Sandbox) -> None:
    for tool in ("cc", "c++", "gcc", "g++", "as", "ld", "ar", "ranlib", "make", "git"):
        if found := shutil.which(tool):
            (sandbox.tools / tool).symlink_to(found)
    code = sandbox.home / "code"
    done = sandbox.install("--prefix", code, "--no-start")
    assert done.returncode == 0, done.stdout
    assert "still compiling llama.cpp" in done.stdout
    kept = sandbox.run("sh", SCRIPT, "find", code / "wheels")
    assert kept.returncode == 0 and Path(kept.stdout.strip()).exists()
    assert explain(sandbox, Path(kept.stdout.strip()), Path("/proc/cpuinfo").read_text())[0] == 0
