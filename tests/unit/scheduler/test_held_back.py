"""While the machine is hot: workers get less, batches wait, and everything comes back when it has cooled."""

from appliance.core.easing import FULL, Easing
from appliance.core.events import MachineEased
from appliance.core.messages import Budget
from tests.unit.scheduler.bench import Bench
from tests.unit.scheduler.builders import finished, request

HOT = Easing(work_ratio=0.5, holds_batch=True, reason="hot")


def budgets(bench: Bench) -> list[tuple[str, float]]:
    return [(model, message.work_ratio) for model, message in bench.effects.sent if isinstance(message, Budget)]


def test_workers_are_told_how_much_they_may_use() -> None:
    bench = Bench()
    bench.ready("a", "b")
    assert budgets(bench) == []
    bench.ease(HOT)
    bench.ease(FULL)
    assert budgets(bench) == [("a", 0.5), ("b", 0.5), ("a", 1.0), ("b", 1.0)]
    assert [event.easing for event in bench.effects.of(MachineEased)] == [HOT, FULL]


def test_a_model_that_is_loaded_while_it_is_hot_is_told_too() -> None:
    bench = Bench()
    bench.ease(HOT)
    bench.ready("a")
    assert budgets(bench) == [("a", 0.5)]


def test_batch_work_waits_and_other_work_does_not() -> None:
    bench = Bench()
    bench.ease(HOT)
    bench.ready("a")
    bench.ask(request("later", priority="batch"), request("now"))
    assert bench.effects.begun == ["warm-a", "now"]
    bench.ease(FULL)
    assert bench.effects.begun[-1] == "later"


def test_paused_batch_work_stays_paused_until_it_has_cooled() -> None:
    bench = Bench()
    bench.ready("a")
    bench.ask(*(request(str(number), priority="batch") for number in range(6)))
    bench.ask(request("now", priority="interactive"))
    bench.ease(HOT)
    bench.events(finished("now"))
    assert bench.effects.resumed == []
    bench.ease(FULL)
    assert bench.effects.resumed == ["5"]
