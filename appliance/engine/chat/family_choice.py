"""A template's family, as the engine reads and writes its calls and thoughts. Pure."""

from appliance.core.template_families import FAMILY_NAMES, family_name

from . import families
from .syntax import Family

_BY_NAME = {family.name: family for family in vars(families).values() if isinstance(family, Family)}

FAMILIES = tuple(_BY_NAME[name] for name in FAMILY_NAMES)


def family_of(template: str | None) -> Family:
    """Return the family whose words stand in the template; the generic one if none's do."""
    return _BY_NAME[family_name(template)]
