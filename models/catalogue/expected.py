"""What the file of a model of the catalogue will say, before it is here: counted, and where not, estimated."""

from math import log

from models.catalogue.catalogue import CatalogueModel, CatalogueSource, Shape
from models.manifest import ModelDetails

# Bits of a weight, of a whole file: the types of its layers differ. Source: llama.cpp, tools/quantize/README.md, as
# measured with Llama 3.1 8B; MXFP4 by its blocks, with embeddings in 8 bits as it is published.
BITS_PER_WEIGHT = {
    "Q2_K": 3.16,
    "Q3_K_M": 4.0,
    "Q4_0": 4.67,
    "Q4_K_S": 4.67,
    "Q4_K_M": 4.89,
    "Q5_K_M": 5.70,
    "Q6_K": 6.56,
    "Q8_0": 8.5,
    "MXFP4": 4.6,
    "F16": 16.0,
    "BF16": 16.0,
    "F32": 32.0,
}
_USUAL_BITS = 4.89
_GRAPH_BITS = 8.0  # what is chosen of the graphs of an encoder for a processor

# The shapes that stand in for one that nobody has read: usual ones, by the size that they belong to.
_USUAL_SHAPES = (
    (0.03e9, (6, 12, 12, 32, 384, 1536, 30_522)),
    (0.12e9, (12, 12, 12, 32, 384, 1536, 250_000)),
    (0.3e9, (12, 12, 12, 64, 768, 3072, 250_000)),
    (0.6e9, (28, 16, 8, 128, 1024, 3072, 151_936)),
    (1.7e9, (28, 16, 8, 128, 2048, 6144, 151_936)),
    (4e9, (36, 32, 8, 128, 2560, 9728, 151_936)),
    (8e9, (36, 32, 8, 128, 4096, 12_288, 151_936)),
    (14e9, (40, 40, 8, 128, 5120, 17_408, 151_936)),
    (32e9, (64, 64, 8, 128, 5120, 25_600, 151_936)),
    (70e9, (80, 64, 8, 128, 8192, 28_672, 128_256)),
)


def expected_details(
    model: CatalogueModel, source: CatalogueSource, quantization: str | None
) -> tuple[ModelDetails, tuple[str, ...]]:
    """Return what decides memory and speed, and a sentence for each part that is an estimate."""
    shape, notes = model.shape, []
    if shape is None:
        shape = _usual_shape(model.num_active_parameters or model.num_parameters)
        notes.append("its shape is not known here: the memory of its context is that of a usual model of its size")
    weights_bytes = source.files[quantization].size_bytes if quantization in source.files else None
    if weights_bytes is None:
        bits = (
            _GRAPH_BITS if source.format == "onnx" else BITS_PER_WEIGHT.get((quantization or "").upper(), _USUAL_BITS)
        )
        weights_bytes = int(model.num_parameters * bits / 8)
        notes.append(f"the size of its weights is counted: {model.num_parameters / 1e9:.2f}B parameters at {bits} bits")
    num_kv_layers = shape.num_kv_layers or shape.num_layers
    details = ModelDetails(
        name=model.title,
        licence=model.licence,
        num_parameters=model.num_parameters,
        quantization=quantization,
        weights_bytes=weights_bytes,
        loaded_bytes=weights_bytes,
        context_length_tokens=model.context_length_tokens,
        embedding_length=shape.embedding_length,
        num_layers=shape.num_layers,
        num_heads=shape.num_heads,
        num_kv_heads=shape.num_kv_heads,
        total_kv_heads=num_kv_layers * shape.num_kv_heads,
        key_length=shape.head_length,
        value_length=shape.head_length,
        feed_forward_length=shape.feed_forward_length,
        vocab_size=shape.vocab_size,
        has_chat_template="chat" in model.capabilities,
        is_embedding="embedding" in model.capabilities,
        num_labels=1 if "rerank" in model.capabilities else None,
        is_transcriber="transcription" in model.capabilities,
    )
    return details, tuple(notes)


def _usual_shape(num_parameters: int) -> Shape:
    """Return the shape of the size that is nearest, as sizes are compared: by their ratio."""
    _, numbers = min(_USUAL_SHAPES, key=lambda row: abs(log(row[0] / num_parameters)))
    layers, heads, kv_heads, head_length, embedding, feed_forward, vocab = numbers
    return Shape(
        num_layers=layers,
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_length=head_length,
        embedding_length=embedding,
        feed_forward_length=feed_forward,
        vocab_size=vocab,
    )
