"""The GPUs that llama.cpp sees: found in its files, asked in a child, matched with what the probes saw."""

from pathlib import Path

import msgspec
import pytest

from appliance.backends.llama_cpp import gpus
from appliance.backends.llama_cpp.description import LlamaCppDescription
from appliance.backends.llama_cpp.gpu_build import hide_gpus, libraries_in
from appliance.backends.llama_cpp.gpus import described, find_gpus, try_gpu
from appliance.core.devices import EngineDevice
from appliance.errors import BackendError
from tests.fakes import machine
from tests.unit.backends.gpus import device, seen_on, snapshot_of

# As `device_job list` printed it through Mesa's software device.
CAPTURED = (
    b'[{"name":"Vulkan0","description":"llvmpipe (LLVM 15.0.6, 256 bits)","is_integrated":false,'
    b'"total_bytes":2147483648,"free_bytes":2147483648,"accelerator":null,"driver":null,"trial":null}]'
)


def test_a_build_for_gpus_is_known_by_its_libraries(tmp_path: Path) -> None:
    for name in ("libggml-cpu.so", "libggml-base.so.0", "libggml-vulkan.so.0.9.4", "ggml-cuda.dll"):
        (tmp_path / name).touch()
    assert libraries_in(tmp_path) == ("cuda", "vulkan")
    assert libraries_in(tmp_path / "none") == ()


def test_a_build_for_the_processor_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "gpu_libraries", tuple)
    monkeypatch.setattr(gpus, "ask_child", lambda *_: pytest.fail("a child was started"))
    assert find_gpus(snapshot_of("rtx-workstation").accelerators) == ((), None)


def test_without_code_for_a_gpu_none_has_to_be_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    environ: dict[str, str] = {}
    monkeypatch.setattr("appliance.backends.llama_cpp.gpu_build.gpu_libraries", tuple)
    hide_gpus(environ.__setitem__)
    assert environ == {}
    monkeypatch.setattr("appliance.backends.llama_cpp.gpu_build.gpu_libraries", lambda: ("cuda",))
    hide_gpus(environ.__setitem__)
    assert environ["CUDA_VISIBLE_DEVICES"] == "-1"


def test_what_the_child_prints_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "gpu_libraries", lambda: ("vulkan",))
    monkeypatch.setattr(gpus, "ask_child", lambda *_: CAPTURED)
    ((found,), _) = find_gpus(())
    assert (found.name, found.total_bytes, found.trial) == ("Vulkan0", 2**31, None)


def test_devices_are_those_of_the_snapshot_by_their_address_on_the_bus() -> None:
    first, second = seen_on("rtx-workstation")
    assert (first.accelerator, first.driver) == ("pci:0000:05:00.0", "nvidia 550.120")
    assert second.accelerator == "pci:0000:0a:00.0"


def test_a_single_device_without_an_address_is_the_single_gpu() -> None:
    (orin,) = seen_on("jetson-agx-orin")
    assert orin.accelerator == "platform:17000000.gpu"
    assert orin.is_integrated, "the snapshot knows that it shares main memory"


def test_a_card_that_the_library_has_code_for_and_does_not_see_is_a_problem() -> None:
    accelerators = snapshot_of("radeon-workstation").accelerators
    (unseen,) = described((), accelerators, ("vulkan",), None)
    assert unseen.name == "pci:0000:03:00.0"
    assert unseen.trial is not None and unseen.trial.problem is not None
    assert "does not see it through Vulkan, although the driver amdgpu 6.10.5 is there" in unseen.trial.problem
    assert "vulkaninfo --summary" in unseen.trial.problem


def test_a_card_of_another_maker_than_the_build_s_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert described((), snapshot_of("radeon-workstation").accelerators, ("cuda",), None) == ()
    assert described((), snapshot_of("core-ultra-laptop").accelerators, ("vulkan",), None) == (), "it is integrated"


def test_one_card_that_is_seen_does_not_hide_another_that_is_not() -> None:
    accelerators = snapshot_of("rtx-workstation").accelerators
    found = described((device("CUDA0", accelerator="pci:0000:05:00.0"),), accelerators, ("cuda",), None)
    assert [each.name for each in found] == ["CUDA0", "pci:0000:0a:00.0"]


def test_a_library_that_crashes_when_it_is_asked_leaves_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> bytes:
        raise BackendError("llama.cpp was ended by signal 11")

    monkeypatch.setattr(gpus, "gpu_libraries", lambda: ("cuda",))
    monkeypatch.setattr(gpus, "ask_child", crash)
    found, problem = find_gpus(snapshot_of("rtx-workstation").accelerators)
    assert problem == "llama.cpp was ended by signal 11"
    assert {each.trial and each.trial.problem for each in found} == {"llama.cpp was ended by signal 11"}
    assert try_gpu("CUDA0").problem == "llama.cpp was ended by signal 11"


def test_the_installed_library_lists_its_gpus_in_a_child() -> None:
    told = gpus.ask_child("llama.cpp", ("-m", "appliance.backends.llama_cpp.device_job", "list"), 60.0)
    assert isinstance(msgspec.json.decode(told, type=tuple[EngineDevice, ...]), tuple)


def test_a_trial_on_a_gpu_that_is_not_there_fails_with_words() -> None:
    assert "sees no Nothing7" in (try_gpu("Nothing7").problem or "")


def test_a_library_that_cannot_be_asked_is_a_drawback_even_where_no_gpu_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpus, "gpu_libraries", lambda: ("vulkan",))
    monkeypatch.setattr(gpus, "ask_child", lambda *_: b"no list")
    descriptor = LlamaCppDescription().descriptor(machine())
    assert (descriptor.state, descriptor.gpus) == ("ready", ())
    assert "cannot be asked for its GPUs" in (descriptor.drawback or "")
