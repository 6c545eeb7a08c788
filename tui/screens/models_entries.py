"""What the place of the models lists: installed ones, those on their way, adapters, and what could be had. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from appliance.core.admin import InstalledModel, LoadedModelStatus
from appliance.core.catalogue import CatalogueAnswer, CatalogueItem, Fit
from appliance.core.events import ModelState
from appliance.core.jobs import Job
from appliance.core.store import AdapterView
from appliance.words import tr

REMEMBERED_FAILURE_S = 900.0
"""So long a row says that what was done with it failed."""
_TIGHT_RATIO = 0.8

Kind = Literal["installed", "coming", "adapter", "catalogue"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row's subject. `job` is the work at it that has not ended or failed a moment ago, `live` what is in memory.

    `item` is what the catalogue says of it. `loading_ratio` is how far it is in memory, while somebody here loads it.
    """

    key: str
    kind: Kind
    name: str
    model: InstalledModel | None = None
    item: CatalogueItem | None = None
    adapter: AdapterView | None = None
    fit: Fit | None = None
    live: LoadedModelStatus | None = None
    job: Job | None = None
    budget_bytes: int | None = None
    loading_ratio: float | None = None

    @property
    def state(self) -> ModelState:
        """Return the state of an installed model, the newest that is known."""
        if self.loading_ratio is not None:
            return "loading"
        if self.live is not None:
            return self.live.state
        return self.model.state if self.model is not None and self.model.state == "failed" else "stopped"

    @property
    def is_pinned(self) -> bool:
        """Return whether it stays in memory."""
        return self.live.is_pinned if self.live is not None else bool(self.model and self.model.is_pinned)

    @property
    def is_busy(self) -> bool:
        """Return whether a job is at work on it, or will be."""
        return self.job is not None and not self.job.has_ended

    @property
    def is_fitting(self) -> bool:
        """Return whether it can be used on this machine now, as far as that is known."""
        if self.model is not None:
            return self.fit is None or self.fit.max_context_tokens is not None
        return self.item is not None and self.item.rank is not None

    @property
    def memory_bytes(self) -> int | None:
        """Return the memory that it takes, else that it would take."""
        if self.live is not None and self.live.state == "ready" and self.live.memory_bytes:
            return self.live.memory_bytes
        if self.model is not None:
            return self.model.estimated_bytes or _least_memory(self.fit)
        return self.item.memory_bytes if self.item is not None else None

    @property
    def is_tight(self) -> bool:
        """Return whether it would take most of the memory that may be used."""
        memory, budget = self.memory_bytes, self.budget_bytes
        return self.live is None and memory is not None and budget is not None and memory > _TIGHT_RATIO * budget

    @property
    def size_bytes(self) -> int | None:
        """Return its size on the disk; of one that is not here what it says of itself."""
        if self.model is not None or self.adapter is not None:
            return self.model.size_bytes if self.model is not None else self.adapter.size_bytes  # type: ignore[union-attr]  # one of both
        if self.job is not None and self.job.progress.unit == "bytes" and self.job.progress.total:
            return int(self.job.progress.total)
        return None

    @property
    def written_tokens_per_s(self) -> tuple[float, bool] | None:
        """Return how fast it writes, and whether that was measured; None where nothing is known."""
        if self.model is None and self.item is not None:
            return None if self.item.speed is None else (self.item.speed.decode_tokens_per_s, False)
        if self.fit is not None and self.fit.measured is not None:
            found = self.fit.measured.speed.decode_1_tokens_per_s
            return None if found is None else (found, True)
        speed = self.fit.speed if self.fit is not None else None
        return None if speed is None else (speed.decode_tokens_per_s, False)

    @property
    def abilities(self) -> tuple[str, ...]:
        """Return what it can do and is made for, each once."""
        found = [*(self.model.capabilities if self.model is not None else ())]
        found += (*self.item.capabilities, *self.item.purposes) if self.item is not None else ()
        return tuple(dict.fromkeys(found))


def _least_memory(fit: Fit | None) -> int | None:
    return fit.contexts[0].memory_bytes if fit is not None and fit.contexts else None


@dataclass(slots=True)
class Known:
    """What the box has said so far. `fits` are by the names of models, of those that were asked for."""

    models: tuple[InstalledModel, ...] = ()
    catalogue: CatalogueAnswer | None = None
    adapters: tuple[AdapterView, ...] = ()
    jobs: dict[str, Job] = field(default_factory=dict)
    fits: dict[str, Fit] = field(default_factory=dict)
    live: dict[str, LoadedModelStatus] = field(default_factory=dict)
    loading: dict[str, float] = field(default_factory=dict)


def entries(known: Known, now_s: float) -> list[Entry]:
    """Return all of it: what is installed, what is coming, adapters, then the catalogue, the best first."""
    items = known.catalogue.models if known.catalogue is not None else ()
    by_name = {item.name: item for item in items}
    installed = {_plain_name(model.name) for model in known.models}
    of_rows, others = _jobs_by_row(known, by_name, installed, now_s)
    found = list(_installed(known, by_name, of_rows))
    found += [Entry(key=f"job:{job.id}", kind="coming", name=_reference(job), job=job) for job in others]
    found += [
        Entry(key=f"adapter:{each.name}", kind="adapter", name=each.name, adapter=each) for each in known.adapters
    ]
    budget = known.catalogue.budget_bytes if known.catalogue is not None else None
    for item in items:
        if item.name not in installed:
            key = f"model:{item.name}"
            job = of_rows.get(key)
            fit = known.fits.get(item.name)
            found.append(
                Entry(key=key, kind="catalogue", name=item.name, item=item, fit=fit, job=job, budget_bytes=budget)
            )
    return found


def settled(found: Sequence[Entry], before: Iterable[str]) -> list[Entry]:
    """Return the entries where they stood `before`, by their keys; a new one stands behind its neighbour in `found`."""
    by_key = {entry.key: entry for entry in found}
    keys = [key for key in before if key in by_key]
    present, previous = set(keys), None
    for entry in found:
        if entry.key not in present:
            keys.insert(0 if previous is None else keys.index(previous) + 1, entry.key)
            present.add(entry.key)
        previous = entry.key
    return [by_key[key] for key in keys]


def holds(entry: Entry, words: Sequence[str]) -> bool:
    """Return whether every word is found in what is known of the entry. The words are in lower case."""
    if not words:
        return True
    text = " ".join(_said_of(entry)).lower()
    return all(word in text for word in words)


def _said_of(entry: Entry) -> Iterator[str]:
    yield entry.name
    yield from entry.abilities
    for text, is_so in (
        ("installed", entry.model is not None),
        ("catalogue", entry.kind == "catalogue"),
        ("adapter lora", entry.kind == "adapter"),
        ("fits", entry.is_fitting),
        ("pinned", entry.is_pinned),
        ("loaded", entry.live is not None and entry.live.state == "ready"),
        ("default", entry.model is not None and entry.model.is_default),
        ("alias", entry.model is not None and entry.model.alias_of is not None),
        ("damaged", entry.model is not None and bool(entry.model.problems)),
        ("busy", entry.is_busy),
    ):
        if is_so:
            yield text
            yield tr(text)
    if (item := entry.item) is not None:
        yield from (item.title, item.publisher, item.family, item.licence, item.quantization or "", *item.languages)
    if (model := entry.model) is not None:
        yield from (model.licence or "", model.quantization or "", model.architecture or "", model.format)


def subject_of(job: Job) -> str:
    """Return the name of the model that a job works on, without the way of running it."""
    subject = job.arguments.get("candidate") or job.arguments.get("model") or ""
    return str(subject).partition("@")[0] if job.kind != "pull" else str(subject)


def _installed(known: Known, by_name: dict[str, CatalogueItem], of_rows: dict[str, Job]) -> Iterator[Entry]:
    for model in known.models:
        name = _plain_name(model.name)
        fit = known.fits.get(model.name)
        yield Entry(
            key=f"model:{name}",
            kind="installed",
            name=model.name,
            model=model,
            item=by_name.get(name),
            fit=fit,
            live=known.live.get(model.name),
            job=of_rows.get(f"model:{name}"),
            budget_bytes=fit.budget_bytes if fit is not None else None,
            loading_ratio=known.loading.get(model.name),
        )


def _jobs_by_row(
    known: Known, by_name: dict[str, CatalogueItem], installed: set[str], now_s: float
) -> tuple[dict[str, Job], list[Job]]:
    """Return the newest job that counts by the key of its row, and the pulls that have no other row."""
    of_rows: dict[str, Job] = {}
    others: list[Job] = []
    seen: set[str] = set()
    for job in sorted(known.jobs.values(), key=lambda job: -job.created_s):
        if job.kind == "pull":
            name = _plain_name(str(job.arguments.get("name") or _catalogue_name(job, by_name) or ""))
            has_row = name in by_name or name in installed
        else:
            name = _plain_name(subject_of(job))
            has_row = name in installed
        subject = name if has_row else subject_of(job)
        if subject in seen:
            continue
        seen.add(subject)
        if job.has_ended and not (job.state == "failed" and now_s - (job.ended_s or 0.0) < REMEMBERED_FAILURE_S):
            continue
        if has_row:
            of_rows[f"model:{name}"] = job
        elif job.kind == "pull":
            others.append(job)
    return of_rows, others[::-1]


def _catalogue_name(job: Job, by_name: dict[str, CatalogueItem]) -> str | None:
    name = str(job.arguments.get("model", "")).partition(":")[0]
    return name if name in by_name else None


def _reference(job: Job) -> str:
    return str(job.arguments.get("name") or job.arguments.get("model") or job.id)


def _plain_name(name: str) -> str:
    """Return a name without the tag that means none."""
    return name.removesuffix(":latest")
