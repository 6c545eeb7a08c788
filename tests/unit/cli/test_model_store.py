"""`appliance models alias|versions|rollback|gc|scrub|find|adapters`, with a daemon and without."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from appliance.core.store import CollectedGarbage, GarbageItem, ModelVersion, ModelVersions
from models.embedded import EMBEDDED_PATH
from models.store.store import ModelStore
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, installed
from tests.unit.models.loras import write_base, write_lora
from tests.unit.models.store.test_store import write_model
from tests.unit.models.stores import fetch

ADMIN = "/admin/v1"


def version(number: int, **changes: Any) -> ModelVersion:
    values = {"digest": f"sha256:{number:064}", "size_bytes": 2**20, "added_s": 0.0, "source": None}
    return ModelVersion(number=number, **{**values, "is_current": False, **changes})


def test_an_alias_says_what_the_name_means_now(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("POST", f"{ADMIN}/models/alias", installed("a:stable", version=2))
    assert appliance("models", "alias", "guide", "a:stable").out == "'a:stable' is 'guide' now, version 2\n"
    assert daemon.last("POST", f"{ADMIN}/models/alias").body == {"model": "guide", "alias": "a:stable"}


def test_versions_are_listed_with_what_is_wrong_with_them(appliance: Command, daemon: FakeDaemon) -> None:
    found = (version(2, is_current=True, source="hf:a/b@r"), version(1, problems=("it is gone",)))
    daemon.reply("GET", f"{ADMIN}/versions/acme/a:stable", ModelVersions(model="acme/a:stable", versions=found))
    lines = appliance("models", "versions", "acme/a:stable").out.splitlines()
    assert lines[1].split()[0] == "2"
    assert lines[1].endswith("hf:a/b@r  current")
    assert lines[2].endswith("-         it is gone")


def test_a_rollback_names_the_version(appliance: Command, daemon: FakeDaemon) -> None:
    reply = ModelVersions(model="a", versions=(version(2), version(1, is_current=True)))
    daemon.reply("POST", f"{ADMIN}/models/rollback", reply)
    assert appliance("models", "rollback", "a", "--to", "1").out.startswith("'a' is version 1 again\n")
    assert daemon.last("POST", f"{ADMIN}/models/rollback").body == {"model": "a", "version": 1}


def test_garbage_is_listed_with_its_sum(appliance: Command, daemon: FakeDaemon) -> None:
    items = (
        GarbageItem(kind="version", name="a, version 1", size_bytes=0),
        GarbageItem(kind="blob", name="sha256-00", size_bytes=2**20),
    )
    daemon.reply(
        "POST", f"{ADMIN}/models/gc", CollectedGarbage(is_dry_run=True, size_bytes=2**20, items=items, num_unreadable=1)
    )
    assert appliance("models", "gc", "--dry-run").out.splitlines() == [
        "WHAT            NAME             SIZE",
        "former version  a, version 1        -",
        "copy            sha256-00     1.0 MiB",
        "1.0 MiB would be freed; 1 manifests cannot be read, so every copy stays (appliance doctor says more)",
    ]
    assert daemon.last("POST", f"{ADMIN}/models/gc").body == {"is_dry_run": True, "keep_versions": None}


@pytest.mark.parametrize("arguments", [("gc", "--keep-versions", "-1"), ("scrub", "--limit", "0"), ("find", "--all")])
def test_what_makes_no_sense_is_wrong_usage(appliance: Command, daemon: FakeDaemon, arguments: tuple[str, ...]) -> None:
    assert appliance("models", *arguments).code == 2


def test_a_limit_is_told_in_bytes(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.refuse("POST", f"{ADMIN}/models/scrub", 404, "no such model")
    assert appliance("models", "scrub", "a", "--limit", "1.5").code == 4
    assert daemon.last("POST", f"{ADMIN}/models/scrub").body == {"model": "a", "max_bytes_per_s": 1.5e6}


def test_without_a_daemon_names_change_in_the_files(run: Command, tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    for number in (1, 2):
        fetch(store, tmp_path / "downloads" / str(number), "t", float(number), revision=f"r{number}")
    assert run("models", "alias", "t", "t:stable").out == "'t:stable' is 't' now\n"
    assert run("models", "rollback", "t").out.startswith("'t' is version 1 again\n")
    assert run("models", "rollback", "t").code == 4
    assert run("models", "gc", "--keep-versions", "0").out.splitlines()[-1].endswith("freed")
    assert [each.version for each in store.versions("t")] == [1]
    shown = " ".join(run("models", "show", "t").out.split())
    assert "came from hf:acme/tiny:tiny.gguf@r1" in shown
    assert "as the source states" in shown


def test_without_a_daemon_adapters_are_kept(run: Command, tmp_path: Path) -> None:
    run("models", "add", str(write_base(tmp_path / "base.gguf")))
    tone = str(write_lora(tmp_path / "tone.gguf"))
    added = run("models", "adapters", "add", tone, "--base", "base")
    assert added.out == "added the adapter 'tone' of rank 4; it fits base\n"
    assert "attn_q, ffn_down" in run("models", "adapters", "list").out
    refused = run("models", "adapters", "add", tone, "--name", "x", "--base", "guide")
    assert (refused.code, "does not fit 'guide'" in refused.err) == (4, True)
    assert "stay where they are" in run("models", "adapters", "rm", "tone").out
    assert "there is no adapter" in run("models", "adapters", "list").out


@pytest.fixture
def ollama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An Ollama with one model, in the home of a person who has nothing else."""
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    root = tmp_path / "person" / ".ollama" / "models"
    content = EMBEDDED_PATH.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    (root / "blobs").mkdir(parents=True)
    (root / "blobs" / f"sha256-{digest}").write_bytes(content)
    manifest = root / "manifests" / "registry.ollama.ai" / "library" / "tiny" / "7m"
    manifest.parent.mkdir(parents=True)
    layer = {
        "mediaType": "application/vnd.ollama.image.model",
        "digest": f"sha256:{digest}",
        "size": len(content),
    }
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": [layer]}))
    return root


def test_models_of_other_programs_are_found_and_taken_over(run: Command, tmp_path: Path, ollama: Path) -> None:
    found = run("models", "find").out.splitlines()
    assert found[1].split()[:3] == ["tiny:7m", "Ollama", "gguf"]
    assert found[-1] == "take them over where they lie: appliance models find --adopt NAME"
    assert run("models", "find", "--adopt", "other").code == 4
    taken = run("models", "find", "--adopt", "tin*")
    assert (taken.code, taken.out) == (0, "'tiny:7m' is here, out of Ollama\n")
    model = ModelStore(tmp_path).get("tiny:7m")
    assert model is not None
    assert model.files[0].path.startswith(str(ollama))
    assert run("models", "find").out.splitlines()[1].endswith("tiny:7m")
    assert "is here as 'tiny:7m'" in run("models", "find", "--adopt", "--all").out
    lines = run("models", "find", "--json").json
    assert isinstance(lines, list)
    assert lines[0]["adopted_as"] == "tiny:7m"


def test_the_daemon_is_told_what_the_other_program_knew(appliance: Command, daemon: FakeDaemon, ollama: Path) -> None:
    daemon.reply("GET", f"{ADMIN}/models", {"models": [installed()]})
    daemon.stream(f"{ADMIN}/models", {"type": "error", "message": "the appliance's user cannot read it", "code": None})
    refused = appliance("models", "find", "--adopt", "tiny:7m")
    assert (refused.code, refused.out) == (4, "'tiny:7m': the appliance's user cannot read it\n")
    body = daemon.last("POST", f"{ADMIN}/models").body
    assert (body["name"], "copy" in body, body["provenance"]["kind"]) == ("tiny:7m", False, "ollama")


def test_where_nothing_is_found_that_is_said(
    appliance: Command, daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_model(tmp_path / "unrelated.gguf")
    daemon.reply("GET", f"{ADMIN}/models", {"models": [installed()]})
    assert appliance("models", "find").out == "no other program keeps models here\n"
