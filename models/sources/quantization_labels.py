"""The names of quantizations in the names of files. Pure."""

import re

_LABEL = re.compile(
    r"(?<![A-Za-z0-9])(?P<label>(?:UD-)?(?:IQ[1-4]_(?:XXS|XS|S|M|NL)|Q[1-8]_(?:K(?:_(?:XS|XL|S|M|L))?|[01](?:_\d_\d)?)"
    r"|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4|BF16|F(?:P)?16|F(?:P)?32))(?![A-Za-z0-9])",
    re.IGNORECASE,
)


def label_of(name: str) -> str | None:
    """Return the quantization that a file's name or folder tells, as its field spells it."""
    found = [match["label"].upper() for match in _LABEL.finditer(name)]
    return found[-1].replace("FP16", "F16").replace("FP32", "F32") if found else None


def without_label(name: str) -> str:
    """Return a name without the quantizations in it."""
    return _LABEL.sub("", name)
