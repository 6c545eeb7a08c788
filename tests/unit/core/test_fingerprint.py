"""Names of results: the same for the same, and never the same for something else."""

import pytest

from appliance.core.fingerprint import fingerprint, kv_fingerprint

FIELDS = {"digest": "sha256:0", "backend": "fast", "backend_version": "1.0", "kv_type": "f16"}


def test_a_fingerprint_is_the_same_in_every_process_and_version() -> None:
    assert kv_fingerprint(**FIELDS) == "79e0342b2a03cf2279a1a3649b9d7e61"


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_counts(field: str) -> None:
    assert kv_fingerprint(**FIELDS | {field: "other"}) != kv_fingerprint(**FIELDS)


def test_an_unknown_version_is_not_one_called_none() -> None:
    assert kv_fingerprint(**FIELDS | {"backend_version": None}) != kv_fingerprint(
        **FIELDS | {"backend_version": "None"}
    )


def test_order_does_not_count_but_kind_version_and_names_do() -> None:
    assert fingerprint("kv", 1, {"a": 1, "b": 2}) == fingerprint("kv", 1, {"b": 2, "a": 1})
    others = [
        fingerprint("response", 1, {"a": 1}),
        fingerprint("kv", 2, {"a": 1}),
        fingerprint("kv", 1, {"b": 1}),
        fingerprint("kv", 1, {"a": "1"}),
    ]
    assert len({fingerprint("kv", 1, {"a": 1}), *others}) == 5
