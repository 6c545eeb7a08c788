"""Export an encoder to ONNX: `encoder_export.py FOLDER GRAPH`. Runs in the conversion environment alone.

Pooling is left to whoever serves the graph, which knows it from the files beside the model.
"""

import sys

import torch
from transformers import AutoModel

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class _States(torch.nn.Module):  # type: ignore[misc]  # torch is not where types are checked
    """An encoder that returns the states of its tokens alone."""

    def __init__(self, model: torch.nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self._model, self._names = model, names

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return `(batch, num_tokens, width)`."""
        return self._model(**dict(zip(self._names, inputs, strict=True))).last_hidden_state


def main(source: str, graph: str) -> None:
    """Load the folder `source` and write `graph`."""
    model = AutoModel.from_pretrained(source, attn_implementation="eager", dtype=torch.float32, local_files_only=True)
    names = _INPUTS if getattr(model.config, "type_vocab_size", 0) > 1 else _INPUTS[:2]
    ids = torch.randint(5, min(1000, model.config.vocab_size), (2, 9))
    given = (ids, torch.ones_like(ids), torch.zeros_like(ids))[: len(names)]
    axes = {0: "batch_size", 1: "sequence_length"}
    torch.onnx.export(
        _States(model.eval(), names),
        given,
        graph,
        input_names=list(names),
        output_names=["last_hidden_state"],
        dynamic_axes=dict.fromkeys((*names, "last_hidden_state"), axes),
        opset_version=17,
        dynamo=False,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
