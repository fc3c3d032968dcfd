"""The journal: the last line of a URL counts, whatever happened to the run that wrote it."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from utils.errors import DiskError, FolderError
from utils.models.images import ImageFormat, Picture
from utils.models.rows import UrlRow
from utils.models.tasks import Outcome
from utils.reasons import Reason, Status
from utils.results.journal import Journal, read_outcomes

PICTURE = Picture(ImageFormat.JPEG, 500, 375, 123_456, "ab" * 32)
INVALID = [
    b"\x00\xff\x80 not json",
    b"[1, 2]",
    b"null",
    b"{}",
    b'{"position": 1}',
    b'{"image_code": "a", "url": "b", "position": "x", "status": "failed"}',
    b'{"image_code": "a", "url": "b", "position": Infinity, "status": "failed"}',
    b'{"image_code": "a", "url": "b", "position": 1, "status": "wonderful"}',
    b'{"image_code": "a", "url": "b", "position": 1, "status": ["failed"]}',
    b'{"image_code": "a", "url": "b", "position": 1, "status": "failed", "reason": "none"}',
    b'{"image_code": "a", "url": "b", "position": 1, "status": "failed", "boxes": "many"}',
    b'{"image_code": "a", "url": "b", "position": 1, "status": "downloaded", "sha256": "x"}',
    b"[" * 100_000,
    b"",
    b"\x00" * 5000,
]


def row(number: int, repeat: int = 0) -> UrlRow:
    """Make a row of the URL table."""
    return UrlRow(number * 60, f"n00000001_{number}", f"http://host/{number}.jpg", repeat)


def saved(number: int) -> Outcome:
    """Make the outcome of a saved image."""
    return Outcome(row(number), Status.DOWNLOADED, picture=PICTURE, file=f"Images/n00000001_{number}.jpg")


def failed(number: int) -> Outcome:
    """Make the outcome of a URL that failed."""
    return Outcome(row(number), Status.FAILED, Reason.HTTP_STATUS, "No.", http_status=404, attempts=1)


def write(path: Path, *outcomes: Outcome, run: bool = False) -> None:
    """Append outcomes, as a run does."""
    journal = Journal(path)
    if run:
        journal.begin_run()
    for outcome in outcomes:
        journal.append(outcome)


def numbers(path: Path) -> list[int]:
    """Return the rows that a journal has, in its order."""
    return [outcome.row.position // 60 for outcome in read_outcomes(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the journal."""
    return tmp_path / ".journal.jsonl"


def test_new_journal(path: Path) -> None:
    """It has no outcomes."""
    write(path, run=True)
    assert list(read_outcomes(path)) == []


def test_lines_are_written_at_once(path: Path) -> None:
    """A killed run loses nothing that it recorded."""
    journal = Journal(path)
    for number in range(3):
        journal.append(saved(number))
        assert numbers(path) == list(range(number + 1))
    assert list(journal.outcomes()) == [saved(number) for number in range(3)]


def test_last_line_counts(path: Path) -> None:
    """A later line replaces an earlier one, also when an image is retracted."""
    write(path, saved(1), saved(2), failed(1), failed(3), saved(3))
    assert [(one.row, one.status) for one in read_outcomes(path)] == [
        (row(1), Status.FAILED),
        (row(2), Status.DOWNLOADED),
        (row(3), Status.DOWNLOADED),
    ]


def test_equal_rows(path: Path) -> None:
    """Equal rows of the table have a line each, as have several URLs of one image code."""
    other_url = dataclasses.replace(row(1), url="http://other/", position=61)
    again = dataclasses.replace(row(1, repeat=1), position=62)
    rows = [row(1), other_url, again]
    write(path, *(Outcome(one, Status.FAILED, Reason.TIMEOUT) for one in rows))
    assert [outcome.row for outcome in read_outcomes(path)] == rows


def test_images_of_earlier_runs(path: Path) -> None:
    """They are `already_present`; failures stay as they were."""
    write(path, saved(1), failed(2), saved(3), run=True)
    assert [one.status for one in read_outcomes(path)] == [
        Status.DOWNLOADED,
        Status.FAILED,
        Status.DOWNLOADED,
    ]
    write(path, saved(3), saved(4), run=True)
    assert [(one.row, one.status) for one in read_outcomes(path)] == [
        (row(1), Status.ALREADY_PRESENT),
        (row(2), Status.FAILED),
        (row(3), Status.DOWNLOADED),
        (row(4), Status.DOWNLOADED),
    ]


def test_order(path: Path) -> None:
    """Outcomes are in the order of the URL table."""
    order = list(range(200))
    random.Random(1).shuffle(order)
    write(path, *map(saved, order))
    assert numbers(path) == list(range(200))


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_incomplete_last_line(path: Path, kept: int) -> None:
    """It is cut off, wherever the run was killed; the next line starts on its own."""
    write(path, saved(1), saved(2))
    whole = path.read_bytes()
    write(path, saved(3))
    last = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + last[:kept])
    write(path, saved(4))
    assert numbers(path) == [1, 2, 4]
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_long_incomplete_line(path: Path) -> None:
    """It may be longer than the part that is read at once."""
    write(path, saved(1))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"url": "' + b"x" * 500_000)
    write(path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("invalid", INVALID)
def test_invalid_lines_are_ignored(path: Path, invalid: bytes) -> None:
    """Valid lines before, between and after them still count."""
    write(path, saved(1), saved(2))
    one, two = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([invalid, one, invalid, two, invalid]))
    write(path, saved(3))
    assert numbers(path) == [1, 2, 3]


@pytest.mark.parametrize(
    "file",
    [
        "../../precious.jpg",
        "../other/Images/n00000001_2.jpg",
        "/etc/passwd",
        "C:\\Images\\n00000001_2.jpg",
        "Images/../../precious.jpg",
        "Images/n00000001_2.jpg/../../../precious.jpg",
        "Images/deeper/n00000001_2.jpg",
        "Images\\n00000001_2.jpg",
        "Images/n00000001_1.jpg",  # another image
        "Images/n00000001_2.xml",
        "Images/n00000001_2.jpg\n",
        "Images/n00000001_2",
        "Images/..",
        "Annotation/n00000001_2.jpg",
        "n00000001_2.jpg",
        ".",
        "",
    ],
)
@pytest.mark.parametrize("status", [Status.DOWNLOADED, Status.FAILED])
def test_lines_that_name_another_file(path: Path, file: str, status: Status) -> None:
    """Only `Images/<image code>.<format>` is taken from a journal; any other line does not count."""
    named = dataclasses.replace(saved(2), file=file, status=status)
    write(path, saved(1), named)
    assert numbers(path) == ([1, 2] if not file and status is Status.FAILED else [1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("width", "height", "bytes") for value in (0, -1, 2**31, "x", None, [])),
        *(("sha256", value) for value in ("", "AB" * 32, "ab" * 32 + "\n", "ab" * 31, 7, None)),
        ("format", "exe"),
    ],
)
def test_impossible_pictures(path: Path, name: str, value: object) -> None:
    """A line with a picture of an impossible size does not count; exports and gallery divide by sizes."""
    write(path, saved(1), saved(2))
    one, two = path.read_bytes().splitlines()
    path.write_bytes(one + b"\n" + json.dumps(json.loads(two) | {name: value}).encode() + b"\n")
    assert numbers(path) == [1]


def test_image_codes_that_are_paths(path: Path) -> None:
    """They do not lead out of the folder of XML files, even if the file matches."""
    for image_code in ("../../precious", "", ".", "a/b", "n00000001_1/.."):
        other = dataclasses.replace(row(2), image_code=image_code)
        write(path, dataclasses.replace(saved(2), row=other, file=f"Images/{image_code}.jpg"))
    assert numbers(path) == []


def test_replaced_file(path: Path) -> None:
    """Whatever the file contains, lines can be appended."""
    for content in (b"", b"\n", b"no line end", random.Random(1).randbytes(200_000)):
        path.write_bytes(content)
        write(path, saved(1), run=True)
        assert numbers(path) == [1]


texts = st.text(st.characters(), max_size=20) | st.sampled_from(["\ud800", "a\x00b", '"\\\n\r\u2028', "=1+1"])
naturals = st.integers(0, 2**62)
pictures = st.builds(
    Picture,
    format=st.sampled_from(ImageFormat),
    width=st.integers(1, 65_535),
    height=st.integers(1, 65_535),
    bytes=st.integers(1, 2**31 - 1),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
)
failures = st.builds(
    Outcome,
    row=st.builds(UrlRow, naturals, texts, texts, st.integers(0, 9)),
    status=st.sampled_from([Status.FAILED, Status.SKIPPED, Status.NOT_ATTEMPTED]),
    reason=st.none() | st.sampled_from(Reason),
    description=texts,
    http_status=st.integers(0, 599),
    attempts=st.integers(0, 9),
    seconds=st.integers(0, 10**6).map(lambda thousandths: thousandths / 1000),
    picture=st.none() | pictures,
    boxes=st.none() | st.integers(0, 99),
    modified_ns=naturals,
    decided_by=texts,
    final_host=texts,
)
images = st.builds(
    lambda outcome, number, image_format: dataclasses.replace(
        outcome,
        row=dataclasses.replace(outcome.row, image_code=f"n00000001_{number}"),
        status=Status.DOWNLOADED,
        file=f"Images/n00000001_{number}.{image_format.value}",
    ),
    failures,
    st.integers(0, 10**12 - 1),
    st.sampled_from(ImageFormat),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(outcome=failures | images)
def test_every_field_is_kept(path: Path, outcome: Outcome) -> None:
    """With any characters in it; missing values stay missing, and zeros zero."""
    path.unlink(missing_ok=True)
    write(path, outcome)
    assert list(read_outcomes(path)) == [outcome]


def test_open_journal_matches_its_file(path: Path) -> None:
    """Whatever was written before and after it was read, one by one or together."""
    write(path, saved(3), failed(1), run=True)
    journal = Journal(path)
    journal.begin_run()
    assert [one.status for one in journal.outcomes()] == [Status.FAILED, Status.ALREADY_PRESENT]
    journal.append_all([failed(3), saved(2)])
    journal.append_all([])
    journal.append(saved(1))
    assert list(journal.outcomes()) == list(read_outcomes(path)) == [saved(1), saved(2), failed(3)]
    journal.begin_run()
    assert list(journal.outcomes()) == list(read_outcomes(path))
    assert [one.status for one in journal.outcomes()].count(Status.ALREADY_PRESENT) == 2


class EnoughError(Exception):
    """Raised at a checkpoint."""


@pytest.mark.parametrize("calls", range(7))
def test_checkpoints(path: Path, calls: int) -> None:
    """Reading can be abandoned at every line; later the journal is read completely."""
    write(path, *map(saved, range(4)))
    left = iter(range(calls))

    def checkpoint() -> None:
        if next(left, None) is None:
            raise EnoughError

    journal = Journal(path)
    with pytest.raises(EnoughError):
        list(journal.outcomes(checkpoint))
    assert len(list(journal.outcomes())) == 4


def test_transient_fields_are_not_written(path: Path) -> None:
    """Fields that matter only within a run are not kept."""
    write(path, dataclasses.replace(failed(1), retry_after=9.0, from_proxy=True))
    assert list(read_outcomes(path)) == [failed(1)]


def test_memory(path: Path) -> None:
    """10,000 lines are read in bounded memory."""
    Journal(path).append_all([saved(number) for number in range(10_000)])
    tracemalloc.start()
    assert sum(1 for _ in read_outcomes(path)) == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_journal_that_cannot_be_opened(tmp_path: Path) -> None:
    """The error names the file, and says what to do."""
    for path in (tmp_path / "missing" / ".journal.jsonl", tmp_path):
        with pytest.raises(FolderError, match=rf"Cannot work with {path}: .*run again"):
            Journal(path)


def test_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line that cannot be written is an error."""

    def fail(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    journal = Journal(path)
    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(DiskError, match=rf"Cannot write {path}: No space left on device\."):
        journal.append(saved(1))
