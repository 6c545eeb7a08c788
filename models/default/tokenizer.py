"""A byte-level BPE tokenizer: training, encoding, and the tables that a GGUF file needs of it.

Source: Sennrich et al. 2016 (byte-pair encoding); the byte alphabet of GPT-2; the split of Qwen2's tokenizer, here for
letters and digits as Python's `re` knows them.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

_LETTER, _WORD = r"[^\W\d_]", r"[^\W_]"
_SPLIT = re.compile(
    rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\r\n\w]|_)?{_LETTER}+|\d| ?(?:(?!{_WORD})\S)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def byte_alphabet() -> tuple[str, ...]:
    """Return the printable character that stands for each byte."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = iter(range(256, 512))
    return tuple(chr(byte if byte in printable else next(hidden)) for byte in range(256))


@dataclass(frozen=True)
class Tokenizer:
    """Tokens by id, and the merges in the order in which they were learned."""

    tokens: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]

    def special(self, token: str) -> int:
        """Return the id of a special token."""
        return len(self.tokens) - len(SPECIAL_TOKENS) + SPECIAL_TOKENS.index(token)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text without special tokens."""
        return [index for piece in _pieces(text) for index in self._encode_piece(piece)]

    def _encode_piece(self, piece: str) -> tuple[int, ...]:
        """Remember what was merged: the same words come again and again."""
        if piece not in self._encoded:
            symbols = _merge_by_rank(list(piece), self._ranks)
            self._encoded[piece] = tuple(self._ids[symbol] for symbol in symbols)
        return self._encoded[piece]

    @cached_property
    def _encoded(self) -> dict[str, tuple[int, ...]]:
        return {}

    @cached_property
    def _ranks(self) -> dict[tuple[str, str], int]:
        return {pair: rank for rank, pair in enumerate(self.merges)}

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens)}

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids without special tokens; bytes that are no UTF-8 are replaced."""
        value = {character: byte for byte, character in enumerate(byte_alphabet())}
        return bytes(value[character] for index in ids for character in self.tokens[index]).decode(errors="replace")


def train_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """Merge the commonest neighbours until the vocabulary is full; ties go to the pair that sorts first."""
    words = Counter(piece for text in texts for piece in _pieces(text))
    spelled = {word: tuple(word) for word in words}
    tokens, merges = list(byte_alphabet()), []
    while len(tokens) < vocabulary_size - len(SPECIAL_TOKENS):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in pairwise(spelled[word]):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        tokens.append("".join(best))
        spelled = {word: tuple(_merge(list(symbols), best)) for word, symbols in spelled.items()}
    return Tokenizer((*tokens, *SPECIAL_TOKENS), tuple(merges))


def _pieces(text: str) -> list[str]:
    alphabet = byte_alphabet()
    return ["".join(alphabet[byte] for byte in piece.encode()) for piece in _SPLIT.findall(text)]


def _merge_by_rank(symbols: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    while len(symbols) > 1:
        pairs = pairwise(symbols)
        best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        symbols = _merge(symbols, best)
    return symbols


def _merge(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    merged, index = [], 0
    while index < len(symbols):
        if tuple(symbols[index : index + 2]) == pair:
            merged.append("".join(pair))
            index += 2
        else:
            merged.append(symbols[index])
            index += 1
    return merged
