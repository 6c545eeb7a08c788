"""Tables about one model: how it would run, what its types lose and gain, its versions, what can be freed. Pure."""

from collections.abc import Iterable

from appliance.core.admin import InstalledModel
from appliance.core.jobs import Job
from appliance.core.measurement import Candidate, Explanation
from appliance.core.quantized import Comparison, MeasuredType
from appliance.core.store import CollectedGarbage, ModelVersions
from appliance.words import tr
from models.catalogue.expected import BITS_PER_WEIGHT
from tui.dialogs.sheet import Page
from tui.widgets.facts import DOT, Fact
from tui.widgets.figures import UNKNOWN, bar, joined
from tui.widgets.table import Column, Row
from tui.widgets.tones import Tone, Toned, toned

from .jobs_details import comparison_of
from .models_entries import subject_of
from .models_facts import day_and_time
from .models_words import size, speed

_BAR_WIDTH = 12
_GRAPH_BITS = {"int8": 9.0, "int4": 5.0}
"""Of graphs: with the scale of each block, and the layers that stay as they are; about."""
_WHAT_TYPES_ARE = {
    "Q8_0": "hardly to be told from the original",
    "Q6_K": "very close to the original",
    "Q5_K_M": "close to the original",
    "Q4_K_M": "the usual choice",
    "Q4_K_S": "a little smaller than the usual choice",
    "Q4_0": "the fastest on many processors",
    "Q3_K_M": "small; loses noticeably",
    "Q2_K": "the smallest; loses much",
    "int8": "close to the original",
    "int4": "the usual choice",
}
_BY = {
    "name": "{model} runs as {variant}: by its name",
    "setting": "{model} runs as {variant}: by the settings",
    "measurement": "{model} runs as {variant}: by measuring",
    "prediction": "{model} runs as {variant}: by prediction, until it is measured",
    "only one": "{model} runs as {variant}: the only one",
}


def explanation(found: Explanation) -> Page:
    """Return what would run a model, beside what would not, and why."""
    longest = max((each.time_ratio or 0.0 for each in found.candidates), default=0.0)
    if found.problem is not None:
        says = tr("{model} cannot run here: {problem}", model=found.model, problem=found.problem)
    else:
        variant = found.candidates[0].variant
        says = tr(_BY[found.chosen_by or "only one"], model=found.model, variant=variant)
    notes = [note for each in found.candidates if not each.is_chosen for note in _why_not(each)]
    notes += [Fact(DOT, reason) for reason in found.reasons]
    columns = (
        Column("sign", "", 1),
        Column("variant", "Variant"),
        Column("reads", "Reads/s", 8, "right"),
        Column("writes", "Writes/s", 8, "right"),
        Column("eight", "8 at once", 9, "right", from_width=90),
        Column("known", "Known", 9, from_width=100),
        Column("memory", "Memory", 9, "right", from_width=100),
        Column("loss", "Loss", 6, "right", from_width=100),
        Column("time", "Time", 5 + _BAR_WIDTH),
    )
    rows = tuple(_candidate(each, longest) for each in found.candidates)
    return Page(tr("How it runs, and why"), says, columns, rows, tuple(notes))


def _candidate(each: Candidate, longest: float) -> Row:
    known, ratio = each.speed, each.time_ratio
    sign = toned("●", "success") if each.is_chosen else "○" if each.is_ready else toned("·", "muted")
    time: Toned = toned(UNKNOWN, "muted")
    if ratio is not None:
        time = joined(f"{ratio:.2f} ", bar(ratio / longest, _BAR_WIDTH, "success" if each.is_chosen else "secondary"))
    read = known.prefill[-1].tokens_per_s if known is not None and known.prefill else None
    cells: dict[str, Toned] = {
        "sign": sign,
        "variant": toned(each.variant, "bold") if each.is_chosen else each.variant,
        "reads": speed(read),
        "writes": speed(known.decode_1_tokens_per_s if known is not None else None),
        "eight": speed(known.decode_8_tokens_per_s if known is not None else None),
        "known": UNKNOWN if known is None else tr("measured") if each.is_measured else tr("predicted"),
        "memory": size(each.memory_bytes),
        "loss": f"{each.loss_ratio:.1%}" if each.loss_ratio else UNKNOWN,
        "time": time,
    }
    return Row(each.variant, cells)


def _why_not(each: Candidate) -> list[Fact]:
    mend = [Fact("", toned(f"  {each.mend}", "primary"))] if each.mend is not None else []
    return [Fact("", ((f"{each.variant}: ", "bold"), (each.reason, ""))), *mend]


def quality(comparison: Comparison) -> Page:
    """Return what was measured of several types of one model, and which is recommended."""
    methods = [row.quality.method for row in comparison.rows if row.quality is not None]
    notes = [Fact(DOT, method) for method in methods if ";" in method]
    if any(row.is_disturbed for row in comparison.rows):
        notes.append(Fact(DOT, tr("disturbed: other programs were at work, so these speeds say little")))
    columns = (
        Column("type", "Type", 8),
        Column("size", "Size", 9, "right"),
        Column("loss", "Loss", 6, "right"),
        Column("divergence", "Divergence", 10, "right", from_width=112),
        Column("worst", "99 %", 8, "right", from_width=112),
        Column("same", "Same choice", 11, "right", from_width=84),
        Column("reads", "Reads/s", 8, "right", from_width=84),
        Column("writes", "Tok/s", 7, "right"),
        Column("remark", ""),
    )
    rows = tuple(_type(row, comparison, is_source=number == 0) for number, row in enumerate(comparison.rows))
    title = tr("Types of {model}", model=comparison.model)
    return Page(title, comparison.reason, columns, rows, tuple(notes), comparison.recommended)


def _type(row: MeasuredType, comparison: Comparison, *, is_source: bool) -> Row:
    loss, is_best = row.quality, row.type == comparison.recommended
    marks = [tr("recommended")] if is_best else [tr("the original")] if is_source else []
    marks += [] if row.is_within else [tr("loses too much")]
    marks += [tr("kept as {model}", model=row.model)] if row.model else []
    marks += [tr("disturbed")] if row.is_disturbed else []
    tone: Tone = "success" if is_best else "" if row.is_within and row.problem is None else "warning"
    sign = "● " if is_best else "" if row.is_within and row.problem is None else "▲ "

    def figure(value: float | None, form: str) -> str:
        return UNKNOWN if value is None else format(value, form)

    cells: dict[str, Toned] = {
        "type": toned(row.type, "bold"),
        "size": size(row.size_bytes),
        "loss": figure(loss.loss_ratio if loss is not None else None, ".1%"),
        "divergence": figure(loss.kl_mean if loss is not None else None, ".3g"),
        "worst": figure(loss.kl_p99 if loss is not None else None, ".3g"),
        "same": figure(loss.top1_agreement_ratio if loss is not None else None, ".1%"),
        "reads": speed(row.prefill_tokens_per_s),
        "writes": speed(row.decode_tokens_per_s),
        "remark": toned(sign + (row.problem or ", ".join(marks)), tone),
    }
    return Row(row.type, cells)


def table_of(jobs: Iterable[Job], model: str) -> Comparison | None:
    """Return the newest table that a job made of a model's types, or in which one of them is the model."""
    for job in sorted(jobs, key=lambda job: -job.created_s):
        found = comparison_of(job)
        if found is not None and (subject_of(job) == model or any(row.model == model for row in found.rows)):
            return found
    return None


def types(model: InstalledModel, *, says: str) -> Page:
    """Return the types that a model could be made, and how large each would be."""
    bits = _GRAPH_BITS if model.format == "onnx" else {k: b for k, b in BITS_PER_WEIGHT.items() if k.startswith("Q")}
    rows = []
    for name, each in sorted(bits.items(), key=lambda pair: -pair[1]):
        expected = None if model.num_parameters is None else model.num_parameters * each / 8
        cells: dict[str, Toned] = {
            "type": toned(name, "bold"),
            "size": UNKNOWN if expected is None else f"~{size(expected)}",
            "of": UNKNOWN if expected is None else f"{expected / max(1, model.size_bytes):.0%}",
            "what": toned(tr(_WHAT_TYPES_ARE[name]), "muted"),
        }
        rows.append(Row(name, cells))
    columns = (
        Column("type", "Type", 8),
        Column("size", "Size", 10, "right"),
        Column("of", "Of it", 5, "right"),
        Column("what", "What it is"),
    )
    usual = "int4" if model.format == "onnx" else "Q4_K_M"
    return Page(tr("Make {model} smaller", model=model.name), says, columns, tuple(rows), (), usual)


def versions(found: ModelVersions) -> Page:
    """Return what a name means and has meant."""
    columns = (
        Column("number", "Version", 7, "right"),
        Column("size", "Size", 9, "right"),
        Column("added", "Added", 16),
        Column("digest", "Digest", 12, from_width=90),
        Column("source", "From"),
    )
    rows = []
    for each in found.versions:
        mark = f"● {tr('current')}  " if each.is_current else ""
        source = "  ".join([each.source or UNKNOWN, *each.problems])
        cells: dict[str, Toned] = {
            "number": str(each.number),
            "size": size(each.size_bytes),
            "added": day_and_time(each.added_s),
            "digest": toned(each.digest.removeprefix("sha256:")[:12], "muted"),
            "source": ((mark, "success"), (source, "warning" if each.problems else "")),
        }
        rows.append(Row(str(each.number), cells))
    says = tr("Choose the version that the name shall mean from now on. Nothing is deleted; it can be undone.")
    current = next((str(each.number) for each in found.versions if each.is_current), None)
    return Page(tr("Versions of {model}", model=found.model), says, columns, tuple(rows), (), current)


def garbage(found: CollectedGarbage) -> str:
    """Return the sentences that ask for the deletion of what belongs to no model, its largest parts by their names."""
    largest = sorted(found.items, key=lambda item: -item.size_bytes)[:8]
    lines = [f"{size(item.size_bytes):>9}  {item.kind}  {item.name}" for item in largest]
    if len(found.items) > len(largest):
        lines.append(tr("and {number} more", number=len(found.items) - len(largest)))
    if found.num_unreadable:
        lines.append(tr("Manifests that cannot be read: {number}; so every copy stays.", number=found.num_unreadable))
    return "\n".join(lines)
