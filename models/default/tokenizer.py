"""A byte-level BPE tokenizer: training, encoding, and the tables that other tokenizers need of it.

Source: Sennrich et al. 2016 (byte-pair encoding); the byte alphabet of GPT-2; the split of Qwen2's tokenizer, spelled
here for Python's `re`, whose own classes differ from Unicode's: its words hold fractions and Roman numerals, its spaces
the four separators of ASCII.
"""

import heapq
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

_SPECIAL = re.compile("(" + "|".join(map(re.escape, SPECIAL_TOKENS)) + ")")
_SPACES = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

Pair = tuple[str, str]


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
    merges: tuple[Pair, ...]

    def special(self, token: str) -> int:
        """Return the id of a special token."""
        return len(self.tokens) - len(SPECIAL_TOKENS) + SPECIAL_TOKENS.index(token)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; what reads like a special token is text, too."""
        return [index for piece in _pieces(text) for index in self._encode_piece(piece)]

    def encode_marked(self, text: str) -> list[int]:
        """Return the ids of a rendered conversation, in which special tokens are marks."""
        ids: list[int] = []
        for part in _SPECIAL.split(text):
            ids += [self.special(part)] if part in SPECIAL_TOKENS else self.encode(part)
        return ids

    def _encode_piece(self, piece: str) -> tuple[int, ...]:
        """Remember what was merged: the same words come again and again."""
        if piece not in self._encoded:
            symbols = _merge_by_rank([byte_alphabet()[byte] for byte in piece.encode()], self._ranks)
            self._encoded[piece] = tuple(self._ids[symbol] for symbol in symbols)
        return self._encoded[piece]

    @cached_property
    def _encoded(self) -> dict[str, tuple[int, ...]]:
        return {}

    @cached_property
    def _ranks(self) -> dict[Pair, int]:
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
    words = _Words(Counter(piece for text in texts for piece in _pieces(text)))
    tokens, merges = list(byte_alphabet()), []
    while len(tokens) < vocabulary_size - len(SPECIAL_TOKENS) and (best := words.commonest_pair()):
        words.merge(best)
        merges.append(best)
        tokens.append("".join(best))
    return Tokenizer((*tokens, *SPECIAL_TOKENS), tuple(merges))


class _Words:
    """Words as symbols, with how often each pair occurs and in which words, kept up to date from merge to merge."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = list(counts.values())
        self._symbols = [[byte_alphabet()[byte] for byte in word.encode()] for word in counts]
        self._pairs: Counter[Pair] = Counter()
        self._places: defaultdict[Pair, set[int]] = defaultdict(set)
        for index in range(len(self._symbols)):
            self._count(index, 1)
        self._heap = [(-count, pair) for pair, count in self._pairs.items()]
        heapq.heapify(self._heap)

    def commonest_pair(self) -> Pair | None:
        """Return the pair to merge next; entries of the heap whose count has changed since are thrown away."""
        while self._heap:
            count, pair = heapq.heappop(self._heap)
            if self._pairs[pair] == -count and count:
                return pair
        return None

    def merge(self, pair: Pair) -> None:
        changed: set[Pair] = set()
        for index in self._places.pop(pair):
            changed |= self._count(index, -1)
            self._symbols[index] = _merge(self._symbols[index], pair)
            changed |= self._count(index, 1)
        for other in changed:
            heapq.heappush(self._heap, (-self._pairs[other], other))

    def _count(self, index: int, sign: int) -> set[Pair]:
        pairs = set()
        for pair in pairwise(self._symbols[index]):
            self._pairs[pair] += sign * self._counts[index]
            self._places[pair].add(index)
            pairs.add(pair)
        return pairs


def _pieces(text: str) -> list[str]:
    return _split().findall(text)


@cache
def _split() -> re.Pattern[str]:
    numbers = "".join(
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Nl", "No")
    )
    number = rf"[\d{numbers}]"
    letter = rf"[^\W\d_{numbers}]"
    return re.compile(
        rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\r\n\w]|_)?{letter}+|{number}"
        rf"| ?(?:[^{_SPACES}\w]|_)+[\r\n]*|[{_SPACES}]*[\r\n]+|[{_SPACES}]+(?![^{_SPACES}])|[{_SPACES}]+"
    )


def _merge_by_rank(symbols: list[str], ranks: dict[Pair, int]) -> list[str]:
    while len(symbols) > 1:
        pairs = pairwise(symbols)
        best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        symbols = _merge(symbols, best)
    return symbols


def _merge(symbols: list[str], pair: Pair) -> list[str]:
    merged, index = [], 0
    while index < len(symbols):
        if symbols[index] == pair[0] and tuple(symbols[index : index + 2]) == pair:
            merged.append("".join(pair))
            index += 2
        else:
            merged.append(symbols[index])
            index += 1
    return merged
