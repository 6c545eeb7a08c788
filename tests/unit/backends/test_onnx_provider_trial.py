"""The trial of a provider in a child process, on the one provider that every machine has."""

import pytest

pytest.importorskip("onnxruntime", reason="the library is not installed")

from appliance.backends.onnx.child import run_child
from appliance.backends.onnx.provider_choice import ChildTrials
from appliance.backends.onnx.provider_trial import run
from appliance.backends.onnx.providers import CPU
from appliance.errors import BackendError


def test_the_library_offers_the_processor() -> None:
    offer = ChildTrials().look()

    assert CPU in offer.built_in
    assert any(device.provider == CPU and device.kind == "cpu" for device in offer.devices)


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_the_processor_runs_a_token_of_either_kind(kind: str) -> None:
    run(CPU, kind)


def test_a_provider_that_is_not_there_says_so_instead_of_the_processor_serving() -> None:
    with pytest.raises(BackendError, match="CUDAExecutionProvider has no device"):
        ChildTrials().run("CUDAExecutionProvider", "encoder")


def test_a_child_that_hangs_is_left() -> None:
    with pytest.raises(BackendError, match="did not answer within"):
        run_child("appliance.backends.onnx.provider_trial", ("list",), 0.001)


def test_a_child_that_does_not_start_says_why() -> None:
    with pytest.raises(BackendError, match="No module named"):
        run_child("appliance.backends.onnx.nothing", (), 30)
