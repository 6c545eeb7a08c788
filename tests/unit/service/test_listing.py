"""All models as operators see them: of few, each view is new each time; of many, the oldest are made anew."""

from collections.abc import Mapping
from typing import Any

from appliance.core.admin import LoadedModelStatus
from appliance.service.listing import ALWAYS_RENEWED, Listing
from tests.fakes import loaded_status


class Views:
    """Counts how often each view was made; the clock stands still or is far ahead."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.made: list[str] = []
        self._now_s = 0.0
        self._step_s = 10.0 if is_slow else 0.0
        self.listing = Listing(self._view, self._clock)

    def _view(self, name: str, loaded: Mapping[str, LoadedModelStatus]) -> Any:
        self.made.append(name)
        return f"{name} of {len(self.made)}" + (" loaded" if name in loaded else "")

    def _clock(self) -> float:
        self._now_s += self._step_s
        return self._now_s

    def names(self, manifests: Mapping[str, Any], loaded: Mapping[str, Any] | None = None) -> list[str]:
        self.made.clear()
        return [str(view) for view in self.listing.views(manifests, loaded or {})]


def manifests(count: int) -> dict[str, Any]:
    return {f"m{number}": object() for number in range(count)}


def test_few_models_are_all_new_each_time() -> None:
    views, few = Views(is_slow=True), manifests(ALWAYS_RENEWED)
    for _ in range(2):
        shown = views.names(few)
        assert sorted(views.made) == sorted(few)
        assert [text.split()[0] for text in shown] == list(few)


def test_of_many_the_oldest_are_made_anew_in_turns() -> None:
    views, many = Views(is_slow=True), manifests(3 * ALWAYS_RENEWED)
    views.names(many)
    assert len(views.made) == len(many)
    seen: list[str] = []
    for _ in range(3):
        views.names(many)
        assert len(views.made) == ALWAYS_RENEWED
        seen += views.made
    assert sorted(seen) == sorted(many)


def test_where_there_is_time_all_are_made_anew() -> None:
    views, many = Views(), manifests(3 * ALWAYS_RENEWED)
    views.names(many)
    views.names(many)
    assert len(views.made) == len(many)


def test_a_model_in_memory_is_always_new_and_never_kept() -> None:
    views, many = Views(is_slow=True), manifests(3 * ALWAYS_RENEWED)
    views.names(many)
    assert "loaded" in views.names(many, {"m40": loaded_status("m40")})[40]
    assert "loaded" not in views.names(many)[40]


def test_what_changed_or_went_is_not_shown_as_before() -> None:
    views, many = Views(is_slow=True), manifests(3 * ALWAYS_RENEWED)
    views.names(many)
    many["m47"] = object()
    del many["m46"]
    shown = views.names(many)
    assert "m47" in views.made
    assert len(shown) == len(many)
