"""Numbers of this backend that the daemon and the worker share."""

DISTRIBUTION = "onnxruntime"
REQUIRED = (DISTRIBUTION, "onnx", "tokenizers")
# The same library with other providers built in, under the same import name: one of them takes its place.
VARIANTS = ("onnxruntime-gpu", "onnxruntime-migraphx", "onnxruntime-openvino", "onnxruntime-webgpu")
# Measured on two cores: prefill costs the same a token from 64 tokens on, and no step takes longer than it must.
CHUNK_TOKENS = 64
MAX_STEP_OUTPUTS = 64

KV_BYTES = {"f32": 4, "int8": 1}
"""The types of keys and values, and what a value takes; the first is the choice where nobody makes one."""
