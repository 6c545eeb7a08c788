"""Requests with media in the cache: known by digest and place, never by bytes, and near only with equal ones."""

import msgspec

from appliance.core.caller import LOCAL
from appliance.core.request import ChatPrompt, GenerateRequest, Media, Message, RequestId
from appliance.core.response_cache import CacheWish
from appliance.core.sampling import SamplingParams
from appliance.service.answers.policy import CachePlan, plan, said
from appliance.settings import CacheSettings

CAT = Media(kind="image", data=b"meow" * 1000, digest="c" * 64, at=0)
DOG = Media(kind="image", data=b"woof" * 1000, digest="d" * 64, at=0)


def asking(text: str, *media: Media) -> GenerateRequest:
    prompt = ChatPrompt(messages=(Message(role="user", content=text, media=media),))
    return GenerateRequest(
        id=RequestId("a"), model="m", prompt=prompt, sampling=SamplingParams(temperature=0), cache=CacheWish()
    )


def planned(request: GenerateRequest) -> CachePlan:
    found = plan(request, lambda model: "sha256:1", LOCAL, CacheSettings(semantic_model="embedder"))
    assert found is not None
    return found


def test_another_picture_or_place_is_another_request() -> None:
    names = {
        planned(request).name
        for request in (
            asking("what?"),
            asking("what?", CAT),
            asking("what?", DOG),
            asking("what?", msgspec.structs.replace(CAT, at=5)),
            asking("what?", msgspec.structs.replace(CAT, kind="audio")),
            asking("what?", CAT, CAT),
        )
    }
    assert len(names) == 6


def test_the_same_picture_is_the_same_request() -> None:
    assert planned(asking("what?", CAT)).name == planned(asking("what?", msgspec.structs.replace(CAT))).name


def test_the_bytes_are_left_out_of_what_is_compared() -> None:
    assert len(said(asking("what?", CAT))) < 1000


def test_near_questions_meet_only_over_equal_pictures() -> None:
    about_cat = planned(asking("what?", CAT)).neighbourhood
    assert about_cat == planned(asking("which?", CAT)).neighbourhood
    assert about_cat not in (planned(asking("what?", DOG)).neighbourhood, planned(asking("what?")).neighbourhood)
