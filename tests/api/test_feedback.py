"""`/v1/feedback`: what callers think of answers."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Daemon

ID = "chatcmpl-1"


def give(http: httpx.Client, **fields: Any) -> httpx.Response:
    return http.post("/v1/feedback", json={"response_id": ID} | fields)


@pytest.mark.parametrize(
    ("fields", "score"),
    [
        ({"score": -1}, -1),
        ({"score": 0}, 0),
        ({"score": 0.25}, 0.25),
        ({"score": "up"}, 1),
        ({"score": "down"}, -1),
        ({"stars": 1}, -1),
        ({"stars": 4}, 0.5),
    ],
)
def test_every_way_to_judge_becomes_a_score(http: httpx.Client, fields: dict[str, Any], score: float) -> None:
    assert give(http, **fields).json()["score"] == score


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"score": 2},
        {"score": "sideways"},
        {"stars": 0},
        {"stars": 6},
        {"score": 1, "stars": 5},
        {"score": 1, "comment": "x" * 10_001},
        {"score": 1, "tags": ["x"] * 33},
        {"score": 1, "response_id": "x" * 257},
        {"score": 1, "response_id": ""},
        {"score": 1, "response_id": "two words"},
    ],
)
def test_what_is_no_judgement_is_refused(http: httpx.Client, fields: dict[str, Any]) -> None:
    assert give(http, **fields).status_code == 400
    assert http.get("/v1/feedback").json()["data"] == []


@pytest.mark.parametrize("id", ["chatcmpl-1", "msg_01", "resp_2", "task-3", "cmpl-4"])
def test_an_answer_of_any_kind_is_judged(http: httpx.Client, id: str) -> None:
    assert give(http, response_id=id, score="up").json()["response_id"] == id


def test_whoever_judges_again_has_changed_their_mind(http: httpx.Client) -> None:
    give(http, score="up", comment="Good.", tags=["short"])
    give(http, score="down", comment="It was wrong.")
    found = http.get("/v1/feedback").json()["data"]
    assert [(each["score"], each["comment"], each["tags"]) for each in found] == [(-1, "It was wrong.", [])]


def test_the_newest_comes_first_and_pages_follow(http: httpx.Client) -> None:
    for number in range(5):
        give(http, response_id=f"resp_{number}", score=0)
    page = http.get("/v1/feedback?limit=2").json()
    assert ([each["response_id"] for each in page["data"]], page["has_more"]) == (["resp_4", "resp_3"], True)
    rest = http.get("/v1/feedback?after=resp_3").json()
    assert ([each["response_id"] for each in rest["data"]], rest["has_more"]) == (["resp_2", "resp_1", "resp_0"], False)


def test_callers_see_their_own_and_an_admin_everybodys(http: httpx.Client, daemon: Daemon) -> None:
    ada, bob, root = (
        daemon.parts.keys.create(name, scope).key for name, scope in (("ada", "use"), ("bob", "use"), ("root", "admin"))
    )
    for key, score in ((ada, 1), (bob, -1)):
        http.post("/v1/feedback", json={"response_id": ID, "score": score}, headers={"Authorization": f"Bearer {key}"})
    own = http.get("/v1/feedback", headers={"Authorization": f"Bearer {bob}"}).json()["data"]
    assert [each["score"] for each in own] == [-1]
    assert http.get("/admin/v1/feedback", headers={"Authorization": f"Bearer {bob}"}).status_code == 403
    found = http.get("/admin/v1/feedback", headers={"Authorization": f"Bearer {root}"}).json()
    assert [(each["owner"], each["score"]) for each in found["feedback"]] == [("ada", 1), ("bob", -1)]
    assert found["next"] is None
