"""Checks of GPUs and NPUs: a driver for each, an engine that can use it, and models that are computed there."""

from appliance.core.devices import EngineDevice
from appliance.core.doctor import Finding
from appliance.core.hardware import Accelerator
from appliance.ops.fallbacks import last_of_each

from .facts import Check, Facts, Outcome

# The package that holds NVIDIA's driver, by a word of the system's name.
_NVIDIA_DRIVERS = {
    "ubuntu": "ubuntu-drivers install",
    "debian": "apt-get install -y nvidia-driver",
    "fedora": "dnf install -y akmod-nvidia",
    "arch": "pacman -S --noconfirm nvidia",
}


def drivers(facts: Facts) -> Outcome:
    """Say which accelerators have no driver that could compute with them."""
    if facts.snapshot is None:
        return None
    system = (facts.snapshot.system.name or "").lower()
    findings = [_driver(facts, system, accelerator) for accelerator in facts.snapshot.accelerators]
    return tuple(finding for finding in findings if finding is not None)


def _driver(facts: Facts, system: str, accelerator: Accelerator) -> Finding | None:
    # A virtual screen or a chip of a maker that no engine knows would gain nothing from a driver.
    if accelerator.vendor == "other" or (accelerator.driver and accelerator.driver != "nouveau"):
        return None
    command = next((c for word, c in _NVIDIA_DRIVERS.items() if word in system), None)
    is_nvidia = accelerator.vendor == "nvidia"
    return Finding(
        check="accelerators.driver",
        state="note" if accelerator.is_integrated else "warning",
        title=f"{_name(accelerator)} has no driver that can compute",
        reason="the driver nouveau only shows pictures" if accelerator.driver else "no driver is bound to it",
        mend=facts.as_root(command) if command and is_nvidia else None,
    )


def engines(facts: Facts) -> Outcome:
    """Say which accelerators lie idle because no installed engine can use them."""
    if facts.snapshot is None:
        return None
    found = [a for a in facts.snapshot.accelerators if a.driver and a.vendor != "other"]
    devices = {device for engine in facts.engines for device in engine.descriptor.devices}
    if not found or devices - {"cpu"} or any(engine.descriptor.gpus for engine in facts.engines):
        return None
    could_gain = any(a.kind == "gpu" and a.is_integrated is False for a in found)
    return Finding(
        check="accelerators.engine",
        state="note",
        title=f"no installed engine can use {', '.join(map(_name, found))}",
        reason="models run on the processor"
        + ("; the installer compiles an engine for a GPU, once its toolkit is there" if could_gain else ""),
        mend=facts.install_command if could_gain else None,
    )


def devices(facts: Facts) -> Outcome:
    """Say which GPUs the engines use, and which they should use and cannot."""
    return tuple(_device(engine.descriptor.name, gpu) for engine in facts.engines for gpu in engine.descriptor.gpus)


def _device(engine: str, gpu: EngineDevice) -> Finding:
    problem = gpu.trial.problem if gpu.trial is not None else None
    verb = "can compute on" if problem is None else "cannot use"
    name = gpu.description if gpu.name == gpu.accelerator else f"{gpu.name} ({gpu.description})"
    return Finding(
        check="accelerators.device",
        state="ok" if problem is None else "warning",
        title=f"the engine {engine} {verb} {name}",
        reason=problem,
    )


def fallbacks(facts: Facts) -> Outcome:
    """Say which models were last computed elsewhere than planned."""
    return tuple(
        Finding(
            check="accelerators.fallback",
            state="warning",
            title=f"model {last.model!r} is computed on {last.device}, which was not planned",
            reason=last.problem,
            mend=f"appliance explain {last.model}",
        )
        for last in last_of_each(facts.fallbacks).values()
        if last.problem is not None
    )


def _name(accelerator: Accelerator) -> str:
    return f"the {accelerator.kind.upper()} {accelerator.name or accelerator.vendor}"


CHECKS: tuple[Check, ...] = (drivers, engines, devices, fallbacks)
