"""Everything that is known of one entry, as sections of facts. Pure; sentences of the box stay as they came."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from appliance.core.admin import InstalledModel, LoadedModelStatus, ModelLoss
from appliance.core.catalogue import CatalogueItem, Fit
from appliance.core.measurement import Measurement
from appliance.core.store import AdapterView, ModelVersions
from appliance.core.units import format_bytes, format_seconds
from appliance.words import tr
from tui.widgets.facts import DOT, Fact, Section
from tui.widgets.tones import Tone, Toned, toned

from .models_entries import Entry
from .models_words import count, job_line, speed

_UNNOTICEABLE_RATIO = 0.0005


def about(entry: Entry) -> Toned:
    """Return what the thing is, in a sentence."""
    if entry.item is not None:
        return toned(f"{entry.item.title}, {entry.item.publisher}. {entry.item.judgement}", "muted")
    return toned(tr("a LoRA adapter"), "muted") if entry.adapter is not None else ""


def sections(entry: Entry, versions: ModelVersions | None = None) -> list[Section]:
    """Return all that is known."""
    found = [Section("", tuple(_troubles(entry))), Section(tr("Now"), tuple(_now(entry)))]
    if entry.adapter is not None:
        return [*found, Section(tr("Adapter"), tuple(_adapter(entry.adapter)))]
    found.append(Section(tr("On this machine"), tuple(_fit(entry))))
    found.append(Section(tr("The model"), tuple(_model(entry))))
    found.append(Section(tr("Licence"), tuple(_licence(entry))))
    if entry.model is not None:
        found.append(Section(tr("What quantizing cost"), tuple(_loss(entry.model.quality))))
        found.append(Section(tr("Where it is from"), tuple(_origin(entry.model))))
        found.append(Section(tr("Versions"), tuple(_versions(versions))))
        found.append(Section(tr("Why it runs so"), tuple(_sentences(_reasons(entry.model)))))
    elif entry.item is not None:
        found.append(Section(tr("Where it is from"), tuple(_fact(tr("reference"), each) for each in _from(entry))))
        found.append(Section(tr("Why it stands here"), tuple(_sentences(entry.item.reasons))))
    return found


def day_and_time(seconds: float) -> str:
    """Return a time of the epoch as people write it."""
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"


def loss_words(loss: ModelLoss) -> str:
    """Return the one figure that the quality gate goes by."""
    if loss.loss_ratio < _UNNOTICEABLE_RATIO:
        return tr("no worse than the original")
    return tr("{ratio} worse than the original", ratio=f"{loss.loss_ratio:.1%}")


def _fact(label: str, value: str | None, tone: Tone = "") -> Fact:
    return Fact(label, toned(value or "", tone))


def _known(pairs: Iterable[tuple[str, str | None]]) -> Iterator[Fact]:
    return (_fact(label, value) for label, value in pairs if value)


def _sentences(texts: Iterable[str]) -> Iterator[Fact]:
    return (Fact(DOT, text) for text in texts)


def _troubles(entry: Entry) -> Iterator[Fact]:
    for problem in entry.model.problems if entry.model is not None else ():
        yield Fact("", toned("▲ " + tr("damaged: {problem}", problem=problem), "warning"))
    if entry.live is not None and entry.live.device_problem:
        yield Fact("", toned(f"▲ {entry.live.device_problem}", "warning"))
    note = entry.fit.name_note if entry.fit is not None else None
    if note or (entry.model is not None and entry.model.name_note):
        yield Fact("", toned(f"▲ {note or (entry.model and entry.model.name_note)}", "warning"))


def _now(entry: Entry) -> Iterator[Fact]:
    if entry.job is not None:
        failed = entry.job.state == "failed"
        yield _fact(tr("work"), job_line(entry.job), "error" if failed else "primary")
    if entry.model is None:
        return
    marks = [tr(entry.state)]
    marks += [tr("default")] if entry.model.is_default else []
    marks += [tr("pinned")] if entry.is_pinned else []
    yield _fact(tr("state"), ", ".join(marks))
    if entry.live is not None:
        yield from _live(entry.live)
    elif entry.model.backend is not None:
        yield _fact(tr("would run on"), entry.model.backend)


def _live(live: LoadedModelStatus) -> Iterator[Fact]:
    expires = None if live.expires_in_s is None else format_seconds(max(1, round(live.expires_in_s)))
    requests = None
    if live.num_running or live.num_waiting:
        requests = tr("{running} running, {waiting} waiting", running=live.num_running, waiting=live.num_waiting)
    yield from _known(
        (
            (tr("because"), live.reason),
            (tr("runs on"), f"{live.backend}, {live.device}"),
            (tr("layers on GPU"), str(live.gpu_layers) if live.gpu_layers else None),
            (tr("memory"), format_bytes(live.memory_bytes)),
            (tr("context"), tr("{number} tokens", number=f"{live.context_tokens:,}")),
            (tr("requests"), requests),
            (tr("writes now"), f"{speed(live.tokens_per_s)} tok/s" if live.tokens_per_s else None),
            (tr("leaves in"), expires),
        )
    )


def _fit(entry: Entry) -> Iterator[Fact]:
    fit = entry.fit
    if fit is None:
        if entry.item is not None and entry.item.memory_bytes is not None:
            yield _fact(tr("memory"), format_bytes(entry.item.memory_bytes))
        return
    yield _verdict(fit)
    for at in fit.contexts:
        label = tr("{number} tokens", number=f"{at.context_tokens:,}")
        text = format_bytes(at.memory_bytes)
        yield _fact(label, text) if at.is_fitting else _fact(label, tr("{size}, too much now", size=text), "warning")
    if fit.measured is not None:
        yield from _measured(fit.measured)
    if fit.speed is not None:
        label = tr("writes, about") if fit.measured is None else tr("predicted")
        yield _fact(label, f"{speed(fit.speed.decode_tokens_per_s)} tok/s")
        yield _fact(tr("reads, roughly"), f"{speed(fit.speed.prompt_tokens_per_s)} tok/s")
        yield _fact("", fit.speed.basis, "muted")
    yield from (_fact("", note, "muted") for note in fit.notes)


def _verdict(fit: Fit) -> Fact:
    budget = format_bytes(fit.budget_bytes)
    if fit.max_context_tokens is None:
        return _fact(tr("fits"), tr("no; {size} may be used now", size=budget), "warning")
    tokens = f"{fit.max_context_tokens:,}"
    return _fact(tr("fits"), tr("up to {number} tokens; {size} may be used now", number=tokens, size=budget), "success")


def _measured(found: Measurement) -> Iterator[Fact]:
    """Yield the speeds that were found here, and when."""
    for each in found.speed.prefill:
        yield _fact(tr("reads {number}", number=f"{each.num_tokens:,}"), f"{speed(each.tokens_per_s)} tok/s")
    if found.speed.decode_1_tokens_per_s is not None:
        yield _fact(tr("writes"), f"{speed(found.speed.decode_1_tokens_per_s)} tok/s")
    if found.speed.decode_8_tokens_per_s is not None:
        yield _fact(tr("in 8 chats"), f"{speed(found.speed.decode_8_tokens_per_s)} tok/s")
    when = day_and_time(found.measured_s)
    yield _fact(tr("measured"), tr("{when}, beside other programs", when=when) if found.is_disturbed else when)


def _model(entry: Entry) -> Iterator[Fact]:
    model, item, fit = entry.model, entry.item, entry.fit
    number = model.num_parameters if model is not None else item.num_parameters if item is not None else None
    trained = model.trained_context_tokens if model is not None else item.context_length_tokens if item else None
    download = fit.weights_bytes if fit is not None and model is None else None
    yield from _known(
        (
            (tr("architecture"), model.architecture if model is not None else None),
            (tr("format"), model.format if model is not None else None),
            (tr("parameters"), _parameters(number, item)),
            (tr("quantization"), model.quantization if model is not None else item.quantization if item else None),
            (tr("trained for"), tr("{number} tokens", number=f"{trained:,}") if trained else None),
            (tr("on disk"), format_bytes(model.size_bytes) if model is not None else None),
            (tr("to fetch"), tr("about {size}", size=format_bytes(download)) if download else None),
            (tr("can"), ", ".join(entry.abilities)),
            (tr("languages"), ", ".join(item.languages) if item is not None else None),
            (tr("template"), fit.template if fit is not None else None),
            (tr("published"), item.released if item is not None else None),
            (tr("maturity"), item.maturity if item is not None else None),
            (tr("catalogue of"), item.origin if item is not None else None),
        )
    )


def _parameters(number: int | None, item: CatalogueItem | None) -> str | None:
    if number is None:
        return None
    if item is not None and item.num_active_parameters is not None:
        return tr("{number}, {active} at work", number=count(number), active=count(item.num_active_parameters))
    return count(number)


def _licence(entry: Entry) -> Iterator[Fact]:
    sources = (entry.model, entry.item, entry.fit)
    name = next((source.licence for source in sources if source is not None and source.licence), None)
    yield from _known(((tr("licence"), name),))
    if entry.fit is not None and entry.fit.licence_note:
        yield _fact("", entry.fit.licence_note, "muted" if entry.fit.is_licence_allowed else "error")


def _loss(loss: ModelLoss | None) -> Iterator[Fact]:
    if loss is None:
        return
    yield _fact(tr("loss"), loss_words(loss))
    figures: tuple[tuple[str, float | None, str], ...] = (
        (tr("perplexity"), loss.perplexity, ".4g"),
        (tr("original's"), loss.reference_perplexity, ".4g"),
        (tr("divergence"), loss.kl_mean, ".3g"),
        (tr("99 % below"), loss.kl_p99, ".3g"),
        (tr("same choice"), loss.top1_agreement_ratio, ".1%"),
        (tr("cosine"), loss.cosine_mean, ".4f"),
        (tr("least cosine"), loss.cosine_min, ".4f"),
        (tr("same ranking"), loss.ranking_agreement_ratio, ".1%"),
    )
    yield from _known((label, None if value is None else format(value, form)) for label, value, form in figures)
    yield from _known(((tr("method"), loss.method),))


def _origin(model: InstalledModel) -> Iterator[Fact]:
    came = model.provenance
    yield from _known(
        (
            (tr("alias of"), model.alias_of),
            (tr("came from"), came.reference if came is not None else None),
            (tr("publisher"), came.publisher if came is not None else None),
            (tr("revision"), came.revision if came is not None else None),
            (tr("licence there"), came.licence if came is not None else None),
            (tr("fetched"), day_and_time(came.fetched_s) if came is not None else None),
        )
    )
    for file in came.files if came is not None else ():
        stated = tr("as the source states") if file.is_stated else tr("measured here")
        yield _fact(tr("file"), f"{file.name}: sha256 {file.sha256}, {stated}")
    added = None if model.added_s is None else day_and_time(model.added_s)
    yield from _known(((tr("added"), added), (tr("path"), model.path), (tr("digest"), model.digest)))


def _versions(versions: ModelVersions | None) -> Iterator[Fact]:
    for each in versions.versions if versions is not None and len(versions.versions) > 1 else ():
        text = f"{format_bytes(each.size_bytes)}, {day_and_time(each.added_s)}"
        label = tr("{number}, current", number=each.number) if each.is_current else str(each.number)
        yield _fact(label, ", ".join([text, *each.problems]), "" if each.is_current else "muted")


def _reasons(model: InstalledModel) -> Iterator[str]:
    yield from (model.choice,) if model.choice else ()
    yield from model.reasons


def _from(entry: Entry) -> tuple[str, ...]:
    return entry.item.references if entry.item is not None else ()


def _adapter(adapter: AdapterView) -> Iterator[Fact]:
    yield from _known(
        (
            (tr("fits"), ", ".join(adapter.fits) or tr("no model that is here")),
            (tr("made for"), adapter.base),
            (tr("architecture"), adapter.architecture),
            (tr("rank"), str(adapter.rank)),
            (tr("alpha"), None if adapter.alpha is None else f"{adapter.alpha:g}"),
            (tr("changes"), ", ".join(adapter.targets)),
            (tr("licence"), adapter.licence),
            (tr("on disk"), format_bytes(adapter.size_bytes)),
            (tr("added"), day_and_time(adapter.added_s)),
            (tr("path"), adapter.path),
            (tr("digest"), adapter.digest),
        )
    )
