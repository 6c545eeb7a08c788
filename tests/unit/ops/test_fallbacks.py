"""The record and the figures of models that are computed elsewhere than planned."""

from pathlib import Path

from appliance.core.devices import LoadedDevice
from appliance.core.events import ModelPlaced, ModelStateChanged
from appliance.ops.fallbacks import FallbackLog, read_fallbacks
from appliance.ops.metrics import Metrics


def placed(problem: str | None) -> ModelPlaced:
    device = "Vulkan0" if problem is None else "cpu"
    return ModelPlaced(model="qwen3:latest", planned="Vulkan0", placed=LoadedDevice(device=device, problem=problem))


def test_a_load_elsewhere_is_written_down_and_so_is_its_end(tmp_path: Path) -> None:
    log = FallbackLog(tmp_path, lambda: 5.0)
    log.observe(placed(None))
    assert read_fallbacks(tmp_path) == (), "all was well"
    for problem in ("it hung", None, None):
        log.observe(placed(problem))
    log.observe(ModelStateChanged(model="qwen3:latest", state="ready", reason=""))
    assert [(each.device, each.problem) for each in read_fallbacks(tmp_path)] == [("cpu", "it hung"), ("Vulkan0", None)]


def test_metrics_raise_an_alarm_for_as_long_as_the_model_stays_there() -> None:
    metrics = Metrics()
    labels = '{device="cpu",model="qwen3:latest",planned="Vulkan0"}'
    metrics.observe(placed("it hung"))
    assert f"appliance_device_fallback{labels} 1.0" in metrics.render().decode()
    assert 'appliance_num_device_fallbacks_total{model="qwen3:latest"} 1.0' in metrics.render().decode()
    metrics.observe(ModelStateChanged(model="qwen3:latest", state="stopped", reason=""))
    assert f"appliance_device_fallback{labels} 0.0" in metrics.render().decode()
    metrics.observe(placed(None))
    assert 'appliance_num_device_fallbacks_total{model="qwen3:latest"} 1.0' in metrics.render().decode()
