"""Licences by one name each, what they ask in short, and whether an operator's policy lets a model in.

Sources: the SPDX licence list; the licence tags of Hugging Face's model cards; the licences themselves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ANY = "*"
OPEN = "open"
UNKNOWN = "unknown"
"""What a policy may say beside the names of licences: any, every open one, and models that name none."""

Kind = Literal["open", "conditions", "non_commercial", "unknown"]

_OPEN = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cdla-permissive-2.0", "isc"}
    | {"unlicense", "mpl-2.0", "lgpl-3.0", "gpl-3.0", "agpl-3.0", "cc-by-sa-4.0", "openmdw-1.0"}
)
_CONDITIONS = {
    "llama2": "Meta's terms: a name to show, an acceptable-use policy, no use beyond 700 million users",
    "llama3": "Meta's terms: 'Built with Meta Llama 3' to show, an acceptable-use policy",
    "llama3.1": "Meta's terms: 'Built with Llama' to show, derived models named 'Llama', an acceptable-use policy",
    "llama3.2": "Meta's terms: 'Built with Llama' to show, derived models named 'Llama', an acceptable-use policy",
    "llama3.3": "Meta's terms: 'Built with Llama' to show, derived models named 'Llama', an acceptable-use policy",
    "llama4": "Meta's terms: 'Built with Llama' to show, derived models named 'Llama', an acceptable-use policy",
    "gemma": "Google's terms: a list of prohibited uses that whoever gets the model must accept, too",
    "qwen": "Alibaba's terms: a licence of its own from 100 million users on",
    "deepseek": "DeepSeek's terms: a list of prohibited uses that whoever gets the model must accept, too",
    "openrail": "free, with a list of prohibited uses",
    "bigscience-bloom-rail-1.0": "free, with a list of prohibited uses",
    "falcon-llm": "the institute's terms",
}
_NON_COMMERCIAL = {
    "cc-by-nc-4.0": "no commercial use",
    "cc-by-nc-sa-4.0": "no commercial use, and what is made of it under the same licence",
    "cc-by-nc-nd-4.0": "no commercial use, and nothing made of it",
    "qwen-research": "research and no commercial use",
    "mnpl-0.1": "research and no commercial use",
    "mrl-0.1": "research and no commercial use",
}
_SPELLINGS = {
    "apache": "apache-2.0",
    "apache-2": "apache-2.0",
    "apache-license-2.0": "apache-2.0",
    "apache-license-version-2.0": "apache-2.0",
    "apache2.0": "apache-2.0",
    "mit-license": "mit",
    "expat": "mit",
    "bsd": "bsd-3-clause",
    "gpl": "gpl-3.0",
    "llama-2": "llama2",
    "llama-3": "llama3",
    "llama-3.1": "llama3.1",
    "llama-3.2": "llama3.2",
    "llama-3.3": "llama3.3",
    "llama-4": "llama4",
    "gemma-terms-of-use": "gemma",
    "gemma-terms": "gemma",
    "tongyi-qianwen": "qwen",
    "qwen-license": "qwen",
    "qwen-research-license": "qwen-research",
    "deepseek-license": "deepseek",
    "mistral-ai-research-license": "mrl-0.1",
    "mistral-ai-non-production-license": "mnpl-0.1",
    "creativeml-openrail-m": "openrail",
    "openrail++": "openrail",
}
_SAYS_NOTHING = frozenset({"", "other", "unknown", "none", "custom", "see-license", "proprietary"})
_COMMUNITY = re.compile(r"(?:meta-)?llama-?(?P<version>[234](?:\.\d)?)-community-license.*")
_GNU = re.compile(r"(?P<name>[al]?gpl-\d\.0)-(?:only|or-later)")
_YEARLESS = re.compile(r"[\s_,:/()]+")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model may be taken in. `reason` is a sentence, also where it may; `note` is what its licence asks."""

    is_allowed: bool
    reason: str
    licence: str | None
    kind: Kind
    note: str | None


def normalise(text: str | None) -> str | None:
    """Return the SPDX identifier in lower case, or the name that hubs use; None where the text names no licence."""
    word = _YEARLESS.sub("-", (text or "").strip().lower()).removeprefix("licenseref-").removeprefix("the-").strip("-")
    if word in _SAYS_NOTHING:
        return None
    if found := _COMMUNITY.fullmatch(word):
        return f"llama{found['version']}"
    if found := _GNU.fullmatch(word):
        return found["name"]
    return _SPELLINGS.get(word, word)


def kind_of(licence: str | None) -> Kind:
    """Return what kind of licence a normalised name is; a name that is not known here counts as unknown."""
    if licence in _OPEN:
        return "open"
    if licence in _CONDITIONS:
        return "conditions"
    return "non_commercial" if licence in _NON_COMMERCIAL or "-nc" in (licence or "") else "unknown"


def check(licence: str | None, policy: Sequence[str]) -> Verdict:
    """Judge what a source or a file says of its licence by the names that an operator allows, in any spelling."""
    name = normalise(licence)
    kind, note = kind_of(name), _note(name)
    allowed = {word if word in (ANY, OPEN, UNKNOWN) else normalise(word) for word in map(str.lower, policy)}
    is_allowed = ANY in allowed or (name or UNKNOWN) in allowed or (OPEN in allowed and kind == "open")
    shown = f"the licence {name}" if name else "a model that names no licence"
    if is_allowed:
        return Verdict(True, f"{shown} is allowed" + (f"; it asks: {note}" if note else ""), name, kind, note)
    listed = ", ".join(policy) or "none"
    mend = f'add "{name or UNKNOWN}" to it if you may use the model'
    return Verdict(False, f"{shown} is not in models.allowed_licences ({listed}); {mend}", name, kind, note)


def _note(name: str | None) -> str | None:
    if name is None:
        return "read its publisher's terms: none are named"
    if kind_of(name) == "non_commercial":
        return _NON_COMMERCIAL.get(name, "no commercial use")
    return _CONDITIONS.get(name) or (None if name in _OPEN else "read it: it is no licence that is known here")
