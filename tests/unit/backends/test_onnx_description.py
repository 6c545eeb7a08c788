"""What the daemon is told of onnxruntime, by what is installed."""

import pytest

from appliance.backends.onnx import description
from appliance.backends.onnx.description import OnnxDescription
from appliance.core.plan import BackendDescriptor
from tests.fakes import machine


def described(monkeypatch: pytest.MonkeyPatch, *plug_ins: str, **installed: str) -> BackendDescriptor:
    """Describe a machine with these distributions; an underline stands for a dash."""
    versions = {name.replace("_", "-"): version for name, version in installed.items()}

    monkeypatch.setattr(description, "installed_version", versions.get)
    monkeypatch.setattr(description, "installed_plug_ins", lambda: plug_ins)
    return OnnxDescription().descriptor(machine())


def test_the_plain_library_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    told = described(monkeypatch, onnxruntime="1.31.1", onnx="1.23", tokenizers="0.23")

    assert (told.state, told.message, told.version) == ("ready", "onnxruntime 1.31.1", "1.31.1")


def test_the_library_for_gpus_serves_in_its_place_and_plug_ins_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told = described(monkeypatch, "ep-x", "ep-y", onnxruntime_gpu="1.31.1", onnx="1.23", tokenizers="0.23")

    assert (told.state, told.message) == ("ready", "onnxruntime-gpu 1.31.1 with ep-x and ep-y")


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = described(monkeypatch, tokenizers="0.23")

    assert (told.state, told.message, told.version) == ("unavailable", "onnxruntime and onnx missing", None)
    assert (told.mend or "").endswith("-m pip install onnxruntime onnx")
