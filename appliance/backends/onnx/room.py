"""What making an ONNX model takes of memory and disk, as it was measured."""

from appliance.backends.room import Room

# Measured on 0.5 billion parameters: the exporter's peak was 3.0 GB, of which 1 GB is its libraries.
_LIBRARIES_BYTES = 10**9
_EXPORT_BYTES_PER_PARAMETER = 4.5
# Measured on 0.1 billion: 8.0 for weights alone (floats packed for the processor beside the file's pages and the copy);
# 17 where the library's own tools quantize, which hold all floats more than once.
_CHECK_BYTES_PER_PARAMETER = {"weights": 8.5, "dynamic": 17.0, "static": 17.0}
_SIZE_BYTES_PER_PARAMETER = {"fp32": 4.0, "int8": 1.2, "int4": 0.75}
_FLOAT_BYTES = 4


def room_to_convert(num_parameters: int, precision: str) -> Room:
    """Return the room for the export or for the comparison, whichever takes more.

    On the disk lie the float model, the quantized one where one is made, and the store's copy of the last.
    """
    export = _LIBRARIES_BYTES + _EXPORT_BYTES_PER_PARAMETER * num_parameters
    if precision == "fp32":
        return Room(int(export), int(2 * _FLOAT_BYTES * num_parameters))
    check = room_to_quantize(num_parameters, precision, "weights")
    return Room(max(int(export), check.memory_bytes), check.disk_bytes + _FLOAT_BYTES * num_parameters)


def room_to_quantize(num_parameters: int, precision: str, method: str, graph_bytes: int = 0) -> Room:
    """Return the room for the comparison, and on the disk for the new model and the store's copy of it.

    All methods but `weights` first write the float weights once more. `graph_bytes` is the size of the graph's own
    file, which is in memory as a whole while it is worked on; it is small unless it holds the weights itself.
    """
    floats = 0 if method == "weights" else _FLOAT_BYTES * num_parameters
    made = _SIZE_BYTES_PER_PARAMETER[precision] * num_parameters
    memory_bytes = int(_CHECK_BYTES_PER_PARAMETER[method] * num_parameters) + graph_bytes
    return Room(memory_bytes, int(floats + 2 * made))
