"""Downloads of big files: resume, checks, retries."""

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
    """Return the path of the file."""
    return tmp_path / "file.tgz"


def fetch(web: Web, target: Path, *replies: Reply, **options: object) -> list[Request]:
    """Download from a server with these replies; returns the requests."""
    web.answer("/file.tgz", *replies)
    download(web.url("/file.tgz"), target, options=DownloadOptions(retry_delays=QUICK, **options))  # type: ignore[arg-type]
    return web.requests


def leftovers(target: Path) -> list[str]:
    """List the files beside the target."""
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def leave_half(web: Web, target: Path, *headers: str) -> None:
    """Interrupt a download in the middle."""
    with pytest.raises(OneSourceError):
        fetch(web, target, Answer(body=BODY, cut=HALF, headers=headers), Answer(status=404))
    web.requests.clear()
    assert target.with_name("file.tgz.part").stat().st_size == HALF


def test_complete_file(web: Web, target: Path) -> None:
    """No part is left; the User-Agent is sent."""
    seen: list[tuple[int, int]] = []
    web.answer("/file.tgz", resumable(BODY))
    download(web.url("/file.tgz"), target, progress=lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == BODY
    assert leftovers(target) == []
    assert web.requests[0].headers["user-agent"] == USER_AGENT
    assert seen[-1] == (len(BODY), len(BODY))


def test_broken_download_resumes(web: Web, target: Path) -> None:
    """With Range and If-Range, in the same run."""
    asked = fetch(web, target, Answer(body=BODY, cut=HALF, headers=(TAG,)), resumable(BODY))
    assert target.read_bytes() == BODY
    assert (asked[1].headers["range"], asked[1].headers["if-range"]) == (f"bytes={HALF}-", '"1"')


def test_later_run_resumes(web: Web, target: Path) -> None:
    """Bytes of an earlier run are not downloaded again."""
    leave_half(web, target, TAG)
    asked = fetch(web, target, resumable(BODY))
    assert target.read_bytes() == BODY
    assert [request.headers.get("range") for request in asked] == [f"bytes={HALF}-"]
    assert leftovers(target) == []


def test_weak_etag(web: Web, target: Path) -> None:
    """If-Range has the modification time instead."""
    leave_half(web, target, 'ETag: W/"1"', "Last-Modified: Mon, 01 Jan 2018 00:00:00 GMT")
    assert fetch(web, target, Answer(body=BODY))[0].headers["if-range"] == "Mon, 01 Jan 2018 00:00:00 GMT"


def test_resume_without_validators(web: Web, target: Path) -> None:
    """The size has to match."""
    leave_half(web, target)
    asked = fetch(web, target, resumable(BODY))
    assert asked[0].headers["range"] == f"bytes={HALF}-"
    assert "if-range" not in asked[0].headers
    assert target.read_bytes() == BODY


def test_server_that_ignores_range(web: Web, target: Path) -> None:
    """A 200 is the whole file."""
    leave_half(web, target, TAG)
    fetch(web, target, Answer(body=BODY))
    assert target.read_bytes() == BODY


def test_changed_file_starts_again(web: Web, target: Path) -> None:
    """The old part is deleted."""
    leave_half(web, target, TAG)
    fetch(web, target, resumable(BODY[::-1], etag='"2"'))
    assert target.read_bytes() == BODY[::-1]


@pytest.mark.parametrize(
    "content_range", [f"bytes 0-{len(BODY) - 1}/{len(BODY)}", f"bytes {HALF}-9/99", "bytes */*", "nonsense"]
)
def test_wrong_content_range_starts_again(web: Web, target: Path, content_range: str) -> None:
    """Another range than the requested one is not appended."""
    leave_half(web, target, TAG)
    wrong = Answer(status=206, body=BODY[HALF:], headers=(TAG, f"Content-Range: {content_range}"))
    asked = fetch(web, target, wrong, Answer(body=BODY))
    assert target.read_bytes() == BODY
    assert "range" not in asked[1].headers


def test_part_longer_than_the_file_starts_again(web: Web, target: Path) -> None:
    """The server answers 416."""
    leave_half(web, target, TAG)
    target.with_name("file.tgz.part").write_bytes(BODY + b"more")
    fetch(web, target, resumable(BODY))
    assert target.read_bytes() == BODY


def test_complete_part_needs_no_request(web: Web, target: Path) -> None:
    """The run was killed before the file got its name."""
    leave_half(web, target, TAG)
    target.with_name("file.tgz.part").write_bytes(BODY)
    assert fetch(web, target, Answer(status=500)) == []
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    "note", ["", "[]", "{}", '{"url": "other"}', '{"url": 1, "size": "x"}', '{"url": "%s", "size": "9"}']
)
def test_damaged_metadata_starts_again(web: Web, target: Path, note: str) -> None:
    """Nothing is appended to a part of an unknown file."""
    leave_half(web, target, TAG)
    target.with_name("file.tgz.part.json").write_text(note.replace("%s", web.url("/file.tgz")))
    assert "range" not in fetch(web, target, resumable(BODY))[0].headers
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_temporary_status_is_retried(web: Web, target: Path, status: int) -> None:
    """408, 429 and 5xx."""
    fetch(web, target, Answer(status=status), Answer(status=status), Answer(body=BODY))
    assert target.read_bytes() == BODY


def test_retries_end(web: Web, target: Path) -> None:
    """The error has the last status."""
    with pytest.raises(OneSourceError, match="it answers 500 Internal Server Error"):
        fetch(web, target, Answer(status=500))
    assert len(web.requests) == len(QUICK) + 1


def test_progress_resets_the_retries(web: Web, target: Path) -> None:
    """A connection that breaks often but makes progress succeeds."""

    def cut_soon(request: Request) -> Answer:
        rest = resumable(BODY)(request)
        return rest if len(rest.body) < 70_000 else Answer(**{**rest.__dict__, "cut": 70_000})

    asked = fetch(web, target, cut_soon)
    assert target.read_bytes() == BODY
    assert len(asked) > len(QUICK)


def test_no_progress_ends_the_retries(web: Web, target: Path) -> None:
    """Bytes that had arrived before are no progress."""
    with pytest.raises(OneSourceError, match=f"connection broke after {HALF:,} bytes"):
        fetch(web, target, Answer(body=BODY, cut=HALF))
    assert len(web.requests) <= len(QUICK) + 2


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_permanent_status_is_not_retried(web: Web, target: Path, status: int) -> None:
    """403, 404 and the like."""
    with pytest.raises(OneSourceError, match=f"it answers {status}"):
        fetch(web, target, Answer(status=status))
    assert len(web.requests) == 1
    assert leftovers(target) == []


def test_too_long_retry_after(web: Web, target: Path) -> None:
    """The download fails at once."""
    with pytest.raises(OneSourceError, match="503"):
        fetch(web, target, Answer(status=503, headers=("Retry-After: 3600",)))
    assert len(web.requests) == 1


def test_rejected_start_keeps_the_part(web: Web, target: Path) -> None:
    """A log-in page instead of the file is an error."""
    leave_half(web, target, TAG)
    with pytest.raises(OneSourceError, match="a page"):
        fetch(
            web, target, Answer.page("<html>"), check_start=lambda data: "a page" if data[:1] == b"<" else ""
        )
    assert target.with_name("file.tgz.part").read_bytes() == BODY[:HALF]
    fetch(web, target, resumable(BODY))
    assert target.read_bytes() == BODY


def test_wrong_checksum(web: Web, target: Path) -> None:
    """The download is deleted."""
    with pytest.raises(OneSourceError, match="SHA-1"):
        fetch(web, target, Answer(body=BODY[:-1]), sha1=hashlib.sha1(BODY).hexdigest())
    assert leftovers(target) == []
    assert not target.exists()
    fetch(web, target, Answer(body=BODY), sha1=hashlib.sha1(BODY).hexdigest().upper())
    assert target.read_bytes() == BODY


def test_old_file_stays_until_the_new_one_is_complete(web: Web, target: Path) -> None:
    """A failed download changes no existing file."""
    target.write_bytes(b"old")
    with pytest.raises(OneSourceError):
        fetch(web, target, Answer(body=BODY, cut=HALF))
    assert target.read_bytes() == b"old"


def test_disk_space_is_checked_first(web: Web, target: Path) -> None:
    """A file for which there is not enough space is not started."""
    free = shutil.disk_usage(target.parent).free
    with pytest.raises(OneSourceError, match="MB of disk"):
        fetch(web, target, Answer(body=BODY), disk_factor=2 * free / len(BODY))
    assert leftovers(target) == []


@pytest.mark.parametrize("kind", ["chunked", "until-closed", "packed-by-name"])
def test_unusual_encodings(web: Web, target: Path, kind: str) -> None:
    """Without a length, or with an archive sent as an encoding, the bytes are unchanged."""
    answers = {
        "chunked": Answer(body=BODY, chunked=True),
        "until-closed": Answer(body=BODY, length=Length.OMITTED),
        "packed-by-name": Answer(body=BODY, headers=("Content-Encoding: gzip",)),
    }
    fetch(web, target, answers[kind])
    assert target.read_bytes() == BODY


def test_truncated_chunked_body_is_retried(web: Web, target: Path) -> None:
    """A body without a length is complete only with its last chunk."""
    fetch(web, target, Answer(body=BODY, chunked=True, cut=HALF), Answer(body=BODY, chunked=True))
    assert target.read_bytes() == BODY


def test_folder_that_cannot_be_written(web: Web, tmp_path: Path) -> None:
    """It is an error of the disk, not of the source."""
    target = tmp_path / "x.tgz"
    target.with_name("x.tgz.part").mkdir()
    web.answer("/x.tgz", Answer(body=BODY))
    with pytest.raises(DiskError, match="cannot be written"):
        download(web.url("/x.tgz"), target, options=DownloadOptions(retry_delays=QUICK))


def test_interruption_keeps_the_part(web: Web, target: Path) -> None:
    """Ctrl-C loses no bytes that have arrived."""

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
