"""ONNX models through onnxruntime: decoders over rows of KV cache, encoders by length."""
