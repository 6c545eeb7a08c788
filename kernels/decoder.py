"""A whole decoder of the Llama family as a compiled function, `step`, for prompts, single tokens and mixtures.

    step(ids, positions, slots, sequences, tables, tiles, folds, outputs, keys_and_values, turns, weights, logits)

    ids, positions, slots, sequences  (n,) int32      the tokens of the step, those of a sequence side by side
    tables   (b, max_pages) int32                     the pages of each sequence of the step
    tiles, folds                                      see `tiling.py`
    outputs  (m,) int32                               the tokens whose logits are wanted
    keys_and_values                                   a pair of page arrays for each layer, written in place:
                                                      see `paging.py`
    turns    (max_positions, 2, head_size / 2)        see `operators/rope.py`
    weights                                           as `weight_specs` lists them
    logits   (m, vocabulary) float32                  the result, written in place

A layer is eight kernels:

    x -> norm -> qkv -> rope, append -> attention -> quantize -> output (adds to x)
      -> norm -> gate and up -> SwiGLU -> down (adds to x)

Relax makes the calls, plans the memory between them and knows that x and the pages are written in place. A module has
a step for each type of keys and values, `step_f16` and `step_int8`, which share all other kernels.
"""

from collections.abc import Mapping
from typing import Any

import tvm
from tvm import relax
from tvm.tirx import PrimFunc, Var

from .instruction_sets import InstructionSet
from .operators.attention import paged_attention
from .operators.embedding import embedding
from .operators.gather import gather
from .operators.linear import Tile, default_tile, fitting, linear
from .operators.norm import rms_norm
from .operators.quantize import quantize
from .operators.rope import rope_append
from .operators.swiglu import swiglu
from .paging import KV_TYPES, KvType, key_shape, step_name, value_shape
from .quantization import GROUP
from .shape import MAX_STEP_OUTPUTS, MAX_STEP_TOKENS, DecoderShape, Matrix, MatrixShape, weight_specs


def decoder_module(
    shape: DecoderShape, instruction_set: InstructionSet, tiles: Mapping[MatrixShape, Tile] | None = None
) -> tvm.IRModule:
    """Return the module with all steps. `tiles` are for the matrices that have a better one than usual."""
    module = _Module()
    for kv_type in KV_TYPES:
        _Writer(module, shape, instruction_set, tiles or {}, kv_type).write()
    return module.builder.finalize()


class _Module:
    """What is written so far. Equal kernels are in it once."""

    def __init__(self) -> None:
        self.builder = relax.BlockBuilder()
        self._kernels: dict[PrimFunc, Any] = {}

    def kernel(self, operator: PrimFunc) -> Any:
        if operator not in self._kernels:
            name = f"{operator.attrs['global_symbol']}_{len(self._kernels)}"
            self._kernels[operator] = self.builder.add_func(operator.with_attr("global_symbol", name), name)
        return self._kernels[operator]


class _Writer:
    """Writes one step, call by call."""

    def __init__(
        self,
        module: _Module,
        shape: DecoderShape,
        instruction_set: InstructionSet,
        tiles: Mapping[MatrixShape, Tile],
        kv_type: KvType,
    ) -> None:
        self._shape, self._instruction_set, self._tuned = shape, instruction_set, tiles
        self._module, self._builder, self._kv_type = module, module.builder, kv_type
        self._n, self._m = Var("n", "int64"), Var("m", "int64")
        b, max_pages, num_tiles, num_folds, num_pages, max_positions = (
            Var(name, "int64") for name in ("b", "max_pages", "num_tiles", "num_folds", "num_pages", "max_positions")
        )
        heads, specs = shape.heads, weight_specs(shape)
        self._page_types = [
            _tensor((num_pages, heads.num_kv, page.rows, page.columns), page.dtype)
            for page in (key_shape(heads, kv_type), value_shape(heads, kv_type))
        ]
        self._places = {(spec.name, spec.layer): place for place, spec in enumerate(specs)}
        self._ids, self._positions, self._slots, self._sequences = (
            relax.Var(name, _tensor((self._n,), "int32")) for name in ("ids", "positions", "slots", "sequences")
        )
        self._tables = relax.Var("tables", _tensor((b, max_pages), "int32"))
        self._tiles = relax.Var("tiles", _tensor((num_tiles, 4), "int32"))
        self._folds = relax.Var("folds", _tensor((num_folds, 4), "int32"))
        self._outputs = relax.Var("outputs", _tensor((self._m,), "int32"))
        self._pages = relax.Var("keys_and_values", relax.TupleType(self._page_types * len(shape.layers)))
        self._turns = relax.Var("turns", _tensor((max_positions, 2, heads.size // 2), "float32"))
        self._weights = relax.Var("weights", relax.TupleType([_tensor(spec.shape, spec.dtype) for spec in specs]))
        self._logits = relax.Var("logits", _tensor((self._m, shape.matrix("head")[0]), "float32"))

    def write(self) -> None:
        tokens = [self._ids, self._positions, self._slots, self._sequences]
        where = [self._tables, self._tiles, self._folds, self._outputs]
        parameters = [*tokens, *where, self._pages, self._turns, self._weights, self._logits]
        bounds = {"n": MAX_STEP_TOKENS, "m": MAX_STEP_OUTPUTS}
        with self._builder.function(step_name(self._kv_type), parameters, attrs={"tir_var_upper_bound": bounds}):
            with self._builder.dataflow():
                x = self._embedded()
                for layer in range(len(self._shape.layers)):
                    x = self._layer(x, layer)
                last = self._call(gather(self._shape.width), [x, self._outputs], [self._rows(self._m)])
                last = self._norm("final_norm", None, last, self._m)
                logits = self._linear("head", None, last, self._m, into=self._logits, accumulates=False)
                result = self._builder.emit_output(logits)
            self._builder.emit_func_output(result)

    def _embedded(self) -> Any:
        name: Matrix = "head" if self._shape.embedding_bits is None else "embedding"
        operator = embedding(self._instruction_set, *self._shape.matrix(name))
        return self._call(operator, [self._ids, *self._matrix(name, None)], [self._rows(self._n)])

    def _layer(self, x: Any, layer: int) -> Any:
        qkv = self._linear("qkv", layer, self._norm("attention_norm", layer, x, self._n), self._n)
        attended = self._attention(qkv, layer)
        width = self._shape.heads.attended
        x = self._linear("output", layer, self._quantized(quantize(width), width, [attended], self._n), self._n, into=x)
        gate_up = self._linear("gate_up", layer, self._norm("feed_forward_norm", layer, x, self._n), self._n)
        width = self._shape.feed_forward
        return self._linear("down", layer, self._quantized(swiglu(width), width, [gate_up], self._n), self._n, into=x)

    def _attention(self, qkv: Any, layer: int) -> Any:
        heads = self._shape.heads
        pages = [self._builder.emit(relax.TupleGetItem(self._pages, 2 * layer + i)) for i in range(2)]
        result = _tensor((self._n, heads.attended), "float32")
        biased = [qkv, self._weight("qkv_bias", layer), self._weight("head_norms", layer), self._turns]
        arguments = [*biased, self._positions, self._slots, *pages]
        places = [len(arguments) - 2, len(arguments) - 1, -1]
        rope = rope_append(heads, self._kv_type)
        *pages, queries = self._call(rope, arguments, [*self._page_types, result], in_place=places)
        attention = paged_attention(heads, self._instruction_set, self._kv_type)
        whose = [self._tables, self._sequences, self._positions, self._tiles, self._folds]
        return self._call(attention, [queries, *pages, *whose], [result])

    def _norm(self, name: str, layer: int | None, x: Any, num_rows: Any) -> Any:
        operator = rms_norm(self._shape.width, self._shape.norm_epsilon)
        return self._quantized(operator, self._shape.width, [x, self._weight(name, layer)], num_rows)

    def _linear(
        self, name: Matrix, layer: int | None, quantized: Any, num_rows: Any, into: Any = None, accumulates: bool = True
    ) -> Any:
        """Return a product: a new one or, `into` an array, added to it or put in its place."""
        shape = self._shape.matrix(name, layer)
        num_outputs, usual = shape.num_outputs, default_tile(self._instruction_set)
        tile = fitting(self._tuned.get(shape, usual), num_outputs)
        adds = into is not None and accumulates
        operator = linear(self._instruction_set, *shape, tile, accumulates=adds)
        result = _tensor((num_rows, num_outputs), "float32")
        arguments = [*self._matrix(name, layer), *quantized]
        if into is None:
            return self._call(operator, arguments, [result])
        return self._call(operator, [*arguments, into], [result], in_place=[len(arguments)])

    def _quantized(self, operator: PrimFunc, width: int, arguments: list[Any], num_rows: Any) -> Any:
        groups = width // GROUP
        types = [
            _tensor((num_rows, size), dtype)
            for size, dtype in ((width, "int8"), (groups, "float32"), (groups, "int32"))
        ]
        return self._call(operator, arguments, types)

    def _call(
        self, operator: PrimFunc, arguments: list[Any], types: list[Any], in_place: list[int] | None = None
    ) -> Any:
        """Return what a kernel gives: one variable, or a list of them."""
        function, out = self._module.kernel(operator), types[0] if len(types) == 1 else types
        if in_place is None:
            call = relax.call_tir(function, relax.Tuple(arguments), out)
        else:
            call = relax.op.call_tir_inplace(function, relax.Tuple(arguments), in_place, out)
        result = self._builder.emit(call)
        if len(types) == 1:
            return result
        return [self._builder.emit(relax.TupleGetItem(result, i)) for i in range(len(types))]

    def _matrix(self, name: Matrix, layer: int | None) -> list[Any]:
        return [self._weight(f"{name}_{part}", layer) for part in ("codes", "scales")]

    def _weight(self, name: str, layer: int | None = None) -> Any:
        return self._builder.emit(relax.TupleGetItem(self._weights, self._places[name, layer]))

    def _rows(self, num_rows: Any) -> Any:
        return _tensor((num_rows, self._shape.width), "float32")


def _tensor(shape: tuple[Any, ...], dtype: str) -> Any:
    return relax.TensorType(shape, dtype)
