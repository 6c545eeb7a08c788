"""The keys file: what it holds, who may read it, and what damage does."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.errors import Conflict, InvalidRequest, KeyNotFound
from appliance.ops.keys import KeyStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "keys"


def test_a_key_is_found_by_itself_alone(path: Path) -> None:
    keys = KeyStore(path)
    assert keys.is_empty()
    created = keys.create("ci", "operate")
    found = keys.find(created.key)
    assert found is not None
    assert (found.name, found.scope) == ("ci", "operate")
    for wrong in ("", created.key[:-1], created.key + "x", created.key.upper()):
        assert keys.find(wrong) is None


def test_the_file_holds_no_key_and_only_its_owner_reads_it(path: Path) -> None:
    created = KeyStore(path).create("ci", "use")
    name, scope, digest = path.read_text().split()
    assert (name, scope, digest[:7]) == ("ci", "use", "sha256:")
    assert created.key not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_keys_are_never_alike(path: Path) -> None:
    keys = KeyStore(path)
    assert keys.create("a", "use").key != keys.create("b", "use").key


@pytest.mark.parametrize("name", ["", "a b", "#a", "-a", "local", "a" * 65, "a\nb admin sha256:0"])
def test_a_name_that_would_break_the_file_is_refused(path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        KeyStore(path).create(name, "use")
    assert caught.value.param == "name"
    assert not path.exists()


def test_a_name_is_taken_once(path: Path) -> None:
    keys = KeyStore(path)
    keys.create("ci", "use")
    with pytest.raises(Conflict):
        keys.create("ci", "admin")


def test_a_revoked_key_is_gone_and_the_others_stay(path: Path) -> None:
    keys = KeyStore(path)
    first, second = keys.create("first", "use"), keys.create("second", "use")
    keys.revoke("first")
    assert keys.find(first.key) is None
    assert keys.find(second.key) is not None
    with pytest.raises(KeyNotFound):
        keys.revoke("first")


def test_a_change_by_another_process_is_seen(path: Path) -> None:
    keys, other = KeyStore(path), KeyStore(path)
    assert keys.is_empty()
    created = other.create("ci", "use")
    assert keys.find(created.key) is not None
    path.unlink()
    assert keys.is_empty()


def test_options_and_comments_survive(path: Path) -> None:
    keys = KeyStore(path)
    keys.create("ci", "use")
    path.write_text("# who is who\n" + path.read_text().rstrip() + " weight=2 header=X-User\n")
    keys.create("more", "use")
    assert keys.infos()[0].options == {"weight": "2", "header": "X-User"}
    assert path.read_text().startswith("# who is who\n")


@pytest.mark.parametrize("damage", ["nonsense\n", "ci owner sha256:0\n", "ci use md5:0\n", "ci use sha256:0 option\n"])
def test_damage_closes_the_door_instead_of_opening_it(path: Path, damage: str) -> None:
    path.parent.mkdir()
    path.write_text(damage)
    keys = KeyStore(path)
    assert not keys.is_empty()
    assert keys.infos() == ()


def test_keys_made_at_the_same_time_are_all_kept(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: KeyStore(path).create(f"key{i}", "use"), range(16)))
    assert len(KeyStore(path).infos()) == 16
