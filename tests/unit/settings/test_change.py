"""How the settings file is changed: the comments stay, all is checked first, and people are told what counts when."""

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.settings_view import ChangeSettings
from appliance.settings import Settings, SettingsBook, SettingsError, load
from appliance.settings.descriptions import DESCRIPTIONS
from appliance.settings.file_text import NotPlain, to_toml, with_value, without_value

COMMENTED = (Path(__file__).parents[3] / "installer" / "appliance.toml").read_text()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "appliance.toml"


def book(file: Path, environ: dict[str, str] | None = None, flags: dict[str, object] | None = None) -> SettingsBook:
    loaded = load(file if file.exists() else None, environ or {}, flags or {})
    return SettingsBook(file, loaded)


def test_a_value_comes_below_the_comment_that_shows_its_default_and_goes_again() -> None:
    text = with_value(COMMENTED, "server.port", 9000)
    assert "\n# port = 8484\nport = 9000\n" in text
    assert tomllib.loads(text)["server"] == {"port": 9000}
    assert without_value(text, "server.port") == COMMENTED


def test_a_value_takes_the_place_of_the_one_before_and_leaves_the_remark_behind_it() -> None:
    text = '# mine\n[server]\nhost = "a#b" # by Ada\n\n[log]\nlevel = "info"\n'
    assert with_value(text, "server.host", "c") == '# mine\n[server]\nhost = "c" # by Ada\n\n[log]\nlevel = "info"\n'


def test_a_list_over_several_lines_is_one_value() -> None:
    text = '[models]\npinned = [\n  "a", # first\n  "b",\n]\nkeep_versions = 3\n'
    assert with_value(text, "models.pinned", ("c",)) == '[models]\npinned = ["c"]\nkeep_versions = 3\n'
    assert without_value(text, "models.pinned") == "[models]\nkeep_versions = 3\n"


def test_a_section_that_is_not_there_is_made_at_the_end() -> None:
    assert with_value("[server]\nport = 1", "log.level", "debug") == '[server]\nport = 1\n\n[log]\nlevel = "debug"\n'
    assert with_value("", "log.level", "debug") == '[log]\nlevel = "debug"\n'


def test_without_a_comment_a_value_goes_to_the_end_of_its_section() -> None:
    assert with_value("[server]\nport = 1\n\n[log]\n", "server.host", "h") == (
        '[server]\nport = 1\nhost = "h"\n\n[log]\n'
    )


@pytest.mark.parametrize("text", ['server = { host = "a" }\n', 'server.host = "a"\n', "[[server]]\n", "server = 1\n"])
def test_what_only_an_editor_should_change_is_refused(text: str) -> None:
    with pytest.raises(NotPlain):
        with_value(text, "server.host", "b")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_is_written_so_that_toml_reads_it_back(value: str) -> None:
    assert tomllib.loads(f"a = {to_toml(value)}")["a"] == value


def test_a_change_is_written_with_the_former_file_beside_it(file: Path) -> None:
    file.write_text(COMMENTED)
    file.chmod(0o640)
    done = book(file).change(ChangeSettings(set={"server.port": "9000", "cache.memory_bytes": "32 MiB"}))

    loaded = load(file, {}, {}).settings
    assert (loaded.server.port, loaded.cache.memory_bytes) == (9000, 32 * 2**20)
    assert 'memory_bytes = "32 MiB"' in file.read_text()
    assert done.backup is not None and Path(done.backup).read_text() == COMMENTED
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, Path(done.backup))] == [0o640, 0o640]
    port = done.changes[0]
    assert (port.key, port.before, port.value, port.takes_effect) == ("server.port", 8484, 9000, "restart")


def test_a_new_file_is_its_owners_alone(file: Path) -> None:
    done = book(file).change(ChangeSettings(set={"models.pinned": ["a", "b"], "models.variants": {"a:b": "Q4_K_M"}}))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert done.backup is None
    models = load(file, {}, {}).settings.models
    assert (models.pinned, models.variants) == (("a", "b"), {"a:b": "Q4_K_M"})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"server.prot": 1}, "did you mean 'server.port'"),
        ({"server.port": 99999}, "a whole number from 0 to 65535"),
        ({"server.port": 1, "kv.disk_bytes": "much"}, "a size such as 32 MiB"),
        ({"engine.kernels": "maybe"}, "one of auto, off"),
        ({"downloads.hugging_face_token": "(hidden)"}, "is shown in the place"),
    ],
)
def test_what_is_wrong_is_refused_as_a_whole(file: Path, values: dict[str, str | int], sentence: str) -> None:
    file.write_text("# mine\n")
    with pytest.raises(SettingsError, match=sentence):
        book(file).change(ChangeSettings(set=values))
    assert file.read_text() == "# mine\n"


def test_nothing_is_written_while_something_else_in_the_file_is_wrong(file: Path) -> None:
    file.write_text("")
    owner = book(file)
    file.write_text("[server]\nprot = 1\n")
    with pytest.raises(SettingsError, match=r"no setting .server\.prot"):
        owner.change(ChangeSettings(set={"server.port": 1}))
    assert owner.view().problem is not None


def test_a_wrong_value_can_be_mended_by_a_right_one(file: Path) -> None:
    file.write_text("")
    owner = book(file)
    file.write_text("[server]\nport = 99999\n")
    assert owner.change(ChangeSettings(set={"server.port": 1})).changes[0].value == 1


def test_unset_goes_back_to_the_default_also_under_a_former_name(file: Path) -> None:
    file.write_text('[engine]\nprovider_fallback = "refuse"\n')
    done = book(file).change(ChangeSettings(unset=("engine.device_fallback",)))
    assert (done.changes[0].before, done.changes[0].value) == ("refuse", "warn")
    assert file.read_text() == "[engine]\n"


def test_what_a_variable_or_a_flag_overrides_is_taken_and_said(file: Path) -> None:
    owner = book(file, {"APPLIANCE_SERVER__PORT": "2"}, {"server.host": "::1"})
    done = owner.change(ChangeSettings(set={"server.port": 3, "server.host": "localhost"}))
    assert [change.takes_effect for change in done.changes] == ["overridden", "overridden"]
    views = {view.key: view for view in owner.view().settings}
    assert (views["server.port"].value, views["server.port"].next_value) == (2, 2)
    assert views["server.port"].overridden_by == "APPLIANCE_SERVER__PORT"
    assert (views["server.host"].origin, views["server.host"].source) == ("flag", "--host")


def test_what_needs_no_restart_counts_at_once(file: Path) -> None:
    levels: list[str] = []
    owner = SettingsBook(file, load(None, {}, {}), {"log.level": levels.append})
    assert owner.change(ChangeSettings(set={"log.level": "debug"})).changes[0].takes_effect == "now"
    assert levels == ["debug"]
    view = next(view for view in owner.view().settings if view.key == "log.level")
    assert (view.value, view.needs_restart, view.origin) == ("debug", False, "file")


def test_a_view_says_all_that_a_form_needs_and_no_secret(file: Path) -> None:
    file.write_text('[notify]\nsmtp_password = "pass"\n[server]\nport = 1\n')
    owner = book(file)
    file.write_text('[notify]\nsmtp_password = "word"\n[server]\nport = 2\n')
    views = {view.key: view for view in owner.view().settings}
    port, password = views["server.port"], views["notify.smtp_password"]
    assert (port.value, port.next_value, port.default, port.kind, port.low) == (1, 2, 8484, "integer", 0)
    assert (password.value, password.next_value, password.is_secret) == ("(hidden)", "(hidden)", True)
    assert (views["kv.disk_bytes"].kind, views["kv.disk_bytes"].none_means) == ("bytes", "to let the machine choose")
    assert views["engine.kernels"].choices == ("auto", "off")
    assert {view.kind for view in views.values()} <= {
        *("text", "integer", "number", "bytes", "choice", "list", "table", "bool"),
    }


def test_every_setting_is_described_in_one_sentence() -> None:
    keys = [key for key, _, _ in load(None, {}, {}).entries()]
    assert list(DESCRIPTIONS) == keys
    assert all(text[0].isupper() and text.endswith(".") and len(text) <= 120 for text in DESCRIPTIONS.values())
    assert Settings() == load(None, {}, {}).settings


def test_a_file_that_cannot_be_written_is_a_sentence(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("appliance.settings.change.replace_atomically", refuse)
    with pytest.raises(SettingsError, match="nothing was changed"):
        book(file).change(ChangeSettings(set={"server.port": 1}))
