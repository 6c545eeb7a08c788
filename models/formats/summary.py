"""Condense the head of a GGUF file into the details of a manifest."""

from models.formats.gguf import ArrayInfo, GGUFFile, element_count
from models.manifest import ModelDetails

# Source: llama.h, enum llama_ftype. Numbers that are missing here were withdrawn upstream.
FILE_TYPES: dict[int, str] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
    39: "NVFP4",
    40: "Q1_0",
}
FILE_TYPE_NUMBERS = {name: number for number, name in FILE_TYPES.items()}
_POOLING_RANK = 4  # llama.h, enum llama_pooling_type; 0 is none


def summarize_gguf(first: GGUFFile, *further_shards: GGUFFile) -> ModelDetails:
    """Return the details of a model; the metadata of a split model stands in its first shard."""
    tensors = [tensor for file in (first, *further_shards) for tensor in file.tensors]
    keys = _Keys(first)
    num_layers, num_heads = keys.number("block_count"), keys.number("attention.head_count")
    num_kv_heads = keys.number("attention.head_count_kv") or num_heads
    head_length = _head_length(keys.number("embedding_length"), num_heads)
    pooling = keys.number("pooling_type")
    return ModelDetails(
        architecture=keys.architecture,
        name=keys.text("general.name"),
        licence=keys.text("general.license"),
        num_parameters=sum(element_count(tensor) for tensor in tensors),
        quantization=keys.quantization(),
        weights_bytes=sum(tensor.size_bytes for tensor in tensors),
        context_length_tokens=keys.number("context_length"),
        embedding_length=keys.number("embedding_length"),
        num_layers=num_layers,
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        total_kv_heads=keys.total("attention.head_count_kv") or _product(num_layers, num_kv_heads),
        key_length=keys.number("attention.key_length") or head_length,
        value_length=keys.number("attention.value_length") or head_length,
        feed_forward_length=keys.number("feed_forward_length"),
        vocab_size=keys.number("vocab_size") or keys.length("tokenizer.ggml.tokens"),
        tokenizer=keys.text("tokenizer.ggml.model"),
        has_chat_template=keys.text("tokenizer.chat_template") is not None,
        is_embedding=pooling != _POOLING_RANK and (bool(pooling) or keys.is_encoder()),
        num_labels=(keys.length(keys.of("classifier.output_labels")) or 1) if pooling == _POOLING_RANK else None,
        num_experts=keys.number("expert_count"),
        num_experts_used=keys.number("expert_used_count"),
        sliding_window_tokens=keys.number("attention.sliding_window"),
    )


class _Keys:
    """Metadata by the names of the architecture; a value of the wrong type counts as unknown."""

    def __init__(self, file: GGUFFile) -> None:
        self._metadata = file.metadata
        self.architecture = self.text("general.architecture")

    def text(self, key: str) -> str | None:
        value = self._metadata.get(key)
        return value if isinstance(value, str) and value else None

    def of(self, key: str) -> str:
        """Return the whole name of a key of the architecture."""
        return f"{self.architecture}.{key}"

    def is_encoder(self) -> bool:
        """Return whether every token sees those after it, so that the model cannot write."""
        return self._metadata.get(self.of("attention.causal")) is False

    def quantization(self) -> str | None:
        file_type = _whole(self._metadata.get("general.file_type"))
        return None if file_type is None else FILE_TYPES.get(file_type)

    def number(self, key: str) -> int | None:
        """Return a number of the architecture; of one that differs between layers, the largest."""
        value = self._metadata.get(self.of(key))
        numbers = [_whole(each) or 0 for each in value] if isinstance(value, tuple) else []
        return max(numbers) if numbers else _whole(value)

    def total(self, key: str) -> int | None:
        """Return the sum over the layers of a number that is given for each."""
        value = self._metadata.get(self.of(key))
        return sum(_whole(each) or 0 for each in value) if isinstance(value, tuple) else None

    def length(self, key: str) -> int | None:
        value = self._metadata.get(key)
        if isinstance(value, ArrayInfo):
            return value.count
        return len(value) if isinstance(value, tuple) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _product(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left * right


def _head_length(embedding_length: int | None, num_heads: int | None) -> int | None:
    return embedding_length // num_heads if embedding_length and num_heads else None
