"""Orders to pull: however they are written, the same model is the same order."""

import pytest

from appliance.core.pulls import PullModel
from appliance.errors import InvalidRequest
from appliance.service.pull_order import PullSettings, checked_order, pull_settings
from appliance.settings import DownloadsSettings, ModelsSettings, Settings


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (PullModel(model="acme/heron-GGUF:Q8_0"), PullModel(model="hf:acme/heron-GGUF:Q8_0")),
        (PullModel(model="hf:acme/heron-GGUF", quantization="Q8_0"), PullModel(model="hf:acme/heron-GGUF:Q8_0")),
        (PullModel(model="https://hf.co/acme/heron-GGUF"), PullModel(model="hf:acme/heron-GGUF")),
        (PullModel(model="heron", quantization="q4_k_m"), PullModel(model="heron:q4_k_m")),
        (PullModel(model="ollama:heron"), PullModel(model="ollama:heron:latest")),
        (PullModel(model="/media/x.gguf", name="My/X:Latest"), PullModel(model="/media/x.gguf", name="my/x")),
        (PullModel(model="https://a.example/x.gguf?key=1#a"), PullModel(model="https://a.example/x.gguf?key=1#a")),
        (PullModel(model="heron", max_bytes_per_s=5000), PullModel(model="heron", max_bytes_per_s=5000)),
    ],
)
def test_an_order_has_one_form(order: PullModel, expected: PullModel) -> None:
    assert checked_order(order) == expected


@pytest.mark.parametrize(
    ("order", "message", "param"),
    [
        (PullModel(model="hf:acme"), "is no repository", "model"),
        (PullModel(model="x.gguf"), "whole path", "model"),
        (PullModel(model="heron", name="a b"), "is not a model name", "name"),
        (PullModel(model="hf:acme/heron:Q8_0", quantization="Q4_0"), "names one file already", "quantization"),
        (PullModel(model="ollama:heron:1b", quantization="Q4_0"), "names one file already", "quantization"),
    ],
)
def test_what_is_no_order_says_what_is_wrong(order: PullModel, message: str, param: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        checked_order(order)
    assert caught.value.param == param


def test_the_child_is_told_the_settings_that_matter_to_it() -> None:
    settings = Settings(
        downloads=DownloadsSettings(hugging_face_token="hush", connections=2, window="22:00-06:00"),
        models=ModelsSettings(allowed_licences=("mit",)),
    )
    told = pull_settings(settings, memory_bytes=10_000)
    assert (told.num_connections, told.window, told.allowed_licences) == (2, "22:00-06:00", ("mit",))
    assert (told.max_model_bytes, told.sources.hugging_face_token) == (7000, "hush")
    assert "hush" not in repr(told)
    assert PullSettings().sources.hugging_face_token is None
