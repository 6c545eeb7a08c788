"""Execution providers by the lists that other machines would show: planned, tried, and never replaced in silence."""

import logging
from typing import Any, Literal

import pytest

from appliance.backends.onnx import plug_ins
from appliance.backends.onnx.provider_choice import Choice, check_session, choose_provider, placed_on
from appliance.backends.onnx.providers import (
    CPU,
    ModelKind,
    Offer,
    OfferedDevice,
    ProviderPlan,
    full_name,
    plan_providers,
)
from appliance.core.devices import LoadedDevice
from appliance.core.hardware import Accelerator
from appliance.errors import BackendError

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
MIGRAPHX, OPENVINO = "MIGraphXExecutionProvider", "OpenVINOExecutionProvider"
QNN, WEBGPU = "QNNExecutionProvider", "WebGpuExecutionProvider"

PLAIN = Offer(built_in=("AzureExecutionProvider", CPU), devices=(OfferedDevice(provider=CPU, kind="cpu"),))
ON_CUDA = Offer(built_in=(TENSORRT, CUDA, CPU), devices=(OfferedDevice(provider=CPU, kind="cpu"),))
ON_MIGRAPHX = Offer(built_in=(MIGRAPHX, CPU))
ON_QNN = Offer(built_in=(CPU,), devices=(OfferedDevice(provider=QNN, kind="npu"),))


def openvino(*kinds: Literal["cpu", "gpu", "npu"]) -> Offer:
    """The plain library with the plug-in, which names a device of each kind that it found."""
    own = tuple(OfferedDevice(provider=OPENVINO, kind=kind) for kind in kinds)
    return Offer(built_in=PLAIN.built_in, devices=(*PLAIN.devices, *own))


def card(vendor: Any, kind: Literal["gpu", "npu"] = "gpu", driver: str | None = "driver") -> Accelerator:
    return Accelerator(
        id="pci:0000:01:00.0",
        kind=kind,
        vendor=vendor,
        name=f"the {vendor} {kind}",
        driver=driver,
        driver_version=None,
        architecture=None,
        memory_bytes=None,
        is_integrated=None,
    )


def plan(offer: Offer, *cards: Accelerator, kind: ModelKind = "encoder", preferred: str | None = None) -> ProviderPlan:
    return plan_providers(kind, cards, offer, preferred)


@pytest.mark.parametrize(
    ("offer", "cards", "order"),
    [
        (PLAIN, [], (CPU,)),
        (ON_CUDA, [card("nvidia")], (CUDA, TENSORRT, CPU)),
        (ON_MIGRAPHX, [card("amd")], (MIGRAPHX, CPU)),
        (openvino("cpu", "gpu"), [card("intel")], (OPENVINO, CPU)),
        (openvino("npu"), [card("intel", "npu")], (OPENVINO, CPU)),
        (ON_QNN, [card("qualcomm", "npu")], (QNN, CPU)),
        (Offer(built_in=(WEBGPU, CPU)), [card("amd")], (WEBGPU, CPU)),
        (ON_CUDA, [], (CPU,)),
        (ON_CUDA, [card("amd")], (CPU,)),
        (openvino("cpu"), [card("intel")], (CPU,)),
    ],
    ids=["cpu", "cuda", "migraphx", "openvino", "npu", "qnn", "webgpu", "no card", "another's card", "no own device"],
)
def test_an_encoder_goes_where_the_machine_and_the_library_agree(
    offer: Offer, cards: list[Accelerator], order: tuple[str, ...]
) -> None:
    made = plan(offer, *cards)

    assert made.order == order
    assert made.wanted == order[0]


def test_a_card_that_the_library_has_no_code_for_is_named_with_the_package_that_does() -> None:
    made = plan(PLAIN, card("nvidia"))

    assert made.order == (CPU,)
    assert any("onnxruntime-gpu" in reason for reason in made.reasons)


def test_a_plug_in_that_is_installed_and_finds_nothing_is_not_recommended_again() -> None:
    made = plan(Offer(built_in=PLAIN.built_in, plug_ins=("onnxruntime-ep-openvino",)), card("intel"))

    assert made.order == (CPU,)
    assert any("finds no device it can use" in reason for reason in made.reasons)


def test_a_card_without_a_driver_is_left_and_said_so() -> None:
    made = plan(ON_CUDA, card("nvidia", driver=None))

    assert made.order == (CPU,)
    assert any("the nvidia gpu has no driver" in reason for reason in made.reasons)


def test_a_decoder_stays_on_the_processor_because_its_cache_lies_there() -> None:
    made = plan(ON_CUDA, card("nvidia"), kind="decoder")

    assert (made.order, made.wanted) == ((CPU,), CPU)
    assert any("KV cache" in reason for reason in made.reasons)


def test_the_provider_that_is_set_comes_first_and_the_processor_alone_if_it_is_that() -> None:
    assert plan(ON_CUDA, card("nvidia"), preferred=TENSORRT).order == (TENSORRT, CUDA, CPU)
    assert plan(ON_CUDA, card("nvidia"), preferred=CPU).order == (CPU,)


def test_a_provider_that_is_set_stays_wanted_where_it_cannot_serve() -> None:
    made = plan(PLAIN, preferred=CUDA)

    assert (made.order, made.wanted) == ((CPU,), CUDA)
    assert any(reason.startswith("CUDA: this machine has no device") for reason in made.reasons)


def test_providers_go_by_short_names() -> None:
    assert [full_name(word) for word in ("auto", "cuda", "OpenVINO", "cpu", CUDA)] == [None, CUDA, OPENVINO, CPU, CUDA]
    with pytest.raises(BackendError, match="no execution provider 'gpu'; there are auto, cuda"):
        full_name("gpu")


class FakeTrials:
    """Offers a list; the providers in `broken` fail their run with that message."""

    def __init__(self, offer: Offer | None = None, **broken: str) -> None:
        self._offer, self._broken = offer, broken
        self.asked: list[str] = []

    def look(self) -> Offer:
        self.asked.append("look")
        if self._offer is None:
            raise BackendError("onnxruntime was ended by signal 11")
        return self._offer

    def run(self, provider: str, kind: ModelKind) -> None:
        self.asked.append(provider)
        if provider in self._broken:
            raise BackendError(self._broken[provider])


def test_a_provider_serves_after_it_ran_a_token() -> None:
    trials = FakeTrials(ON_CUDA)

    assert choose_provider("encoder", [card("nvidia")], "auto", "warn", trials).provider == CUDA
    assert trials.asked == ["look", CUDA]


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_a_plain_machine_starts_no_child(kind: ModelKind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.backends.onnx.provider_choice.installed_plug_ins", lambda: ())
    trials = FakeTrials(PLAIN)

    assert choose_provider(kind, [], "auto", "refuse", trials).provider == CPU
    assert choose_provider(kind, [card("nvidia")], "cpu", "refuse", trials).provider == CPU
    assert trials.asked == []


def test_a_broken_driver_falls_back_with_a_warning_that_says_why(caplog: pytest.LogCaptureFixture) -> None:
    trials = FakeTrials(ON_CUDA, **{CUDA: "CUDA driver version is insufficient", TENSORRT: "no libnvinfer"})
    choice = choose_provider("encoder", [card("nvidia")], "auto", "warn", trials)

    assert choice.provider == CPU
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "CUDA does not serve" in record.message and "driver version is insufficient" in record.message


def test_the_next_provider_of_the_plan_is_tried() -> None:
    trials = FakeTrials(ON_CUDA, **{CUDA: "broken"})

    assert choose_provider("encoder", [card("nvidia")], "auto", "allow", trials).provider == TENSORRT


def test_a_fallback_that_is_allowed_is_still_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    choose_provider("encoder", [card("nvidia")], "auto", "allow", FakeTrials(ON_CUDA, **{CUDA: "broken"}))

    assert [record.levelno for record in caplog.records] == [logging.INFO]


def test_a_fallback_is_refused_where_the_setting_says_so() -> None:
    trials = FakeTrials(ON_CUDA, **{CUDA: "broken", TENSORRT: "broken"})

    with pytest.raises(BackendError, match=r"CUDA does not serve.*broken.*engine\.device_fallback"):
        choose_provider("encoder", [card("nvidia")], "auto", "refuse", trials)


def test_a_decoder_for_which_a_gpu_is_set_is_refused_or_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BackendError, match="KV cache of this backend lies in main memory"):
        choose_provider("decoder", [card("nvidia")], "cuda", "refuse", FakeTrials(ON_CUDA))
    assert choose_provider("decoder", [card("nvidia")], "cuda", "warn", FakeTrials(ON_CUDA)).provider == CPU
    assert "main memory" in caplog.text


def test_a_library_that_crashes_when_it_is_asked_leaves_the_processor() -> None:
    choice = choose_provider("encoder", [card("nvidia")], "auto", "warn", FakeTrials(None))

    assert choice.provider == CPU
    assert any("signal 11" in reason for reason in choice.reasons)


def session_check(policy: Literal["allow", "warn", "refuse"], actual: list[str], **shares: int) -> None:
    check_session(Choice(provider=CUDA, policy=policy, reasons=("it ran a token",)), actual, shares)


def test_a_session_without_the_planned_provider_is_refused() -> None:
    session_check("refuse", [CUDA, CPU])
    with pytest.raises(BackendError, match="CUDA does not serve this model: the session has CPU"):
        session_check("refuse", [CPU])


def test_a_provider_that_leaves_most_of_the_graph_to_the_processor_does_not_serve(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session_check("refuse", [CUDA, CPU], **{CUDA: 90, CPU: 10})
    with pytest.raises(BackendError, match="90 of 100 nodes are computed elsewhere"):
        session_check("refuse", [CUDA, CPU], **{CUDA: 10, CPU: 90})
    session_check("warn", [CUDA, CPU], **{CUDA: 10, CPU: 90})
    assert "90 of 100 nodes" in caplog.text


class FakeLibrary:
    """Notes what is registered."""

    def __init__(self) -> None:
        self.registered: list[tuple[str, str]] = []

    def register_execution_provider_library(self, name: str, path: str) -> None:
        self.registered.append((name, path))


class FakeDistribution:
    def __init__(self, name: str) -> None:
        self.metadata = {"Name": name}


def test_plug_ins_are_found_by_their_distributions_and_registered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [FakeDistribution(name) for name in ("numpy", "onnxruntime", "onnxruntime_ep_openvino", "onnxruntime-ep-x")]
    monkeypatch.setattr(plug_ins, "distributions", lambda: found)
    monkeypatch.setattr(plug_ins, "_registered", {})

    class Module:
        @staticmethod
        def get_library_path() -> str:
            return "/somewhere/plug_in.so"

    def import_module(name: str) -> type[Module]:
        if name == "onnxruntime_ep_x":
            raise ImportError("libze_loader.so.1 is missing")
        return Module

    monkeypatch.setattr(plug_ins.importlib, "import_module", import_module)
    library = FakeLibrary()
    problems = [plug_ins.register_plug_ins(library) for _ in range(2)]

    assert library.registered == [("onnxruntime-ep-openvino", "/somewhere/plug_in.so")]
    assert problems == [("the plug-in onnxruntime-ep-x cannot be used: libze_loader.so.1 is missing",)] * 2


def test_where_a_session_computes_is_told_with_what_is_not_as_planned() -> None:
    trials = FakeTrials(ON_CUDA, **{CUDA: "broken", TENSORRT: "broken"})
    fell = choose_provider("encoder", [card("nvidia")], "auto", "warn", trials)
    assert placed_on(fell, [CPU]).device == "cpu"
    assert "CUDA does not serve" in (placed_on(fell, [CPU]).problem or "")
    on_cuda = Choice(provider=CUDA, policy="warn", reasons=())
    assert placed_on(on_cuda, [CUDA, CPU]) == LoadedDevice(device="cuda")
    assert "does not serve this model" in (placed_on(on_cuda, [CPU]).problem or "")
    assert placed_on(Choice(provider=CPU, policy="warn", reasons=()), [CPU]) == LoadedDevice()
