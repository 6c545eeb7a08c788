"""Where settings come from, which source wins, and what is refused with which words."""

from pathlib import Path

import msgspec
import pytest

from appliance.settings import Settings, SettingsError, load

KEYS = [key for key, _, _ in load(None, {}, {}).entries()]
NUMBERS = [key for key, value, _ in load(None, {}, {}).entries() if isinstance(value, int | float)]
CHOSEN_BY_THE_MACHINE = [key for key, value, _ in load(None, {}, {}).entries() if value is None]


def takes_words(key: str) -> bool:
    """Return whether a setting without a value is a name of something, and no number."""
    try:
        load(None, {variable(key): "word"}, {})
    except SettingsError:
        return False
    return True


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "appliance.toml"


def variable(key: str) -> str:
    return "APPLIANCE_" + key.upper().replace(".", "__")


def test_without_any_source_every_value_is_the_default() -> None:
    loaded = load(None, {}, {})

    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert list(loaded.origins) == KEYS


def test_a_flag_goes_before_the_environment_before_the_file_before_the_default(file: Path) -> None:
    file.write_text('[server]\nport = 1\nhost = "file"\n[log]\nlevel = "error"')
    environ = {"APPLIANCE_SERVER__PORT": "2", "APPLIANCE_SERVER__HOST": "environment"}

    loaded = load(file, environ, {"server.port": 3})

    assert (loaded.settings.server.port, loaded.origins["server.port"]) == (3, "--port")
    assert (loaded.settings.server.host, loaded.origins["server.host"]) == ("environment", "APPLIANCE_SERVER__HOST")
    assert (loaded.settings.log.level, loaded.origins["log.level"]) == ("error", f"{file}:log.level")
    assert loaded.origins["scheduler.max_waiting"] == "default"


def test_the_models_of_the_flag_are_named_after_it() -> None:
    loaded = load(None, {}, {"models.default_model": "a", "models.pinned": ("a", "b")})

    assert loaded.settings.models.pinned == ("a", "b")
    assert {loaded.origins["models.pinned"], loaded.origins["models.default_model"]} == {"--model"}


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("server.port", "0", 0),
        ("server.ollama_port", "11434", 11434),
        ("server.ollama_port", "none", None),
        ("server.allowed_hosts", "box.lan, box", ("box.lan", "box")),
        ("server.allowed_hosts", "", ()),
        ("server.max_body_bytes", "2 MiB", 2 * 2**20),
        ("scheduler.keep_alive_s", "90", 90.0),
        ("scheduler.memory_reserve_ratio", "0.5", 0.5),
        ("engine.threads", "8", 8),
        ("engine.threads", "none", None),
        ("kv.memory_bytes", "2 GiB", 2 * 2**30),
        ("kv.disk_bytes", "0", 0),
        ("kv.disk_bytes", "None", None),
        ("kv.max_written_bytes_per_day", "4 GiB", 4 * 2**30),
        ("log.level", "debug", "debug"),
        ("engine.device", "Vulkan0", "Vulkan0"),
        ("engine.device_fallback", "refuse", "refuse"),
        ("engine.kv_type", "int8", "int8"),
        ("models.default_model", "none", "none"),
        ("models.variants", "qwen3=tvm, phi4:v2=Q4_K_M", {"qwen3": "tvm", "phi4:v2": "Q4_K_M"}),
        ("models.variants", "", {}),
        ("engine.backend", "tvm", "tvm"),
        ("media.allowed_hosts", "a.example, b.example", ("a.example", "b.example")),
        ("media.allowed_hosts", '["http://a.example:8080", "b.example"]', ("http://a.example:8080", "b.example")),
        ("media.allowed_hosts", "[]", ()),
        ("media.allowed_hosts", "[2001:db8::1]:8443, b.example", ("[2001:db8::1]:8443", "b.example")),
        ("engine.max_loss_ratio", "0.05", 0.05),
        ("downloads.max_bytes_per_s", "10 MB/s", 10_000_000),
        ("downloads.max_bytes_per_s", "none", None),
        ("downloads.window", "22:00-06:00", "22:00-06:00"),
        ("downloads.hugging_face_endpoint", "http://hub.lan:8080/hf", "http://hub.lan:8080/hf"),
        ("downloads.hugging_face_token", "none", None),
    ],
)
def test_text_of_the_environment_becomes_the_type_of_its_setting(key: str, text: str, value: object) -> None:
    entries = {key: value for key, value, _ in load(None, {variable(key): text}, {}).entries()}

    assert entries[key] == value


def test_a_former_name_goes_on_to_work(file: Path) -> None:
    file.write_text('[engine]\nprovider_fallback = "allow"')

    assert load(file, {}, {}).settings.engine.device_fallback == "allow"
    loaded = load(file, {variable("engine.provider_fallback"): "refuse"}, {})
    assert loaded.settings.engine.device_fallback == "refuse"
    assert loaded.origins["engine.device_fallback"] == variable("engine.provider_fallback")


def test_a_file_may_write_sizes_with_units_and_lists_as_lists(file: Path) -> None:
    file.write_text('[server]\nmax_body_bytes = "1 KiB"\nallowed_origins = ["http://a"]\n[kv]\ndisk_bytes = "2 KiB"')

    settings = load(file, {}, {}).settings

    assert (settings.server.max_body_bytes, settings.server.allowed_origins) == (1024, ("http://a",))
    assert settings.kv.disk_bytes == 2048


def test_a_file_may_leave_a_choice_to_the_machine(file: Path) -> None:
    file.write_text('[engine]\nthreads = "none"\n[kv]\nmemory_bytes = "none"')

    settings = load(file, {"APPLIANCE_KV__DISK_BYTES": "none"}, {"engine.threads": None}).settings

    assert settings == Settings()


@pytest.mark.parametrize(
    ("key", "text", "accepted"),
    [
        ("server.port", "65536", "a whole number from 0 to 65535"),
        ("server.port", "-1", "a whole number from 0 to 65535"),
        ("server.ollama_port", "65536", 'from 0 to 65535, or "none" to listen on server.port alone'),
        ("server.port", "80.5", "a whole number from 0 to 65535"),
        ("server.port", "", "a whole number from 0 to 65535"),
        ("server.host", " ", "text that is not empty"),
        ("server.max_body_bytes", "2 fields", "a size such as 32 MiB"),
        ("scheduler.memory_reserve_ratio", "1.5", "a number from 0 to 1"),
        ("scheduler.keep_alive_s", "nan", "a number from 0"),
        ("scheduler.keep_alive_s", "inf", "a number from 0"),
        ("engine.threads", "0", '"none" to let the machine choose'),
        ("kv.disk_bytes", "-1", 'a size such as 32 MiB, or "none"'),
        ("kv.max_written_bytes_per_day", "much", "a size such as 32 MiB"),
        ("log.level", "loud", "one of debug, info, warning, error"),
        ("engine.device_fallback", "never", "one of allow, warn, refuse"),
        ("engine.kv_type", "f16", "one of auto, f32, int8"),
        ("downloads.max_bytes_per_s", "fast", 'a size such as 32 MiB/s, or "none" for no limit'),
        ("downloads.window", "at night", 'hours such as 22:00-06:00, or "none" for any hour'),
        ("downloads.window", "24:00-06:00", "hours such as 22:00-06:00"),
        ("jobs.batch_window", "22:00-22:00", "hours such as 22:00-06:00"),
        ("downloads.ollama_registry", "ftp://box", "an address such as https://registry.example.org"),
        ("downloads.modelscope_endpoint", "https://user@box", "an address such as"),
        ("media.allowed_hosts", "images.example:70000", "hosts such as"),
        ("media.allowed_hosts", "[abc]", "hosts such as"),
        ("notify.allowed_addresses", "http://[1::]:70000", "hosts such as"),
        ("notify.allowed_addresses", "[1.2.3.4]", "hosts such as"),
    ],
)
def test_a_bad_value_is_refused_with_key_origin_value_and_what_is_accepted(key: str, text: str, accepted: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {variable(key): text}, {})

    message = str(caught.value)
    assert message.startswith(f"{variable(key)}: {key} cannot be {text!r}; accepted is ")
    assert accepted in message


@pytest.mark.parametrize(
    "line", ["port = true", "port = '80'", "port = 1.0", "host = 7", "allowed_hosts = 'box'", "allowed_hosts = [1]"]
)
def test_a_value_of_another_type_in_the_file_is_refused(file: Path, line: str) -> None:
    file.write_text(f"[server]\n{line}")

    with pytest.raises(SettingsError, match=f"^{file}:server"):
        load(file, {}, {})


@pytest.mark.parametrize("key", NUMBERS + CHOSEN_BY_THE_MACHINE)
@pytest.mark.parametrize("text", ["-1", "1e300"])
def test_no_number_is_without_bounds(key: str, text: str) -> None:
    if takes_words(key):
        return
    with pytest.raises(SettingsError, match=key):
        load(None, {variable(key): text}, {})


@pytest.mark.parametrize(
    ("content", "environ", "flags", "origin", "nearest"),
    [
        ("[server]\nprot = 1", {}, {}, "server.prot", "server.port"),
        ("[sever]\nport = 1", {}, {}, "sever.port", "server.port"),
        ("port = 1", {}, {}, "port", "server.port"),
        ("", {"APPLIANCE_SERVER__HOSTS": "x"}, {}, "APPLIANCE_SERVER__HOSTS", "server.host"),
        ("", {}, {"log.levle": "info"}, "--levle", "log.level"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_good_name(
    file: Path, content: str, environ: dict[str, str], flags: dict[str, object], origin: str, nearest: str
) -> None:
    file.write_text(content)

    with pytest.raises(SettingsError) as caught:
        load(file, environ, flags)

    assert origin in str(caught.value)
    assert f"did you mean {nearest!r}" in str(caught.value)


def test_variables_that_are_no_settings_are_left_alone() -> None:
    environ = {"APPLIANCE_HOME": "/x", "APPLIANCE_URL": "x", "APPLIANCE_API_KEY": "x", "APPLIANCE_PORT": "tcp://1"}

    assert load(None, environ, {}).settings == Settings()


def test_a_section_that_is_no_section_is_explained(file: Path) -> None:
    file.write_text("server = 3")

    with pytest.raises(SettingsError, match=r"write its keys below a line \[server\]"):
        load(file, {}, {})


def test_a_file_that_is_not_toml_is_named_with_the_line(file: Path) -> None:
    file.write_text("[server\n")

    with pytest.raises(SettingsError, match=r"appliance\.toml: is not valid TOML: .*line 1"):
        load(file, {}, {})


def test_a_file_that_was_named_must_be_there(file: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(file, {}, {})


def test_the_tree_knows_no_other_keys_when_it_is_built_from_data() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"server": {"prot": 1}}, Settings)


def test_a_secret_is_shown_nowhere() -> None:
    loaded = load(None, {"APPLIANCE_DOWNLOADS__HUGGING_FACE_TOKEN": "hf_hush"}, {})

    assert loaded.settings.downloads.hugging_face_token == "hf_hush"
    assert "hf_hush" not in repr(loaded) + str(loaded.settings) + str(loaded.entries())
    assert {key: value for key, value, _ in loaded.entries()}["downloads.hugging_face_token"] == "(hidden)"
    with pytest.raises(SettingsError, match="hugging_face_token cannot be this; accepted is a token") as caught:
        load(None, {"APPLIANCE_DOWNLOADS__HUGGING_FACE_TOKEN": "hf hush"}, {})
    assert "hush" not in str(caught.value)


def test_variants_of_models_are_written_as_a_table(file: Path) -> None:
    file.write_text('[models.variants]\n"qwen3" = "tvm"\n"a/b:v2" = "Q4_K_M"')
    assert load(file, {}, {}).settings.models.variants == {"qwen3": "tvm", "a/b:v2": "Q4_K_M"}


@pytest.mark.parametrize("text", ["qwen3", "qwen3=", "=tvm", "qwen3=a b", "qwen3@tvm=tvm"])
def test_a_variant_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match='models with a variant each, as in "qwen3" = "Q4_K_M"'):
        load(None, {variable("models.variants"): text}, {})
