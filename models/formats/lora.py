"""Read what a LoRA adapter's files say: pairs of small matrices, and which matrix of a model each pair changes.

Both forms end as the same: a pair for each tensor of the base, by the name that the base's own format has for it.

Sources: llama.cpp, `convert_lora_to_gguf.py` and `src/llama-adapter.cpp` (keys, names, and that the pair of the token
embedding is the other way round); PEFT, `LoraConfig` and its checkpoint format.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from models.formats.gguf import GGUFError, read_gguf
from models.formats.safetensors import SafetensorsError, SafetensorsTensor, read_safetensors

CONFIG_FILE, WEIGHTS_FILE, PICKLE_FILE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
MAX_CONFIG_BYTES = 2**20
MAX_RANK = 65_536

_EMBEDDINGS = ("token_embd.weight", "embed_tokens.weight")
_PEFT_NAME = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<part>[AB])(?:\.[\w-]+?)??(?:\.weight)?"
)

Shape = tuple[int, ...]


class LoraError(ValueError):
    """The files are no adapter that can be used; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class LoraPair:
    """What is added to one tensor of the base: `b` times `a`, scaled. Shapes have the outermost dimension first."""

    target: str
    a: Shape
    b: Shape

    @property
    def rank(self) -> int:
        """Return the dimension between the two matrices."""
        return self.a[-1] if self.is_embedding else self.a[-2]

    @property
    def is_embedding(self) -> bool:
        """Return whether it changes the embedding of tokens, whose pair GGUF stores the other way round."""
        return self.target.endswith(_EMBEDDINGS)

    @property
    def changes(self) -> Shape:
        """Return the shape of the tensor that it can be added to."""
        if self.is_embedding:
            return (self.a[0], self.b[0])
        return (*self.a[:-2], self.b[-2], self.a[-1])


@dataclass(frozen=True, slots=True)
class Lora:
    """An adapter. `architecture` and `base` are what it says it was made for; unknown is None."""

    format: Literal["gguf", "peft"]
    pairs: tuple[LoraPair, ...]
    num_parameters: int
    alpha: float | None = None
    architecture: str | None = None
    base: str | None = None
    name: str | None = None
    licence: str | None = None

    @property
    def rank(self) -> int:
        """Return the largest rank of its pairs."""
        return max(pair.rank for pair in self.pairs)

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the kinds of matrices that it changes."""
        kinds = {pair.target.removesuffix(".weight").rpartition(".")[2] for pair in self.pairs}
        return tuple(sorted(kinds))


def read_gguf_lora(path: Path) -> Lora:
    """Read the head of a GGUF adapter. Raises: LoraError, OSError."""
    try:
        head = read_gguf(path)
    except GGUFError as error:
        raise LoraError(str(error)) from error
    said = head.metadata
    if said.get("general.type") != "adapter":
        raise LoraError("it is a model, not an adapter: general.type is not 'adapter'")
    if said.get("adapter.type") != "lora":
        raise LoraError(f"it is an adapter of the type {said.get('adapter.type')!r}, and 'lora' is understood")
    shapes = {tensor.name: tensor.shape for tensor in head.tensors}
    parts = {
        "a": {name.removesuffix(".lora_a"): shape for name, shape in shapes.items() if name.endswith(".lora_a")},
        "b": {name.removesuffix(".lora_b"): shape for name, shape in shapes.items() if name.endswith(".lora_b")},
    }
    alpha = said.get("adapter.lora.alpha")
    return Lora(
        format="gguf",
        pairs=_paired(parts["a"], parts["b"]),
        num_parameters=sum(math.prod(shape) for shape in shapes.values()),
        alpha=float(alpha) if isinstance(alpha, int | float) and math.isfinite(alpha) else None,
        architecture=_text(said.get("general.architecture")),
        base=_text(said.get("general.base_model.0.repo_url")) or _text(said.get("general.base_model.0.name")),
        name=_text(said.get("general.name")),
        licence=_text(said.get("general.license")),
    )


class PeftConfig(msgspec.Struct, frozen=True):
    """What `adapter_config.json` says. `alpha_pattern` is by how the names of modules end."""

    peft_type: str = "LORA"
    r: int | None = None
    lora_alpha: float | None = None
    alpha_pattern: dict[str, float] = {}
    base_model_name_or_path: str | None = None
    use_rslora: bool = False
    use_dora: bool = False
    fan_in_fan_out: bool = False


@dataclass(frozen=True, slots=True)
class PeftHalf:
    """One matrix of a pair as it is stored: that of an embedding lies the other way round than its `shape` says."""

    tensor: SafetensorsTensor
    is_flipped: bool

    @property
    def shape(self) -> Shape:
        """Return the shape as GGUF has it."""
        return self.tensor.shape[::-1] if self.is_flipped else self.tensor.shape


@dataclass(frozen=True, slots=True)
class PeftFolder:
    """What a folder holds: `a` and `b` by the tensor that each pair changes."""

    config: PeftConfig
    a: Mapping[str, PeftHalf]
    b: Mapping[str, PeftHalf]


def read_peft_lora(folder: Path) -> Lora:
    """Read the configuration and the head of the weights of a folder. Raises: LoraError, OSError."""
    found = read_peft_folder(folder)
    halves = [*found.a.values(), *found.b.values()]
    return Lora(
        format="peft",
        pairs=_paired(_shapes(found.a), _shapes(found.b)),
        num_parameters=sum(math.prod(half.shape) for half in halves),
        alpha=found.config.lora_alpha,
        base=found.config.base_model_name_or_path or None,
    )


def read_peft_folder(folder: Path) -> PeftFolder:
    """Read where in a folder each matrix lies. Raises: LoraError, OSError."""
    config = _config(folder)
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        if (folder / PICKLE_FILE).is_file():
            raise LoraError(
                f"its weights are a pickle ({PICKLE_FILE}), which may run programs when it is read; save the adapter "
                f"as {WEIGHTS_FILE}"
            )
        raise LoraError(f"there is no {WEIGHTS_FILE} in {folder}")
    try:
        tensors = read_safetensors(weights).tensors
    except SafetensorsError as error:
        raise LoraError(f"{WEIGHTS_FILE}: {error}") from error
    parts: dict[str, dict[str, PeftHalf]] = {"A": {}, "B": {}}
    for tensor in tensors:
        match = _PEFT_NAME.fullmatch(tensor.name)
        if match is None:
            raise LoraError(
                f"tensor {tensor.name!r} is no part of a LoRA pair: whole matrices and other methods are not understood"
            )
        # An embedding's pair is stored as (rank, tokens) and (width, rank), ours as GGUF's: (tokens, rank)
        is_flipped = match["embedding"] is not None and match["part"] == "A"
        parts[match["part"]][f"{match['module']}.weight"] = PeftHalf(tensor, is_flipped)
    return PeftFolder(config, parts["A"], parts["B"])


def _shapes(halves: Mapping[str, PeftHalf]) -> dict[str, Shape]:
    return {target: half.shape for target, half in halves.items()}


def _config(folder: Path) -> PeftConfig:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise LoraError(f"there is no {CONFIG_FILE} in {folder}")
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise LoraError(f"{CONFIG_FILE} is longer than {MAX_CONFIG_BYTES} bytes")
    try:
        config = msgspec.json.decode(path.read_bytes(), type=PeftConfig)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LoraError(f"{CONFIG_FILE} cannot be read: {error}") from None
    if config.peft_type.upper() != "LORA":
        raise LoraError(f"it is an adapter of the type {config.peft_type!r}, and LORA is understood")
    if config.use_dora or config.fan_in_fan_out:
        raise LoraError("it is a DoRA adapter, or one of transposed matrices; plain LoRA is understood")
    return config


def _paired(a: Mapping[str, Shape], b: Mapping[str, Shape]) -> tuple[LoraPair, ...]:
    """Return the pairs by name, each of whose halves has its other half. Raises: LoraError."""
    if alone := sorted(a.keys() ^ b.keys()):
        raise LoraError(f"{len(alone)} matrices have no other half, the first is that of {alone[0]!r}")
    if not a:
        raise LoraError("it has no pair of matrices")
    return tuple(_checked(LoraPair(name, a[name], b[name])) for name in sorted(a))


def _checked(pair: LoraPair) -> LoraPair:
    dimensions = {len(pair.a), len(pair.b)}
    if len(dimensions) != 1 or min(dimensions) < 2 or 0 in (*pair.a, *pair.b):
        raise LoraError(f"the matrices of {pair.target!r} have the shapes {pair.a} and {pair.b}")
    if pair.b[-1] != pair.rank or pair.a[:-2] != pair.b[:-2] or pair.rank > MAX_RANK:
        raise LoraError(f"the matrices of {pair.target!r} do not fit each other: {pair.a} and {pair.b}")
    return pair


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
