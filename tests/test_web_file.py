"""A big file from a server that cuts, ignores, lies and refuses."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path

import pytest

from demo.web import Answer, Length, Reply, Request, Web, resumable
from utils.errors import DiskError, OneSourceError
from utils.fetch.file_download import DownloadOptions, download
from utils.models.http_defaults import USER_AGENT

BODY = random.Random(1).randbytes(400_000)
HALF = len(BODY) // 2
QUICK = (0.01,) * 4
TAG = 'ETag: "1"'


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Give the place where the file is to go."""
    return tmp_path / "file.tgz"


def fetch(web: Web, target: Path, *replies: Reply, **options: object) -> list[Request]:
    """Download from a server that answers so; give what it was asked."""
    web.answer("/file.tgz", *replies)
    download(web.url("/file.tgz"), target, options=DownloadOptions(retry_delays=QUICK, **options))  # type: ignore[arg-type]
    return web.requests


def leftovers(target: Path) -> list[str]:
    """List what lies beside the target."""
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def leave_half(web: Web, target: Path, *headers: str) -> None:
    """Break a download off in the middle."""
    with pytest.raises(OneSourceError):
        fetch(web, target, Answer(body=BODY, cut=HALF, headers=headers), Answer(status=404))
    web.requests.clear()
    assert target.with_name("file.tgz.part").stat().st_size == HALF


def test_a_file_arrives_whole_and_nothing_else_stays(web: Web, target: Path) -> None:
    """The file gets its name when it is whole; we say who we are."""
    seen: list[tuple[int, int]] = []
    web.answer("/file.tgz", resumable(BODY))
    download(web.url("/file.tgz"), target, progress=lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == BODY
    assert leftovers(target) == []
    assert web.requests[0].headers["user-agent"] == USER_AGENT
    assert seen[-1] == (len(BODY), len(BODY))


def test_a_cut_download_goes_on_where_it_broke_off(web: Web, target: Path) -> None:
    """The rest is asked for with Range and If-Range, within one run."""
    asked = fetch(web, target, Answer(body=BODY, cut=HALF, headers=(TAG,)), resumable(BODY))
    assert target.read_bytes() == BODY
    assert (asked[1].headers["range"], asked[1].headers["if-range"]) == (f"bytes={HALF}-", '"1"')


def test_a_later_run_goes_on_with_the_part(web: Web, target: Path) -> None:
    """What an earlier run fetched is not fetched again."""
    leave_half(web, target, TAG)
    asked = fetch(web, target, resumable(BODY))
    assert target.read_bytes() == BODY
    assert [request.headers.get("range") for request in asked] == [f"bytes={HALF}-"]
    assert leftovers(target) == []


def test_the_modification_time_serves_where_the_etag_is_weak(web: Web, target: Path) -> None:
    """If-Range takes no weak ETag."""
    leave_half(web, target, 'ETag: W/"1"', "Last-Modified: Mon, 01 Jan 2018 00:00:00 GMT")
    assert fetch(web, target, Answer(body=BODY))[0].headers["if-range"] == "Mon, 01 Jan 2018 00:00:00 GMT"


def test_a_server_without_validators_is_asked_for_the_rest_too(web: Web, target: Path) -> None:
    """Where no header tells the version, the size does."""
    leave_half(web, target)
    asked = fetch(web, target, resumable(BODY))
    assert asked[0].headers["range"] == f"bytes={HALF}-"
    assert "if-range" not in asked[0].headers
    assert target.read_bytes() == BODY


def test_a_server_that_ignores_range_restarts_it(web: Web, target: Path) -> None:
    """An answer with 200 is the whole file, from its beginning."""
    leave_half(web, target, TAG)
    fetch(web, target, Answer(body=BODY))
    assert target.read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_not_mixed(web: Web, target: Path) -> None:
    """The old part is dropped when the server has another file now."""
    leave_half(web, target, TAG)
    fetch(web, target, resumable(BODY[::-1], etag='"2"'))
    assert target.read_bytes() == BODY[::-1]


@pytest.mark.parametrize(
    "content_range", [f"bytes 0-{len(BODY) - 1}/{len(BODY)}", f"bytes {HALF}-9/99", "bytes */*", "nonsense"]
)
def test_a_wrong_content_range_restarts_it(web: Web, target: Path, content_range: str) -> None:
    """A part other than the one asked for is not glued on."""
    leave_half(web, target, TAG)
    wrong = Answer(status=206, body=BODY[HALF:], headers=(TAG, f"Content-Range: {content_range}"))
    asked = fetch(web, target, wrong, Answer(body=BODY))
    assert target.read_bytes() == BODY
    assert "range" not in asked[1].headers


def test_a_part_longer_than_the_file_restarts_it(web: Web, target: Path) -> None:
    """An answer with 416 means that the part is no part of that file."""
    leave_half(web, target, TAG)
    target.with_name("file.tgz.part").write_bytes(BODY + b"more")
    fetch(web, target, resumable(BODY))
    assert target.read_bytes() == BODY


def test_a_part_that_was_whole_needs_no_request(web: Web, target: Path) -> None:
    """A run killed just before the renaming lost nothing."""
    leave_half(web, target, TAG)
    target.with_name("file.tgz.part").write_bytes(BODY)
    assert fetch(web, target, Answer(status=500)) == []
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    "note", ["", "[]", "{}", '{"url": "other"}', '{"url": 1, "size": "x"}', '{"url": "%s", "size": "9"}']
)
def test_a_garbled_note_makes_the_part_worthless(web: Web, target: Path, note: str) -> None:
    """Without knowing what it is a part of, nothing is glued on."""
    leave_half(web, target, TAG)
    target.with_name("file.tgz.part.json").write_text(note.replace("%s", web.url("/file.tgz")))
    assert "range" not in fetch(web, target, resumable(BODY))[0].headers
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_passing_answers_are_tried_again(web: Web, target: Path, status: int) -> None:
    """What says "not now" is asked again."""
    fetch(web, target, Answer(status=status), Answer(status=status), Answer(body=BODY))
    assert target.read_bytes() == BODY


def test_patience_ends(web: Web, target: Path) -> None:
    """A server that always fails is given up after the waits, with its answer in the sentence."""
    with pytest.raises(OneSourceError, match="it answers 500 Internal Server Error"):
        fetch(web, target, Answer(status=500))
    assert len(web.requests) == len(QUICK) + 1


def test_headway_renews_patience(web: Web, target: Path) -> None:
    """A line that breaks often, but gets on each time, arrives in the end."""

    def cut_soon(request: Request) -> Answer:
        rest = resumable(BODY)(request)
        return rest if len(rest.body) < 70_000 else Answer(**{**rest.__dict__, "cut": 70_000})

    asked = fetch(web, target, cut_soon)
    assert target.read_bytes() == BODY
    assert len(asked) > len(QUICK)


def test_a_server_that_always_cuts_at_the_same_place_is_given_up(web: Web, target: Path) -> None:
    """Bytes that came before are no headway."""
    with pytest.raises(OneSourceError, match=f"connection broke after {HALF:,} bytes"):
        fetch(web, target, Answer(body=BODY, cut=HALF))
    assert len(web.requests) <= len(QUICK) + 2


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final(web: Web, target: Path, status: int) -> None:
    """What is forbidden or gone is asked for once."""
    with pytest.raises(OneSourceError, match=f"it answers {status}"):
        fetch(web, target, Answer(status=status))
    assert len(web.requests) == 1
    assert leftovers(target) == []


def test_a_long_retry_after_is_no_wait_of_ours(web: Web, target: Path) -> None:
    """A server that wants an hour is left to the next source at once."""
    with pytest.raises(OneSourceError, match="503"):
        fetch(web, target, Answer(status=503, headers=("Retry-After: 3600",)))
    assert len(web.requests) == 1


def test_what_is_refused_by_its_beginning_does_not_harm_the_part(web: Web, target: Path) -> None:
    """A log-in page in place of the file is told, and the part stays for better days."""
    leave_half(web, target, TAG)
    with pytest.raises(OneSourceError, match="a page"):
        fetch(
            web, target, Answer.page("<html>"), check_start=lambda data: "a page" if data[:1] == b"<" else ""
        )
    assert target.with_name("file.tgz.part").read_bytes() == BODY[:HALF]
    fetch(web, target, resumable(BODY))
    assert target.read_bytes() == BODY


def test_a_wrong_checksum_leaves_nothing(web: Web, target: Path) -> None:
    """What is not the file that was promised gets no name; the right one does."""
    with pytest.raises(OneSourceError, match="SHA-1"):
        fetch(web, target, Answer(body=BODY[:-1]), sha1=hashlib.sha1(BODY).hexdigest())
    assert leftovers(target) == []
    assert not target.exists()
    fetch(web, target, Answer(body=BODY), sha1=hashlib.sha1(BODY).hexdigest().upper())
    assert target.read_bytes() == BODY


def test_an_old_file_stays_until_the_new_one_is_whole(web: Web, target: Path) -> None:
    """A failed download touches nothing that is there."""
    target.write_bytes(b"old")
    with pytest.raises(OneSourceError):
        fetch(web, target, Answer(body=BODY, cut=HALF))
    assert target.read_bytes() == b"old"


def test_disk_space_is_checked_before(web: Web, target: Path) -> None:
    """A file for which there is no room is not begun."""
    free = shutil.disk_usage(target.parent).free
    with pytest.raises(OneSourceError, match="MB of disk"):
        fetch(web, target, Answer(body=BODY), disk_factor=2 * free / len(BODY))
    assert leftovers(target) == []


@pytest.mark.parametrize("kind", ["chunked", "until-closed", "packed-by-name"])
def test_other_ways_to_send_a_file(web: Web, target: Path, kind: str) -> None:
    """Without a length, or with an archive called an encoding, the bytes arrive as they are."""
    answers = {
        "chunked": Answer(body=BODY, chunked=True),
        "until-closed": Answer(body=BODY, length=Length.OMITTED),
        "packed-by-name": Answer(body=BODY, headers=("Content-Encoding: gzip",)),
    }
    fetch(web, target, answers[kind])
    assert target.read_bytes() == BODY


def test_a_cut_chunked_body_is_not_whole(web: Web, target: Path) -> None:
    """A body without length that breaks off is tried again."""
    fetch(web, target, Answer(body=BODY, chunked=True, cut=HALF), Answer(body=BODY, chunked=True))
    assert target.read_bytes() == BODY


def test_a_folder_that_cannot_be_written(web: Web, tmp_path: Path) -> None:
    """Where nothing can be written, the run stops and says so: no other source would help."""
    target = tmp_path / "x.tgz"
    target.with_name("x.tgz.part").mkdir()
    web.answer("/x.tgz", Answer(body=BODY))
    with pytest.raises(DiskError, match="cannot be written"):
        download(web.url("/x.tgz"), target, options=DownloadOptions(retry_delays=QUICK))


def test_an_interruption_leaves_a_part_to_go_on_with(web: Web, target: Path) -> None:
    """Ctrl-C loses nothing of what has arrived."""

    def interrupt(done: int, _total: int) -> None:
        if done >= HALF:
            raise KeyboardInterrupt

    web.answer("/file.tgz", resumable(BODY))
    with pytest.raises(KeyboardInterrupt):
        download(web.url("/file.tgz"), target, progress=interrupt)
    part = target.with_name("file.tgz.part")
    assert BODY.startswith(part.read_bytes())
    assert json.loads(target.with_name("file.tgz.part.json").read_text())["size"] == len(BODY)
    size = part.stat().st_size
    fetch(web, target, resumable(BODY))
    assert target.read_bytes() == BODY
    assert web.requests[-1].headers["range"] == f"bytes={size}-"
