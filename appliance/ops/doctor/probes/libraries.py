"""The libraries that this distribution requires, and those that are there."""

import re
from importlib.metadata import PackageNotFoundError, distribution, version

from appliance.ops.doctor.facts import LibraryFacts

DISTRIBUTION = "llm-appliance"
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^]]*])?\s*([^;]*)(;.*)?")


def look_at_libraries() -> tuple[str | None, tuple[LibraryFacts, ...] | None]:
    """Return the Python that is required and the libraries; None and None where this is a mere source tree."""
    try:
        ours = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return None, None
    found = [_library(requirement) for requirement in ours.requires or ()]
    return ours.metadata["Requires-Python"], tuple(library for library in found if library is not None)


def _library(requirement: str) -> LibraryFacts | None:
    match = _REQUIREMENT.fullmatch(requirement)
    if match is None:
        return None
    name, specifier, condition = match.groups()
    try:
        installed = version(name)
    except PackageNotFoundError:
        if condition:  # wanted on some systems only, and this may not be one of them
            return None
        installed = None
    return LibraryFacts(name=name, specifier=specifier.strip(), installed=installed)
