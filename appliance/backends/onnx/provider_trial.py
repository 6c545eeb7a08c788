"""The child process that asks the library what it offers (`list`), or runs one token on a provider (`run NAME KIND`).

A driver that is broken may crash or hang, so nothing of it happens in a worker before it worked here.
"""

import argparse
import sys
from typing import Any

import msgspec
import numpy as np
import onnxruntime as native

from appliance.backends.onnx import trial_graphs
from appliance.backends.onnx.plug_ins import installed_plug_ins, register_plug_ins
from appliance.backends.onnx.providers import CPU, Offer, OfferedDevice
from appliance.backends.onnx.session import graph_shares, new_session, session_options

_TOLERANCE = 0.05  # half precision on a device


def look() -> Offer:
    """Return what this process's library and plug-ins offer."""
    problems = register_plug_ins(native)
    devices = [
        OfferedDevice(provider=device.ep_name, kind=device.device.type.name.lower())
        for device in native.get_ep_devices()
    ]
    return Offer(
        built_in=tuple(native.get_available_providers()),
        plug_ins=installed_plug_ins(),
        devices=tuple(devices),
        problems=problems,
    )


def run(provider: str, kind: str) -> None:
    """Compute a token on the provider and on the processor. Raises: ValueError, when it was not done, or done wrong."""
    model, inputs = trial_graphs.decoder() if kind == "decoder" else trial_graphs.encoder()
    session = _session(model, provider)
    shares = graph_shares(session)
    if shares.get(provider, 0) == 0:
        raise ValueError(f"{provider} took none of the nodes: {shares}")
    expected, got = (_output(made, inputs) for made in (_session(model, CPU), session))
    if not np.allclose(expected, got, atol=_TOLERANCE, rtol=_TOLERANCE):
        raise ValueError(f"{provider} computes something else than the processor does")


def _session(model: bytes, provider: str) -> Any:
    return new_session(model, session_options(1), provider)


def _output(session: Any, inputs: trial_graphs.Inputs) -> Any:
    return session.run(["y"], inputs)[0]


def main() -> None:
    """Do what the arguments say; what fails is said in the last line of standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list")
    trial = verbs.add_parser("run")
    trial.add_argument("provider")
    trial.add_argument("kind", choices=("decoder", "encoder"))
    arguments = parser.parse_args()
    try:
        if arguments.verb == "list":
            sys.stdout.buffer.write(msgspec.json.encode(look()))
        else:
            register_plug_ins(native)
            run(arguments.provider, arguments.kind)
    except Exception as error:  # the library's errors have no common class
        sys.stderr.write((" ".join(str(error).split()) or repr(error)) + "\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
