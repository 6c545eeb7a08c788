"""Requests with adapters in the engine: each as if it were alone, in every cache apart, and never in another's way."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from appliance.backends.base import Batch, StepOutput
from appliance.backends.echo_description import EchoOptions
from appliance.core.events import Failed
from appliance.core.plan import LoadPlan
from appliance.core.request import AdapterRef, GenerateRequest, RequestId
from appliance.core.traits import AdapterId
from appliance.engine import adapters as rack
from appliance.engine.rotation import STEPS_A_TURN
from tests.unit.engine.engine_bench import Bench, DisturbedModel, text_prompt

PROMPT = "once upon a time there was a model with an adapter "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tone", "law", "verse"):
        (tmp_path / name).write_text(f"adapter {name}")
    return tmp_path


def ref(folder: Path, name: str, digest: str = "", scale: float = 1.0) -> AdapterRef:
    path = str(folder / name)
    return AdapterRef(
        name=name, digest=digest or f"sha256:{name}", path=path, format="gguf", compiled_path="", scale=scale
    )


def ask(request_id: str, *adapters: AdapterRef, max_tokens: int = 12, **fields: Any) -> GenerateRequest:
    return text_prompt(request_id, fields.pop("text", PROMPT), max_tokens, adapters=adapters, **fields)


def alone(request: GenerateRequest) -> str:
    return Bench().start(request).run().text(request.id)


class WatchedModel(DisturbedModel):
    """Notes the set of every step, and which adapters are in memory."""

    def __init__(self, plan: LoadPlan, options: EchoOptions) -> None:
        super().__init__(plan, options)
        self.sets: list[Any] = []
        self.in_memory: dict[AdapterId, str] = {}

    def step(self, batch: Batch) -> StepOutput:
        self.sets.append(batch.adapters)
        return super().step(batch)

    def load_adapter(self, path: str) -> AdapterId:
        adapter = super().load_adapter(path)
        self.in_memory[adapter] = Path(path).name
        return adapter

    def unload_adapter(self, adapter: AdapterId) -> None:
        super().unload_adapter(adapter)
        del self.in_memory[adapter]


class Watched(Bench):
    kind = WatchedModel
    model: WatchedModel

    @property
    def names(self) -> list[str]:
        return sorted(self.model.in_memory.values())


def test_sets_among_each_other_write_what_each_writes_alone(folder: Path) -> None:
    tone, law = ref(folder, "tone"), ref(folder, "law")
    weak = ref(folder, "tone", scale=0.5)
    sets = {"base": (), "tone": (tone,), "law": (law,), "both": (tone, law), "weak": (weak,)}
    requests = [ask(name, *adapters) for name, adapters in sets.items()]
    expected = [alone(request) for request in requests]
    assert len(set(expected)) == len(requests)
    bench = Bench().start(*requests).run()
    assert [bench.text(request.id) for request in requests] == expected


def test_guesses_and_several_choices_change_nothing(folder: Path) -> None:
    request = ask("a", ref(folder, "tone"), max_tokens=40, num_choices=3)
    plain = Bench(speculates=False).start(request).run()
    beside = Bench().start(request, ask("base", max_tokens=40)).run()
    assert {beside.text("a", choice) for choice in range(3)} == {plain.text("a")}


def test_each_set_has_its_share_of_the_steps_and_waits_for_a_few_at_most(folder: Path) -> None:
    bench = Watched(speculates=False)
    for name, adapters in (("base", ()), ("a", (ref(folder, "tone"),)), ("b", (ref(folder, "law"),))):
        bench.start(ask(name, *adapters, max_tokens=60))
    bench.step(40)
    shares = [bench.model.sets.count(each) for each in {*bench.model.sets}]
    assert len(shares) == 3
    assert max(shares) - min(shares) <= STEPS_A_TURN
    for each in {*bench.model.sets}:
        places = [
            -1,
            *(place for place, applied in enumerate(bench.model.sets) if applied == each),
            len(bench.model.sets),
        ]
        assert max(after - before - 1 for before, after in pairwise(places)) <= 2 * STEPS_A_TURN


def test_a_prompt_is_read_every_second_step_beside_who_writes_with_another_set(folder: Path) -> None:
    bench = Watched(speculates=False).start(ask("writes", max_tokens=200))
    bench.step(8)
    num_before = len(bench.model.sets)
    bench.start(ask("reads", ref(folder, "tone"), text=PROMPT * 9))
    while bench.text("reads") == "":
        bench.step()
    steps = [bool(each) for each in bench.model.sets[num_before:]]
    assert len(steps) > 4
    assert all(one != other for one, other in pairwise(steps[STEPS_A_TURN:]))


def test_sequences_with_the_same_set_share_its_steps_whatever_the_order_of_their_names(folder: Path) -> None:
    tone, law = ref(folder, "tone"), ref(folder, "law")
    bench = Watched()
    bench.start(ask("a", tone, law, text="some words"), ask("b", law, tone, text="other words")).run()
    assert len({*bench.model.sets}) == 1


def test_a_prompt_is_found_again_with_its_own_adapters_alone(folder: Path) -> None:
    tone = ref(folder, "tone")
    bench = Bench().start(ask("first", tone)).run()
    for request_id, adapters in (("base", ()), ("law", (ref(folder, "law"),)), ("again", (tone,))):
        bench.start(ask(request_id, *adapters)).run()
    cached = {name: bench.finished(name).usage.cached_tokens for name in ("base", "law", "again")}
    assert cached["base"] == cached["law"] == 0 < cached["again"]
    assert bench.text("again") == bench.text("first")


def test_an_adapter_whose_content_changed_under_its_name_is_another(folder: Path) -> None:
    old = ref(folder, "tone", "sha256:old")
    bench = Bench().start(ask("old", old)).run()
    (folder / "tone").write_text("changed")
    changed = ref(folder, "tone", "sha256:new")
    bench.start(ask("new", changed)).run()
    assert bench.finished("new").usage.cached_tokens == 0
    assert bench.text("new") == alone(ask("new", changed)) != bench.text("old")


def test_a_paused_request_goes_on_with_its_adapters(folder: Path) -> None:
    request = ask("a", ref(folder, "tone"), max_tokens=30, text=PROMPT * 4)
    bench = Bench().start(request)
    bench.step(10)
    bench.engine.pause(RequestId("a"))
    bench.start(ask("b", ref(folder, "law"), text=PROMPT * 4)).run()
    bench.engine.resume(RequestId("a"))
    assert bench.run().text("a") == alone(request)


def test_an_adapter_that_cannot_be_read_fails_its_request_and_no_other(folder: Path) -> None:
    gone = ref(folder, "gone")
    bench = Bench().start(ask("a", gone, num_choices=2), ask("b", ref(folder, "tone")), ask("c")).run()
    (failed,) = bench.of(Failed)
    assert failed.id == "a"
    assert "adapter 'gone' cannot be applied, it may have been removed" in failed.error.message
    assert bench.text("b") and bench.text("c")


def test_a_removed_adapter_serves_who_began_with_it_and_is_read_anew_for_who_comes_later(folder: Path) -> None:
    request = ask("a", ref(folder, "tone"), max_tokens=20)
    expected = alone(request)
    bench = Watched().start(request)
    bench.step(3)
    (folder / "tone").unlink()
    bench.engine.forget_adapter("sha256:tone")
    assert bench.run().text("a") == expected
    assert bench.names == []
    bench.start(ask("late", ref(folder, "tone"))).run()
    assert [event.id for event in bench.of(Failed)] == ["late"]


def test_an_idle_adapter_that_was_removed_leaves_memory_at_once(folder: Path) -> None:
    bench = Watched().start(ask("a", ref(folder, "tone"))).run()
    assert bench.names == ["tone"]
    bench.engine.forget_adapter("sha256:tone")
    assert bench.names == []
    bench.engine.forget_adapter("sha256:never")


def test_the_least_recently_used_adapter_leaves_where_there_are_too_many(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rack, "MAX_LOADED", 2)
    bench = Watched()
    for name in ("tone", "law", "tone", "verse"):
        bench.start(ask(f"{name}-{len(bench.events)}", ref(folder, name))).run()
    assert bench.names == ["tone", "verse"]


def test_no_more_adapters_are_in_memory_than_fit_and_who_waits_for_room_gets_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rack, "MAX_LOADED", 1)
    requests = [ask(name, ref(folder, name)) for name in ("tone", "law", "verse")]
    bench = Watched().start(*requests)
    while bench.engine.has_work:
        bench.step()
        assert len(bench.names) <= 1
    assert [bench.text(request.id) for request in requests] == [alone(request) for request in requests]


def test_large_adapters_count_by_their_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rack, "MAX_BYTES", len("adapter verse") + 1)
    bench = Watched().start(ask("a", ref(folder, "tone"))).run()
    bench.start(ask("b", ref(folder, "verse"))).run()
    assert bench.names == ["verse"]
