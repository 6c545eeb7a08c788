"""Runs a program of this backend in a child process."""

from appliance.backends.children import ask_child


def run_child(program: str, arguments: tuple[str, ...], timeout_s: float) -> bytes:
    """Return what the module `program` printed. Raises: BackendError, when it fails, crashes or takes too long."""
    return ask_child("onnxruntime", ("-m", program, *arguments), timeout_s)
