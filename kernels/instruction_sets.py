"""The processors that kernels are written for, as data: what multiplies bytes, how wide it is, how LLVM names it.

Everything else of a kernel is the same source on all of them. The one step that differs is

    accumulate[lane] += sum over i in 0..3 of weight[4 * lane + i] * activation[i]

with 4-byte activations that all lanes share.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from tvm.script import tirx as T
from tvm.target import Target

from .vectors import Expr

Dot: TypeAlias = Callable[[Expr, Expr, Expr], Expr]
"""(accumulated int32 x L, weights 8 bit x 4L, activations int8 x 4) -> accumulated int32 x L."""


@dataclass(frozen=True, slots=True)
class InstructionSet:
    """A kind of processor.

    `lanes` int32 lanes take part in one `dot`. 8-bit weights are stored with `int8_offset` added, as `dot8` wants them;
    4-bit weights reach `dot4` as codes + 8. `registers` is how many vectors of 16 floats its registers hold, from which
    the sizes of tiles follow.
    """

    name: str
    lanes: int
    int8_offset: int
    registers: int
    dot8: Dot
    dot4: Dot
    features: tuple[str, ...]
    cpu: str
    triple: str | None = None

    def target(self, num_cores: int) -> Target:
        """Return how LLVM is told."""
        description: dict[str, Any] = {"kind": "llvm", "mcpu": self.cpu, "num-cores": num_cores}
        if self.features:
            description["mattr"] = list(self.features)
        if self.triple is not None:
            description["mtriple"] = self.triple
        return Target(description)


def _shared(activations: Expr, lanes: int) -> Expr:
    """Return 4 activations in every lane, as int8 x 4L."""
    word = T.reinterpret(activations, dtype="int32")
    return T.reinterpret(T.broadcast(word, lanes), dtype=f"int8x{4 * lanes}")


def _signed(weights: Expr, lanes: int) -> Expr:
    return T.reinterpret(weights, dtype=f"int8x{4 * lanes}")


def _llvm(intrinsic: str, dtype: str, *arguments: Expr) -> Expr:
    return T.call_llvm_pure_intrin(T.llvm_lookup_intrinsic_id(intrinsic), *arguments, dtype=dtype)


def _vnni(bits: int) -> Dot:
    """Return `vpdpbusd`: unsigned weights times signed activations, without saturation."""
    lanes = bits // 32

    def dot(total: Expr, weights: Expr, activations: Expr) -> Expr:
        return _llvm(
            f"llvm.x86.avx512.vpdpbusd.{bits}",
            f"int32x{lanes}",
            total,
            _signed(weights, lanes),
            _shared(activations, lanes),
        )

    return dot


def _add_pairs(products: Expr) -> Expr:
    """Return int16 x 16 as int32 x 8: each pair added up (`vpmaddwd` by ones)."""
    return _llvm("llvm.x86.avx2.pmadd.wd", "int32x8", products, T.broadcast(T.int16(1), 16))


def _avx2_unsigned(total: Expr, weights: Expr, activations: Expr) -> Expr:
    """Unsigned weights up to 15: two products are at most 15 * 127 * 2 and never saturate `vpmaddubsw`."""
    products = _llvm("llvm.x86.avx2.pmadd.ub.sw", "int16x16", _signed(weights, 8), _shared(activations, 8))
    return total + _add_pairs(products)


def _avx2_signed(total: Expr, weights: Expr, activations: Expr) -> Expr:
    """Signed weights: their sign moves to the activations, so that at most 127 * 127 * 2 fits into 16 bits."""
    codes = _signed(weights, 8)
    magnitudes = _llvm("llvm.x86.avx2.psign.b", "int8x32", codes, codes)
    signed = _llvm("llvm.x86.avx2.psign.b", "int8x32", _shared(activations, 8), codes)
    return total + _add_pairs(_llvm("llvm.x86.avx2.pmadd.ub.sw", "int16x16", magnitudes, signed))


def _sdot(total: Expr, weights: Expr, activations: Expr) -> Expr:
    return _llvm("llvm.aarch64.neon.sdot.v4i32.v16i8", "int32x4", total, _signed(weights, 4), _shared(activations, 4))


def _usdot(total: Expr, weights: Expr, activations: Expr) -> Expr:
    """As `_sdot`, with the unsigned weights of x86: one file of weights serves both."""
    codes = (_signed(weights, 4), _shared(activations, 4))
    return _llvm("llvm.aarch64.neon.usdot.v4i32.v16i8", "int32x4", total, *codes)


def _neon(total: Expr, weights: Expr, activations: Expr) -> Expr:
    """Products in 16 bits, pairs of them in 32 (`saddlp`), and pairs of those (`addp`): two for each lane."""
    products = T.cast(_signed(weights, 4), "int16x16") * T.cast(_shared(activations, 4), "int16x16")
    halves = [
        _llvm("llvm.aarch64.neon.saddlp.v4i32.v8i16", "int32x4", half)
        for half in (T.vectorlow("int16x8", products), T.vectorhigh("int16x8", products))
    ]
    return total + _llvm("llvm.aarch64.neon.addp.v4i32", "int32x4", *halves)


AVX512_VNNI = InstructionSet(
    name="avx512_vnni",
    lanes=16,
    int8_offset=128,
    registers=32,
    dot8=_vnni(512),
    dot4=_vnni(512),
    cpu="icelake-server",
    features=(),
)
AVX_VNNI = InstructionSet(
    name="avx_vnni",
    lanes=8,
    int8_offset=128,
    registers=8,
    dot8=_vnni(256),
    dot4=_vnni(256),
    cpu="alderlake",
    features=(),
)
AVX2 = InstructionSet(
    name="avx2",
    lanes=8,
    int8_offset=0,
    registers=8,
    dot8=_avx2_signed,
    dot4=_avx2_unsigned,
    cpu="haswell",
    features=(),
)
DOTPROD = InstructionSet(
    name="dotprod",
    lanes=4,
    int8_offset=0,
    registers=8,
    dot8=_sdot,
    dot4=_sdot,
    cpu="cortex-a76",
    features=("+neon", "+dotprod", "+fullfp16"),
    triple="aarch64-linux-gnu",
)
I8MM = InstructionSet(
    name="i8mm",
    lanes=4,
    int8_offset=128,
    registers=8,
    dot8=_usdot,
    dot4=_usdot,
    cpu="cortex-a76",  # of those with i8mm, some have SVE and some have not
    features=("+neon", "+dotprod", "+i8mm", "+fullfp16"),
    triple="aarch64-linux-gnu",
)
NEON = InstructionSet(
    name="neon",
    lanes=4,
    int8_offset=0,
    registers=8,
    dot8=_neon,
    dot4=_neon,
    cpu="cortex-a72",
    features=("+neon",),
    triple="aarch64-linux-gnu",
)

INSTRUCTION_SETS = {each.name: each for each in (AVX512_VNNI, AVX_VNNI, AVX2, I8MM, DOTPROD, NEON)}
