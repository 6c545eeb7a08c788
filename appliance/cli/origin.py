"""What the command line says of where a model is from, and which version of its name it is."""

from datetime import datetime

from appliance.core.admin import InstalledModel
from appliance.words import tr


def origin_facts(model: InstalledModel) -> list[tuple[str, str | None]]:
    """Return what `models show` says of a model's origin: nothing where nothing is known."""
    facts: list[tuple[str, str | None]] = []
    if model.alias_of is not None:
        facts.append(("alias of", model.alias_of))
    if model.version > 1:
        version = "{number}; the former ones: appliance models versions {name}"
        facts.append(("version", tr(version, number=model.version, name=model.name)))
    came = model.provenance
    if came is None:
        return facts
    facts.append(("came from", came.reference))
    facts += [("publisher", came.publisher)] if came.publisher else []
    facts += [("revision", came.revision)] if came.revision else []
    facts += [("licence there", came.licence)] if came.licence else []
    facts.append(("fetched", f"{datetime.fromtimestamp(came.fetched_s).astimezone():%Y-%m-%d %H:%M}"))
    for file in came.files:
        stated = tr("as the source states") if file.is_stated else tr("measured here; the source states none")
        facts.append(("fetched file", f"{file.name}: sha256 {file.sha256}, {stated}"))
    return facts
