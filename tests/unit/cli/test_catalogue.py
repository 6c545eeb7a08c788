"""`appliance models search|recommend|catalogue`, with a daemon and without."""

import re
from pathlib import Path

import pytest

from models.embedded import EMBEDDED_PATH
from tests.catalogues import OURS, catalogue_key, secret_key, signature_of
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon

TRUST = {"APPLIANCE_MODELS__CATALOGUE_KEYS": catalogue_key()}


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A catalogue with its signature beside it."""
    path = tmp_path / "ours.toml"
    path.write_text(OURS)
    path.with_name("ours.toml.minisig").write_text(signature_of(OURS))
    return path


def test_recommend_gives_a_few_models_with_reasons_and_the_command_to_get_each(run: Command) -> None:
    result = run("models", "recommend", "--purpose", "embeddings", "--language", "zh")

    assert result.code == 0
    places = [line for line in result.out.splitlines() if re.match(r"\d\. ", line)]
    assert 1 <= len(places) <= 5
    assert all(": appliance pull " in place for place in places)
    assert "may be used" in result.out
    assert "note: speeds are predicted" in result.out


def test_search_shows_a_line_for_each_model_and_says_when_there_is_none(run: Command) -> None:
    lines = run("models", "search", "qwen3", "rerank").out.splitlines()
    assert lines[0].startswith("NAME")
    assert [line.split()[0] for line in lines[1:]] == ["qwen3-reranker-0.6b"]
    assert "no model of the catalogue is meant" in run("models", "search", "nothing-like-it").out


def test_search_as_json_has_everything(run: Command) -> None:
    answer = run("models", "search", "qwen3-8b", "--json").json
    assert [model["name"] for model in answer["models"]] == ["qwen3-8b"]
    assert answer["models"][0]["reasons"]


def test_the_wish_is_sent_to_the_daemon(appliance: Command, daemon: FakeDaemon) -> None:
    path = "/admin/v1/catalogue?purpose=code&language=zh&query=a+b&bandwidth=true"
    daemon.reply("GET", path, {"models": [], "budget_bytes": 0, "notes": []})

    result = appliance("models", "search", "a", "b", "--purpose", "code", "--language", "zh", "--measure")

    assert result.code == 0, result.err


def test_nothing_that_fits_is_a_refusal(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", "/admin/v1/catalogue?purpose=chat", {"models": [], "budget_bytes": 0, "notes": []})
    result = appliance("models", "recommend")
    assert (result.code, "no model of the catalogue" in result.err) == (4, True)


def test_a_catalogue_is_signed_verified_and_imported(run: Command, tmp_path: Path) -> None:
    path, key = tmp_path / "ours.toml", tmp_path / "key.pem"
    path.write_text(OURS)
    key.write_bytes(secret_key())

    signed = run("models", "catalogue", "sign", str(path), "--key", str(key))
    public = re.search(r'catalogue_keys = \["(RW[^"]+)"\]', signed.out)
    assert public is not None
    trust = {"APPLIANCE_MODELS__CATALOGUE_KEYS": public[1]}
    verified = run("models", "catalogue", "verify", str(path), **trust)
    imported = run("models", "catalogue", "import", str(path), **trust)

    assert "its models: heron-support" in verified.out
    assert imported.out.startswith("took in ours.toml, signed by RW")
    assert "heron-support" in run("models", "search", "heron", **trust).out
    assert "heron-support" not in run("models", "search", "heron").out, "nobody trusts the key any more"


@pytest.mark.parametrize("verb", ["verify", "import"])
def test_what_nobody_signed_is_refused(run: Command, ours: Path, verb: str) -> None:
    assert run("models", "catalogue", verb, str(ours), **TRUST).code == 0
    ours.write_text(OURS.replace("Knows", "Sells"))
    changed = run("models", "catalogue", verb, str(ours), **TRUST)
    assert (changed.code, "not what was signed" in changed.err) == (4, True)
    ours.with_name("ours.toml.minisig").unlink()
    unsigned = run("models", "catalogue", verb, str(ours), **TRUST)
    assert (unsigned.code, "it is not signed" in unsigned.err) == (4, True)


def test_a_catalogue_that_is_wrong_is_not_signed(run: Command, tmp_path: Path) -> None:
    path, key = tmp_path / "ours.toml", tmp_path / "key.pem"
    path.write_text(OURS.replace("judgement", "judgment"))
    key.write_bytes(secret_key())
    result = run("models", "catalogue", "sign", str(path), "--key", str(key))
    assert (result.code, "judgment" in result.err) == (4, True)
    assert not path.with_name("ours.toml.minisig").exists()


def test_without_a_daemon_a_model_of_the_catalogue_is_shown(run: Command) -> None:
    result = run("models", "show", "qwen3-0.6b")
    assert result.code == 0
    assert "hf:unsloth/Qwen3-0.6B-GGUF:Q4_K_M" in result.out
    assert "with 8192 tokens" in result.out


def test_a_name_that_belongs_to_somebody_is_added_with_a_warning(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(EMBEDDED_PATH.read_bytes())
    out = run("models", "add", str(path), "--name", "claude-box").out
    assert "note: 'claude-box' carries the name Claude, which belongs to Anthropic" in out
    assert "belongs to Anthropic" in run("models", "show", "claude-box").out


def test_a_licence_that_is_not_allowed_is_refused(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(EMBEDDED_PATH.read_bytes())
    result = run("models", "add", str(path), APPLIANCE_MODELS__ALLOWED_LICENCES="mit,gemma")
    assert (result.code, "the licence apache-2.0 is not in models.allowed_licences (mit, gemma)" in result.err) == (
        4,
        True,
    )
