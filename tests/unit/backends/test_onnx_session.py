"""A session is made of the provider that was chosen, or it is said which one serves instead."""

from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("onnxruntime", reason="the library is not installed")

from appliance.backends.onnx.provider_choice import Choice
from appliance.backends.onnx.providers import CPU
from appliance.backends.onnx.session import graph_shares, library_error, open_session
from appliance.backends.onnx.trial_graphs import encoder
from appliance.errors import BackendError, OutOfDeviceMemory

CUDA = "CUDAExecutionProvider"


def chosen(provider: str, policy: Literal["allow", "warn", "refuse"]) -> Choice:
    return Choice(provider=provider, policy=policy, reasons=("it ran a token",))


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "graph.onnx"
    path.write_bytes(encoder()[0])
    return path


def test_the_processor_computes_every_node_where_it_is_chosen(graph: Path, caplog: pytest.LogCaptureFixture) -> None:
    session = open_session(graph, None, 1, chosen(CPU, "refuse"))

    assert session.get_providers() == [CPU]
    assert set(graph_shares(session)) == {CPU}
    assert not caplog.records


def test_a_provider_that_fails_on_the_real_graph_is_replaced_only_aloud(
    graph: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = open_session(graph, None, 1, chosen(CUDA, "warn"))

    assert session.get_providers() == [CPU]
    assert "CUDA does not serve this model" in caplog.text and "has no device" in caplog.text


def test_a_provider_that_fails_on_the_real_graph_is_refused_where_the_setting_says_so(graph: Path) -> None:
    with pytest.raises(BackendError, match=r"has no device in this process.*it ran a token.*device_fallback"):
        open_session(graph, None, 1, chosen(CUDA, "refuse"))


def test_a_graph_that_no_provider_can_load_is_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"no graph")

    with pytest.raises(BackendError, match=r"graph\.onnx cannot be loaded"):
        open_session(path, None, 1, chosen(CUDA, "allow"))


def test_want_of_memory_is_an_error_of_its_own() -> None:
    assert isinstance(library_error("a step", RuntimeError("std::bad_alloc")), OutOfDeviceMemory)
    assert not isinstance(library_error("a step", RuntimeError("no such input")), OutOfDeviceMemory)
