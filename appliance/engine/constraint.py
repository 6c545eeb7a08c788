"""What an answer may be: grammars compiled once, and a matcher that follows each sequence through its own.

Owns the vocabulary of grammars and the latest of them. Knows nothing of sequences or models; a mask is written into a
row of logits, and what is forced comes back as tokens. Grammars are compiled on the reader thread, beside the steps.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from appliance.backends.base import LogitsArray, Tokenizer
from appliance.core.request import Constraint, Grammar, JsonSchema, Regex
from appliance.errors import InvalidRequest

from .grammar_source import checked_schema, grammar_source, refused_schema, schema_source, with_content
from .grammar_vocabulary import make_grammar_vocabulary
from .schema_check import Schema
from .schema_fault import find_fault

KEPT_GRAMMARS = 32
LOOKING_S = 0.3  # for the part of a large schema that is at fault; the one found until then is named
KEPT_CHARACTERS = 2**20  # of all sources together: 50,000 take 8 MB when they are compiled
# An object of 2,000 properties that may be left out has 8,000 items in a row, and a mask takes 20 ms there. A grammar
# that reads the same text in ever more ways takes as long at 500, and half a second at 1,000.
_LIMITS = LLParserLimits(verbose_errors=False, max_items_in_row=10_000)
_OWN_GRAMMAR_LIMITS = LLParserLimits(verbose_errors=False, max_items_in_row=500)
_IMPOSSIBLE = np.float32(-np.inf)
_REGEX_REASON = re.compile(r"\berror: (.+)")


class Matcher:
    """Follows one sequence through its grammar. One that becomes too complex raises InvalidRequest from any method."""

    def __init__(self, library: LLMatcher, param: str, vocab_size: int) -> None:
        self._library = library
        self._param = param
        self._mask = allocate_token_bitmask(1, vocab_size)

    @property
    def is_complete(self) -> bool:
        """Whether nothing can follow."""
        return self._library.is_stopped()

    @property
    def may_end(self) -> bool:
        """Whether what came until now is a whole answer."""
        return self._library.is_accepting()

    def mask(self, row: LogitsArray) -> None:
        """Write -inf where a token cannot come next. The end of the answer can where the grammar allows it."""
        fill_next_token_bitmask(self._library, self._mask)
        self._check()
        refused = np.unpackbits(~self._mask.view(np.uint8)[0], bitorder="little")[: row.size].view(np.bool_)
        np.copyto(row[: refused.size], _IMPOSSIBLE, where=refused)
        row[refused.size :] = _IMPOSSIBLE

    def accept(self, token: int) -> None:
        """Follow a token that came, drawn or forced."""
        self._library.consume_token(token)
        self._check()

    def forced(self) -> list[int]:
        """Return the tokens of which it is certain that they come next; mostly none."""
        tokens = self._library.compute_ff_tokens()
        self._check()
        return tokens

    def num_valid(self, tokens: Sequence[int]) -> int:
        """Return how many of these tokens may come next, one after the other."""
        return self._library.validate_tokens(list(tokens))

    def _check(self) -> None:
        if self._library.is_error():
            raise InvalidRequest(
                f"the grammar in '{self._param}' became too complex within the answer: "
                f"{_reason(self._library)}; write a simpler one",
                param=self._param,
            )


@dataclass(frozen=True, slots=True)
class CompiledGrammar:
    """A grammar for one vocabulary; the sequences of any number of requests start from it.

    Its template is only ever copied, on the step thread: the library forbids two threads to use one matcher.
    """

    _template: LLMatcher
    _param: str
    _vocab_size: int

    def start(self) -> Matcher:
        """Return a matcher at the beginning of the answer."""
        return Matcher(self._template.deep_copy(), self._param, self._vocab_size)


class Grammars:
    """Compiles for one model, and keeps what it compiled lately. Belongs to one thread."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._kept: OrderedDict[str, LLMatcher] = OrderedDict()

    def compile(self, constraint: Constraint | None, tools_grammar: str | None = None) -> CompiledGrammar | None:
        """Return the grammar of an answer, None where nothing is asked of it.

        `tools_grammar` is Lark that allows calls; where there is a constraint, too, it is its rule `content`.
        Raises: InvalidRequest, with the place inside a schema.
        """
        if tools_grammar is None and constraint is None:
            return None
        param = "tools" if constraint is None else constraint.param
        if tools_grammar is not None:
            source = with_content(tools_grammar, constraint)
        else:
            assert constraint is not None
            source = grammar_source(constraint)
        template = self._kept.pop(source, None)
        if template is None:
            template = self._compiled(source, _OWN_GRAMMAR_LIMITS if isinstance(constraint, Grammar) else _LIMITS)
            if (reason := self._fault(template)) is not None:
                raise self._refusal(constraint, param, reason)
        self._kept[source] = template
        while len(self._kept) > KEPT_GRAMMARS or sum(map(len, self._kept)) > KEPT_CHARACTERS:
            self._kept.popitem(last=False)
        return CompiledGrammar(template, param, self._vocabulary.vocab_size)

    @cached_property
    def _vocabulary(self) -> LLTokenizer:
        return make_grammar_vocabulary(self._tokenizer)

    def _compiled(self, source: str, limits: LLParserLimits) -> LLMatcher:
        """Return a matcher with its first mask computed, which for a large grammar takes longer than all later ones."""
        matcher = LLMatcher(self._vocabulary, source, log_level=0, limits=limits)
        if not matcher.is_error():
            matcher.compute_ff_tokens()
            matcher.compute_bitmask()
        return matcher

    def _fault(self, template: LLMatcher) -> str | None:
        """Return why no answer can obey the grammar, None if one can."""
        if template.is_error():
            return _reason(template)
        allowed = np.unpackbits(np.frombuffer(template.compute_bitmask(), np.uint8), bitorder="little")
        if template.is_accepting() and int(allowed.sum()) == int(allowed[self._vocabulary.eos_tokens].sum()):
            return "it allows no answer but an empty one"
        return None

    def _refusal(self, constraint: Constraint | None, param: str, reason: str) -> InvalidRequest:
        if isinstance(constraint, JsonSchema):
            schema, ends_s = checked_schema(constraint), time.monotonic() + LOOKING_S

            def trial(part: Schema) -> str | None:
                return self._trial(schema, part) if time.monotonic() < ends_s else None

            if (alone := trial(schema)) is not None:
                return refused_schema(param, *find_fault(schema, alone, trial))
        kind = "regular expression" if isinstance(constraint, Regex) else "grammar"
        return InvalidRequest(f"the {kind} in '{param}' cannot be used: {reason}", param=param)

    def _trial(self, root: Schema, part: Schema) -> str | None:
        """Return why a part of a schema cannot be used, None if it can."""
        if isinstance(part, bool) or isinstance(root, bool):
            return None if part else "nothing satisfies false"
        definitions = {name: root[name] for name in ("$defs", "definitions") if name in root}
        matcher = LLMatcher(self._vocabulary, schema_source(definitions | part), log_level=0, limits=_LIMITS)
        return _reason(matcher) if matcher.is_error() else None


def _reason(matcher: LLMatcher) -> str:
    """Return the first line of what is wrong, or that of a regular expression's own message, in a sentence's words."""
    error = matcher.get_error()
    found = _REGEX_REASON.search(error)
    reason = found[1] if found else error.partition("\n")[0]
    if reason.startswith("NoExtension"):
        return "no answer satisfies it"
    if reason.startswith("oneOf constraints"):
        return "of oneOf's branches it must be certain that they exclude each other; use anyOf instead"
    return reason.removeprefix("Unsatisfiable schema: ").removeprefix("Parser Error: ")
