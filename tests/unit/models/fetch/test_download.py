"""One file from a server that fails in every way: a whole and right file comes out, or a clear error and nothing."""

import hashlib
import shutil
import threading
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from models.errors import StoreError
from models.fetch import partial
from models.fetch.http_file import checked_redirect
from models.fetch.pace import Pace
from models.fetch.partial import FetchState
from models.fetch.tuning import Brakes, Tuning
from models.fetch.window import Window
from models.sources.base import SourceError, SourceUnavailable
from tests.hubs.server import sha256_of
from tests.unit.models.fetch.conftest import QUICK, Fetching

ONE = msgspec.structs.replace(QUICK, num_connections=1)


class Killed(BaseException):
    """The process ends here."""


def kill_at(fetching: Fetching, num_bytes: int) -> None:
    """Let the next download die as soon as so many bytes are durable."""

    def look(done_bytes: int) -> None:
        state = partial.PartialFile(fetching.folder).saved()
        if state is not None and sum(end - start for start, end in state.ranges) >= num_bytes:
            raise Killed

    fetching.on_report = look


def resume_after_kill(fetching: Fetching, url: str, **facts: object) -> None:
    kill_at(fetching, 1_000_000)
    fetching.server.faults.slow(2_000_000)
    with pytest.raises(Killed):
        fetching.run(url, **facts)
    fetching.on_report = lambda done: None
    fetching.server.faults.mend()
    fetching.server.requests.clear()


def test_a_file_comes_in_ranges_over_several_connections_and_is_right(
    fetching: Fetching, data: bytes, sha256: str
) -> None:
    url = fetching.server.file("model.gguf", data)
    state = fetching.run(url, sha256=sha256, size_bytes=len(data))
    assert (fetching.content, state.sha256) == (data, sha256)
    assert len(fetching.ranges()) >= 4
    assert fetching.num_bytes_asked() == len(data)
    assert fetching.done[-1] == len(data)
    assert fetching.done == sorted(fetching.done)


def test_without_a_stated_digest_the_digest_is_told(fetching: Fetching, data: bytes, sha256: str) -> None:
    assert fetching.run(fetching.server.file("model.gguf", data)).sha256 == sha256


def test_a_file_that_was_verified_before_is_not_fetched_again(fetching: Fetching, data: bytes, sha256: str) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.run(url, sha256=sha256)
    fetching.server.requests.clear()
    assert fetching.run(url, sha256=sha256).sha256 == sha256
    assert fetching.server.requests == []
    assert fetching.run(url).sha256 == sha256
    assert fetching.ranges() == []


@pytest.mark.parametrize("is_stated", [True, False])
def test_what_was_durable_when_the_process_was_killed_is_not_fetched_again(
    fetching: Fetching, data: bytes, sha256: str, is_stated: bool
) -> None:
    url = fetching.server.file("model.gguf", data)
    facts = {"sha256": sha256} if is_stated else {}
    resume_after_kill(fetching, url, **facts)
    assert fetching.run(url, **facts).sha256 == sha256
    assert fetching.num_bytes_asked() <= len(data) - 1_000_000


def test_a_file_that_changed_between_two_starts_is_never_mixed(fetching: Fetching, data: bytes, other: bytes) -> None:
    url = fetching.server.file("model.gguf", data)
    resume_after_kill(fetching, url)
    fetching.server.file("model.gguf", other)
    assert fetching.run(url).sha256 == sha256_of(other)
    assert fetching.content == other


def test_without_an_etag_or_a_digest_nothing_is_gone_on_with(fetching: Fetching, data: bytes, other: bytes) -> None:
    url = fetching.server.file("model.gguf", data, etag=False)
    resume_after_kill(fetching, url)
    fetching.server.file("model.gguf", other, etag=False)
    assert fetching.run(url).sha256 == sha256_of(other)


def test_a_file_that_changes_while_it_comes_is_begun_anew(fetching: Fetching, data: bytes, other: bytes) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.server.faults.change_after(3, other)
    assert fetching.run(url, tuning=ONE).sha256 == sha256_of(other)
    assert fetching.content == other


def test_a_server_that_only_dates_its_files_cannot_mix_them_either(
    fetching: Fetching, data: bytes, other: bytes
) -> None:
    url = fetching.server.file("model.gguf", data, etag=False, Last_Modified="Thu, 01 Jan 1970 00:00:10 GMT")
    fetching.server.faults.change_after(3, other)
    assert fetching.run(url, tuning=ONE).sha256 == sha256_of(other)
    assert fetching.content == other


def test_bytes_that_lie_about_their_digest_are_fetched_once_more_and_then_refused(
    fetching: Fetching, data: bytes, sha256: str
) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.server.faults.corrupt()
    with pytest.raises(SourceError, match=r"its sha256 is .* it was fetched twice and nothing of it was kept"):
        fetching.run(url, sha256=sha256)
    assert fetching.num_bytes_asked() == 2 * len(data)
    assert not (fetching.folder / "data").exists()
    assert not (fetching.folder / "state.json").exists()


def test_one_wrong_byte_on_the_disk_of_an_earlier_download_is_mended(
    fetching: Fetching, data: bytes, sha256: str
) -> None:
    url = fetching.server.file("model.gguf", data)
    resume_after_kill(fetching, url, sha256=sha256)
    with (fetching.folder / "data").open("r+b") as stream:
        stream.write(b"wrong")
    assert fetching.run(url, sha256=sha256).sha256 == sha256
    assert fetching.content == data


def test_the_digest_that_git_has_is_checked_as_well(fetching: Fetching, data: bytes) -> None:
    url = fetching.server.file("model.gguf", data)
    named = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    assert fetching.run(url, size_bytes=len(data), git_sha1=named).sha256 == sha256_of(data)
    shutil.rmtree(fetching.folder)
    with pytest.raises(SourceError, match="its digest in git"):
        fetching.run(url, size_bytes=len(data), git_sha1="0" * 40)


@pytest.mark.parametrize("tuning", [ONE, QUICK])
def test_a_server_that_breaks_the_line_again_and_again_costs_only_time(
    fetching: Fetching, data: bytes, sha256: str, tuning: Tuning
) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.server.faults.drop_every(120_000)
    assert fetching.run(url, sha256=sha256, tuning=tuning).sha256 == sha256
    assert fetching.num_bytes_asked() < 20 * len(data)


def test_a_server_without_ranges_sends_the_whole_file(fetching: Fetching, data: bytes, sha256: str) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.server.faults.without_ranges()
    assert fetching.run(url, sha256=sha256).sha256 == sha256


def test_without_ranges_a_broken_line_means_to_begin_anew_and_at_last_to_say_so(
    fetching: Fetching, data: bytes, sha256: str
) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.server.faults.without_ranges().drop_every(120_000, times=4)
    assert fetching.run(url, sha256=sha256).sha256 == sha256
    shutil.rmtree(fetching.folder)
    fetching.server.faults.drop_every(120_000)
    with pytest.raises(SourceUnavailable, match="broke off"):
        fetching.run(url, sha256=sha256)


def test_a_file_that_is_shorter_than_its_listing_says_is_refused_before_it_is_fetched(
    fetching: Fetching, data: bytes, sha256: str
) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.server.faults.truncate(1000)
    with pytest.raises(SourceError, match=r"should have 3072007 bytes, and 127\.0\.0\.1 has 1000"):
        fetching.run(url, sha256=sha256, size_bytes=len(data))


def test_a_truncated_file_of_no_stated_size_fails_its_digest(fetching: Fetching, data: bytes, sha256: str) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.server.faults.truncate(1_000_000)
    with pytest.raises(SourceError, match="its sha256 is"):
        fetching.run(url, sha256=sha256)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_patience_gets_it(fetching: Fetching, data: bytes, sha256: str, status: int) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.server.faults.refuse(status, times=3, retry_after_s=0)
    assert fetching.run(url, sha256=sha256).sha256 == sha256


def test_a_server_that_asks_for_hours_is_left_alone(fetching: Fetching, data: bytes) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.server.faults.refuse(429, retry_after_s=7200)
    with pytest.raises(SourceUnavailable, match="answers 429 for now; pull again later") as caught:
        fetching.run(url)
    assert caught.value.retry_after_s == 7200
    assert len(fetching.server.requests) == 1


def test_a_server_that_fails_for_ever_is_given_up_and_what_came_is_kept(
    fetching: Fetching, data: bytes, sha256: str
) -> None:
    url = fetching.server.file("model.gguf", data)
    resume_after_kill(fetching, url, sha256=sha256)
    fetching.server.faults.refuse(503)
    with pytest.raises(SourceUnavailable, match="it goes on where it stopped"):
        fetching.run(url, sha256=sha256)
    fetching.server.faults.mend()
    fetching.server.requests.clear()
    fetching.run(url, sha256=sha256)
    assert fetching.num_bytes_asked() <= len(data) - 1_000_000


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "access token"), (403, "terms"), (404, "there is no such file"), (418, "which is no file")],
)
def test_a_refusal_is_not_tried_again_and_says_what_to_do(
    fetching: Fetching, data: bytes, status: int, reason: str
) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.server.faults.refuse(status)
    with pytest.raises(SourceError, match=f"127.0.0.1 answers {status}.*{reason}"):
        fetching.run(url)
    assert len(fetching.server.requests) == 1


def test_a_server_that_falls_silent_is_asked_anew(fetching: Fetching, data: bytes, sha256: str) -> None:
    url = fetching.server.file("model.gguf", data)
    faults = fetching.server.faults.hold_after(300_000)

    def release() -> None:
        faults.wait_until_held()
        threading.Timer(1.2, faults.release).start()

    helper = threading.Thread(target=release)
    helper.start()
    assert fetching.run(url, sha256=sha256, tuning=ONE).sha256 == sha256
    helper.join()


def test_nobody_at_the_address_is_said_in_a_sentence(fetching: Fetching) -> None:
    url = fetching.server.url.rpartition(":")[0] + ":1/model.gguf"
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1 cannot be reached or broke off \(Connection refused\)"):
        fetching.run(url)


def test_a_redirect_is_followed_and_takes_no_secret_along(fetching: Fetching, data: bytes, sha256: str) -> None:
    fetching.headers = {"Authorization": "Bearer secret", "Cookie": "a=b", "X-Other": "1"}
    url = fetching.server.away("model.gguf", data)
    assert fetching.run(url, sha256=sha256).sha256 == sha256
    assert all(seen.request.token == "secret" for seen in fetching.server.requests)
    away = fetching.server.storage.requests
    assert away
    assert not [seen for seen in away if {"authorization", "cookie"} & seen.request.headers.keys()]
    assert len(fetching.server.requests) == 1  # its answer is remembered for all the ranges


def test_an_endless_redirect_ends(fetching: Fetching) -> None:
    url = fetching.server.redirect("model.gguf", "/model.gguf")
    with pytest.raises(SourceError, match="only ever says that the file is elsewhere"):
        fetching.run(url)


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/model.gguf", "file:///etc/passwd"])
def test_a_redirect_to_what_is_no_web_address_is_refused(fetching: Fetching, target: str) -> None:
    with pytest.raises(SourceError, match="is no web address"):
        fetching.run(fetching.server.redirect("model.gguf", target))


def test_an_empty_file_is_a_file(fetching: Fetching) -> None:
    state = fetching.run(fetching.server.file("model.gguf", b""), size_bytes=0)
    assert (fetching.content, state.sha256) == (b"", sha256_of(b""))


def test_a_limit_of_speed_holds_over_all_connections(fetching: Fetching, data: bytes, sha256: str) -> None:
    url = fetching.server.file("model.gguf", data)
    limit = len(data)
    began = datetime.now()
    fetching.run(url, sha256=sha256, brakes=Brakes([Pace(limit)]))
    assert 0.6 < (datetime.now() - began).total_seconds() < 3


def test_outside_of_its_hours_a_download_waits_and_says_until_when(
    fetching: Fetching, data: bytes, sha256: str
) -> None:
    url = fetching.server.file("model.gguf", data)
    times = [datetime(2026, 1, 1, 12, 0), datetime(2026, 1, 1, 21, 59, 59)]

    def now() -> datetime:
        return times.pop(0) if times else datetime(2026, 1, 1, 22, 0)

    brakes = Brakes(window=Window.parse("22:00-06:00"), now=now)
    assert fetching.run(url, sha256=sha256, brakes=brakes).sha256 == sha256
    assert fetching.notes == ["waits until 22:00"]


def test_a_full_disk_is_said_and_what_came_is_gone_on_with(
    fetching: Fetching, data: bytes, sha256: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fetching.server.file("model.gguf", data)
    real, num_left = partial.os.pwritev, [20]

    def pwritev(*arguments: object) -> int:
        num_left[0] -= 1
        if num_left[0] < 0:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(partial.os, "pwritev", pwritev)
    with pytest.raises(StoreError, match="is full; free some and pull again"):
        fetching.run(url, sha256=sha256)
    monkeypatch.undo()
    fetching.server.requests.clear()
    assert fetching.run(url, sha256=sha256).sha256 == sha256
    assert fetching.num_bytes_asked() < len(data)


def test_a_new_beginning_never_writes_into_a_file_that_somebody_else_has_by_now(
    fetching: Fetching, data: bytes, other: bytes, tmp_path: Path
) -> None:
    url = fetching.server.file("model.gguf", data)
    fetching.run(url)
    blob = tmp_path / "blob"
    blob.hardlink_to(fetching.folder / "data")
    fetching.server.file("model.gguf", other)
    assert fetching.run(url).sha256 == sha256_of(other)
    assert blob.read_bytes() == data


def test_a_record_that_is_broken_or_claims_too_much_is_not_believed(fetching: Fetching, data: bytes) -> None:
    url = fetching.server.file("model.gguf", data)
    version = fetching.run(url).version
    lie = FetchState(size_bytes=len(data), version=version, ranges=((0, len(data) + 5),))
    for text in (b"{", b"[]", msgspec.json.encode(lie)):
        (fetching.folder / "state.json").write_bytes(text)
        fetching.server.requests.clear()
        fetching.run(url)
        assert fetching.num_bytes_asked() == len(data)


def test_a_redirect_that_gives_up_encryption_is_refused() -> None:
    assert checked_redirect("http://a.example/x", "http://b.example/x") == "http://b.example/x"
    assert checked_redirect("http://a.example/x", "https://b.example/x") == "https://b.example/x"
    with pytest.raises(SourceError, match=r"a\.example sends us on to b\.example without encryption; this is refused"):
        checked_redirect("https://a.example/x", "http://b.example/x")
