"""The grammar of a model's name: `[publisher/]name[:tag][+adapter[,adapter…]][@variant]`."""

import re
from dataclasses import dataclass

DEFAULT_TAG = "latest"
MAX_LENGTH = 200

# A part begins with a letter or digit: no `.`, no `..` and no option of a command can be made of it.
_PART = r"[a-z0-9][a-z0-9._-]*"
_NAME = re.compile(
    rf"(?:(?P<publisher>{_PART})/)?(?P<name>{_PART})(?::(?P<tag>{_PART}))?"
    rf"(?:\+(?P<adapters>{_PART}(?:,{_PART})*))?"
)
_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNFIT = re.compile(r"[^a-z0-9._-]+")


class InvalidModelName(ValueError):
    """The text is no model name; the message says what a name looks like."""


@dataclass(frozen=True, slots=True)
class ModelName:
    """A parsed name: lower case, but for the variant, which keeps its field's spelling (`Q4_K_M`)."""

    name: str
    publisher: str | None = None
    tag: str = DEFAULT_TAG
    adapters: tuple[str, ...] = ()
    variant: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """Parse what a person or a client wrote. Raises: InvalidModelName."""
        base, at, variant = text.partition("@")
        match = _NAME.fullmatch(base.lower()) if base.isascii() and len(text) <= MAX_LENGTH else None
        if match is None or (at and not _VARIANT.fullmatch(variant)):
            shown = text if len(text) <= MAX_LENGTH else text[:40] + "…"
            raise InvalidModelName(
                f"{shown!r} is not a model name; write [publisher/]name[:tag][+adapter][@variant] "
                "with letters, digits, '.', '_' and '-', each part beginning with a letter or digit"
            )
        return cls(
            name=match["name"],
            publisher=match["publisher"],
            tag=match["tag"] or DEFAULT_TAG,
            adapters=tuple(match["adapters"].split(",")) if match["adapters"] else (),
            variant=variant or None,
        )

    @property
    def repository(self) -> str:
        """Return publisher and name: what the tags of one model have in common."""
        return f"{self.publisher}/{self.name}" if self.publisher else self.name

    def __str__(self) -> str:
        """Return the name as it is shown: without the default tag."""
        tag = "" if self.tag == DEFAULT_TAG else f":{self.tag}"
        adapters = f"+{','.join(self.adapters)}" if self.adapters else ""
        variant = f"@{self.variant}" if self.variant else ""
        return f"{self.repository}{tag}{adapters}{variant}"


def base_of(name: str) -> str:
    """Return the installed model that a canonical name means: without adapters and variant."""
    return name.partition("@")[0].partition("+")[0]


def without_adapters(name: str) -> str:
    """Return a canonical name without its adapters: the same model, in the same variant."""
    base, at, variant = name.partition("@")
    return base.partition("+")[0] + at + variant


def adapters_of(name: str) -> tuple[str, ...]:
    """Return the adapters that a canonical name has."""
    adapters = name.partition("@")[0].partition("+")[2]
    return tuple(adapters.split(",")) if adapters else ()


def name_from_stem(stem: str) -> ModelName:
    """Make a name of a file's stem: `Qwen3 0.6B (Q8_0)` becomes `qwen3-0.6b-q8_0`. Raises: InvalidModelName."""
    cleaned = _UNFIT.sub("-", stem.lower()).strip("-._")[:MAX_LENGTH]
    if not cleaned:
        raise InvalidModelName(f"no model name can be made of the file name {stem!r}; give one with --name NAME")
    return ModelName(cleaned)
