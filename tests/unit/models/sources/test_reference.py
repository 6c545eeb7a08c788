"""What people write to name a model somewhere, and what it means."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.sources.reference import (
    CatalogueReference,
    FileReference,
    HttpReference,
    HubReference,
    InvalidReference,
    OllamaReference,
    Reference,
    parse_reference,
    pinned,
)

SHA256 = "a" * 64
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def hf(repository: str, pick: str | None = None, revision: str | None = None) -> HubReference:
    return HubReference("hugging_face", repository, pick, revision)


def ms(repository: str, pick: str | None = None, revision: str | None = None) -> HubReference:
    return HubReference("modelscope", repository, pick, revision)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hf:Qwen/Qwen3-0.6B-GGUF", hf("Qwen/Qwen3-0.6B-GGUF")),
        ("Qwen/Qwen3-0.6B-GGUF", hf("Qwen/Qwen3-0.6B-GGUF")),
        ("hf:acme/m:Q4_K_M", hf("acme/m", "Q4_K_M")),
        ("hf:acme/m:m-Q8_0.gguf@v1.0", hf("acme/m", "m-Q8_0.gguf", "v1.0")),
        ("hf:acme/m:sub dir/m.gguf@refs/pr/3", hf("acme/m", "sub dir/m.gguf", "refs/pr/3")),
        (f"hf:acme/m@{COMMIT}", hf("acme/m", None, COMMIT)),
        ("hf.co/acme/m:Q8_0", hf("acme/m", "Q8_0")),
        ("huggingface.co/acme/m", hf("acme/m")),
        ("https://huggingface.co/acme/m", hf("acme/m")),
        ("https://huggingface.co/acme/m/tree/v2", hf("acme/m", None, "v2")),
        ("https://huggingface.co/acme/m/blob/main/a/m.gguf", hf("acme/m", "a/m.gguf", "main")),
        ("https://hf.co/acme/m/resolve/main/m%20x.gguf?download=true", hf("acme/m", "m x.gguf", "main")),
        ("https://mirror.example:8443/acme/m/tree/main", hf("acme/m", None, "main")),
        ("https://mirror.example/acme/m.gguf", HttpReference("https://mirror.example/acme/m.gguf")),
        ("https://huggingface.co:443/acme/m", hf("acme/m")),
        ("ms:Qwen/Qwen3-0.6B", ms("Qwen/Qwen3-0.6B")),
        ("https://www.modelscope.cn/models/acme/m/files", ms("acme/m")),
        ("https://modelscope.cn/models/acme/m/resolve/master/m.gguf", ms("acme/m", "m.gguf", "master")),
        ("https://modelscope.cn/models/acme/m/file/view/master/m.gguf", ms("acme/m", "m.gguf", "master")),
        (
            "https://modelscope.cn/api/v1/models/acme/m/repo?Revision=v1&FilePath=a%2Fm.gguf",
            ms("acme/m", "a/m.gguf", "v1"),
        ),
        ("ollama:qwen3", OllamaReference("library", "qwen3")),
        ("ollama:qwen3:0.6b", OllamaReference("library", "qwen3", "0.6b")),
        ("ollama:acme/m:v1", OllamaReference("acme", "m", "v1")),
        ("ollama:registry.example:5000/acme/m:v1", OllamaReference("acme", "m", "v1", "registry.example:5000")),
        ("ollama:http://127.0.0.1:5000/acme/m", OllamaReference("acme", "m", "latest", "http://127.0.0.1:5000")),
        (f"ollama:m@sha256:{SHA256}", OllamaReference("library", "m", "latest", None, SHA256)),
        ("https://ollama.com/library/qwen3:4b", OllamaReference("library", "qwen3", "4b")),
        ("https://example.org/a/m.gguf", HttpReference("https://example.org/a/m.gguf")),
        (f"http://10.0.0.1:80/m.gguf#sha256={SHA256.upper()}", HttpReference("http://10.0.0.1:80/m.gguf", SHA256)),
        ("https://e.org/m.gguf?key=s", HttpReference("https://e.org/m.gguf", None, "key=s")),
        ("/media/stick/m.gguf", FileReference("/media/stick/m.gguf")),
        ("file:///media/my%20stick/m.gguf", FileReference("/media/my stick/m.gguf")),
        ("./m.gguf", FileReference("./m.gguf")),
        ("m.gguf", FileReference("./m.gguf")),
        ("qwen3-0.6b", CatalogueReference("qwen3-0.6b")),
        ("qwen3:4b", CatalogueReference("qwen3:4b")),
        ("  qwen3  ", CatalogueReference("qwen3")),
    ],
)
def test_every_form_means_one_thing(text: str, meant: Reference) -> None:
    assert parse_reference(text, hugging_face_host="mirror.example:8443") == meant


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no model"),
        ("hf:", "write hf:OWNER/REPO"),
        ("hf:gpt2", "write hf:OWNER/REPO"),
        ("hf:a/b/c", "write hf:OWNER/REPO"),
        ("hf:a/../b", "write hf:OWNER/REPO"),
        ("hf:a/..", "write hf:OWNER/REPO"),
        ("hf:a..b/c", "write hf:OWNER/REPO"),
        ("hf:a/b@c..d", "no revision"),
        ("hf:a/b.git", "write hf:OWNER/REPO"),
        ("hf:a/b:", "neither a quantization nor a file"),
        ("hf:a/b:../x.gguf", "neither a quantization nor a file"),
        ("hf:a/b:/etc/passwd", "neither a quantization nor a file"),
        ("hf:a/b@", "no revision"),
        ("hf:a/b@../../etc", "no revision"),
        ("hf:a/b@x?y=z", "no revision"),
        ("ollama:", "write ollama:"),
        ("ollama:a/b/c/d", "no registry"),
        ("ollama:m:", "write ollama:"),
        ("ollama:m@md5:123", "no digest"),
        ("https://user:secret@example.org/m.gguf", "leave the user name and password out"),
        ("https:///m.gguf", "names no host"),
        ("https://example.org/m.gguf#sha256=123", "64 hexadecimal digits"),
        ("https://huggingface.co/datasets/a/b", "one of the datasets"),
        ("ftp://example.org/m.gguf", "only http:, https: and file:"),
        ("file://server/share/m.gguf", "names no file of this machine"),
        ("file:///a%0Ab.gguf", "names no file of this machine"),
        ("a\nb", "names no model"),
        ("what is this", "names no model"),
        ("x" * 3000, "names no model"),
    ],
)
def test_what_means_nothing_is_refused_with_what_can_be_written(text: str, says: str) -> None:
    with pytest.raises(InvalidReference, match=says):
        parse_reference(text)


def test_a_secret_behind_the_question_mark_is_asked_with_and_never_shown() -> None:
    reference = parse_reference("https://e.org/m.gguf?signature=geheim")
    assert isinstance(reference, HttpReference)
    assert reference.address == "https://e.org/m.gguf?signature=geheim"
    assert "geheim" not in str(reference) and "geheim" not in repr(reference)


def test_a_reference_is_pinned_to_a_file_and_a_commit() -> None:
    assert str(pinned(hf("a/b", "Q4_0"), "b-Q4_0.gguf", COMMIT)) == f"hf:a/b:b-Q4_0.gguf@{COMMIT}"
    assert str(pinned(hf("a/b", "Q4_0"), "b@2-Q4_0.gguf", COMMIT)) == f"hf:a/b:Q4_0@{COMMIT}"  # no file may hold an @


PARTS = st.from_regex(r"\A[A-Za-z0-9_][a-zA-Z0-9._-]{0,20}\Z")
WORDS = "hf: ms: ollama: https:// file:/// huggingface.co/ hf.co modelscope.cn/models/ / : @ #sha256= ? .. main Q4_K_M"
MORE = "m.gguf sha256: library resolve tree %2F %40"
PIECES = st.sampled_from([*WORDS.split(), *MORE.split(), SHA256, " "])


@given(st.lists(PIECES | PARTS, max_size=9).map("".join) | st.text(max_size=60))
@example("hf:a/b:c@d@e")
@example("https://huggingface.co/a/b/resolve/x%40y/z")
def test_whatever_is_read_is_read_the_same_from_what_it_is_written_as(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidReference:
        return
    written = str(reference)
    again = parse_reference(written)
    assert str(again) == written
    if not isinstance(reference, HttpReference):
        assert again == reference


@given(st.lists(PIECES | PARTS, max_size=9).map("".join))
def test_no_reference_leads_out_of_its_repository(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidReference:
        return
    if isinstance(reference, HubReference):
        steps = [*reference.repository.split("/"), *(reference.pick or "x").split("/")]
        steps += (reference.revision or "x").split("/")
        assert ".." not in steps and not {"", "."} & set(reference.repository.split("/"))
        assert not set("?#%&") & set(reference.repository + (reference.revision or ""))
