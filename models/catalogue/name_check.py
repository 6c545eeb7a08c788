"""Whether the name that a model is served under belongs to somebody else. A finding is a warning, never a refusal.

Names are lower case letters, digits, `.`, `_`, `-`: what can deceive is a digit for a letter, a letter that looks like
two, a missing or doubled letter, a separator; and a right name on a model that its own files call otherwise.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from models.manifest import ModelManifest

RULE = "a model of your own is named by a code name and its function, such as heron-support"

_BRANDS_FILE = Path(__file__).with_name("brands.toml")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_LOOKS_LIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g"})
_TWO_AS_ONE = (("vv", "w"), ("rn", "m"), ("cl", "d"))
_LEAST_LOOKALIKE, _LEAST_MISSPELT = 3, 5
_LEAST_JOINED, _MAX_JOINED = 4, 3


class Brand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name that belongs to somebody, by the word that stands in the names of models."""

    word: str
    title: str
    owner: str
    publishers: tuple[str, ...] = ()
    is_service: bool = False
    exceptions: tuple[str, ...] = ()


class _Brands(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ordinary: frozenset[str]
    brands: tuple[Brand, ...]


def check_name(name: str, evidence: Iterable[str | None] = ()) -> str | None:
    """Return a sentence on what is wrong with a name, None where nothing is.

    `evidence` is what is known of the model otherwise: its title in its own file, its publisher, where it came from.
    """
    known = _brands()
    ordinary = known.ordinary | {brand.word for brand in known.brands}
    publisher, _, rest = name.lower().rpartition("/")
    plain = rest.partition("@")[0].partition("+")[0]
    words = [word for word in _SEPARATORS.split(plain) if word]
    facts = " ".join(text.lower() for text in evidence if text)
    could_be = _filter(words)
    for brand in known.brands:
        if could_be(brand.word) and (found := _of_brand(brand, plain, words, ordinary)):
            problem = found if found != brand.word else _of_right_word(brand, facts)
            if problem is not None:
                return f"{name!r} {_sentence(brand, problem)}; {RULE}"
    owner = next((brand for brand in known.brands if publisher in brand.publishers), None)
    if owner is not None and facts and not _names(owner, facts):
        return f"{name!r} names {owner.owner} as its publisher, and nothing in the model says so; {RULE}"
    return None


def evidence_of(manifest: ModelManifest) -> tuple[str | None, ...]:
    """Return what a model says of itself, beside the name that it was given."""
    origin = manifest.provenance
    return (manifest.details.name, *((origin.publisher, origin.reference) if origin else ()))


def _filter(words: list[str]) -> Callable[[str], bool]:
    """Return a quick question that only a word can pass that some part of a name is, looks like or misspells."""
    joined = ["".join(parts) for parts in _parts(words)]
    texts = {text for part in joined for text in (part, part.rstrip("0123456789")) if text}
    skeletons = {_skeleton(text) for text in texts}
    sizes = {(text[0], len(text) + step) for text in texts for step in (-1, 0, 1)}
    return lambda word: word in texts or (word[0], len(word)) in sizes or _skeleton(word) in skeletons


def _of_brand(brand: Brand, plain: str, words: list[str], ordinary: frozenset[str]) -> str | None:
    """Return the part of a name that is the brand's word, or is made to look like it."""
    if any(plain.startswith(exception) for exception in brand.exceptions):
        return None
    for joined in _parts(words):
        part = "".join(joined)
        bare = part.rstrip("0123456789")
        if brand.word in (part, bare):
            is_plain = len(joined) == 1 or brand.is_service or len(brand.word) < _LEAST_JOINED
            return brand.word if is_plain else "-".join(joined)
        if any(_imitates(each, brand.word, len(joined)) for each in {part, bare} - ordinary):
            return part
    return None


def _parts(words: list[str]) -> Iterator[list[str]]:
    """Yield every word, then neighbours to be joined, since a separator changes nothing of how a name reads."""
    for length in range(1, _MAX_JOINED + 1):
        for start in range(len(words) - length + 1):
            yield words[start : start + length]


def _imitates(part: str, word: str, num_joined: int) -> bool:
    if part.isdigit() or not part:
        return False
    if len(word) >= _LEAST_LOOKALIKE and _skeleton(part) == _skeleton(word):
        return True
    return num_joined == 1 and len(word) >= _LEAST_MISSPELT and part.isalpha() and _is_one_letter_off(part, word)


@lru_cache(maxsize=4096)
def _skeleton(text: str) -> str:
    text = text.translate(_LOOKS_LIKE)
    for two, one in _TWO_AS_ONE:
        text = text.replace(two, one)
    return text


def _is_one_letter_off(left: str, right: str) -> bool:
    """Return whether one letter was left out, added, changed, or swapped with its neighbour. The first one is right:
    who deceives keeps it, and an ordinary word more often differs there."""
    if left[0] != right[0] or abs(len(left) - len(right)) > 1 or left == right:
        return False
    at = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    if len(left) != len(right):
        longer, shorter = (left, right) if len(left) > len(right) else (right, left)
        return longer[at + 1 :] == shorter[at:]
    swapped = left[:at] + left[at : at + 2][::-1] + left[at + 2 :]
    return left[at + 1 :] == right[at + 1 :] or swapped == right


def _of_right_word(brand: Brand, facts: str) -> str | None:
    """Return what is wrong with a brand's own word: it is a service's, or the model is known to be another's."""
    if brand.is_service:
        return brand.word
    others = any(_names(other, facts) for other in _brands().brands if other.owner != brand.owner)
    return brand.word if others and not _names(brand, facts) else None


def _names(brand: Brand, facts: str) -> bool:
    return any(word in facts for word in (brand.word, brand.owner.lower(), *brand.publishers))


def _sentence(brand: Brand, part: str) -> str:
    if part != brand.word:
        return f"looks like {brand.title}, a name of {brand.owner}, by its part {part!r}"
    whose = f"carries the name {brand.title}, which belongs to {brand.owner}"
    return whose if brand.is_service else f"{whose}, and its own files say that it is another model"


@cache
def _brands() -> _Brands:
    return msgspec.convert(tomllib.loads(_BRANDS_FILE.read_text(encoding="utf-8")), _Brands)
