"""The inputs that a prepared decoder has besides those of its exporter."""

SEQLENS = "seqlens_k"  # (batch,) int32: the last position of each row
TOTAL = "total_sequence_length"  # () int32: the length of the longest row
OUTPUT_INDICES = "output_indices"  # (num_outputs,) int64: the tokens of a row whose logits are wanted
