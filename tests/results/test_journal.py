"""The journal tells what stands, whatever happened to the run that wrote it."""

from __future__ import annotations

import dataclasses
import json
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
GARBAGE = [
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
    """Give a row of the URL table."""
    return UrlRow(number * 60, f"n00000001_{number}", f"http://host/{number}.jpg", repeat)


def saved(number: int) -> Outcome:
    """Give an image that was saved."""
    return Outcome(row(number), Status.DOWNLOADED, picture=PICTURE, file=f"Images/n00000001_{number}.jpg")


def failed(number: int) -> Outcome:
    """Give a URL that failed."""
    return Outcome(row(number), Status.FAILED, Reason.HTTP_STATUS, "No.", http_status=404, attempts=1)


def write(path: Path, *outcomes: Outcome, run: bool = False) -> None:
    """Append outcomes as a run does."""
    journal = Journal(path)
    if run:
        journal.begin_run()
    for outcome in outcomes:
        journal.append(outcome)


def numbers(path: Path) -> list[int]:
    """Say which rows a journal knows, in its order."""
    return [outcome.row.position // 60 for outcome in read_outcomes(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Say where the journal is to be."""
    return tmp_path / ".journal.jsonl"


def test_a_new_journal_is_empty(path: Path) -> None:
    """Nothing is known where nothing was written."""
    write(path, run=True)
    assert list(read_outcomes(path)) == []


def test_a_line_is_in_the_file_as_soon_as_it_is_written(path: Path) -> None:
    """A run that is killed loses nothing that it had noted."""
    journal = Journal(path)
    for number in range(3):
        journal.append(saved(number))
        assert numbers(path) == list(range(number + 1))
    assert list(journal.outcomes()) == [saved(number) for number in range(3)]


def test_the_last_line_of_an_url_counts(path: Path) -> None:
    """Also when it takes an image back; and what stood before is gone."""
    write(path, saved(1), saved(2), failed(1), failed(3), saved(3))
    assert [(one.row, one.status) for one in read_outcomes(path)] == [
        (row(1), Status.FAILED),
        (row(2), Status.DOWNLOADED),
        (row(3), Status.DOWNLOADED),
    ]


def test_rows_that_say_the_same_are_told_apart(path: Path) -> None:
    """The table may hold a row twice: each has its own line, and one code may have several URLs."""
    other_url = dataclasses.replace(row(1), url="http://other/", position=61)
    again = dataclasses.replace(row(1, repeat=1), position=62)
    rows = [row(1), other_url, again]
    write(path, *(Outcome(one, Status.FAILED, Reason.TIMEOUT) for one in rows))
    assert [outcome.row for outcome in read_outcomes(path)] == rows


def test_images_of_earlier_runs_were_already_present(path: Path) -> None:
    """What an earlier run saved is told from what this one does; failures stay as they were."""
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


def test_outcomes_come_in_the_tables_order(path: Path) -> None:
    """However they were written."""
    order = list(range(200))
    random.Random(1).shuffle(order)
    write(path, *map(saved, order))
    assert numbers(path) == list(range(200))


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_a_torn_last_line_is_dropped(path: Path, kept: int) -> None:
    """Wherever the kill struck; what is appended then begins on a line of its own."""
    write(path, saved(1), saved(2))
    whole = path.read_bytes()
    write(path, saved(3))
    last = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + last[:kept])
    write(path, saved(4))
    assert numbers(path) == [1, 2, 4]
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_torn_line_may_be_long(path: Path) -> None:
    """Longer than what is read at once from the end."""
    write(path, saved(1))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"url": "' + b"x" * 500_000)
    write(path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_counts_as_nothing(path: Path, garbage: bytes) -> None:
    """At the beginning, in the middle and at the end; every sound line still counts."""
    write(path, saved(1), saved(2))
    one, two = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([garbage, one, garbage, two, garbage]))
    write(path, saved(3))
    assert numbers(path) == [1, 2, 3]


def test_an_emptied_or_replaced_journal_is_begun_anew(path: Path) -> None:
    """Whatever the file is, it can be appended to."""
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
    bytes=st.integers(1, 2**31),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
)
outcomes = st.builds(
    Outcome,
    row=st.builds(UrlRow, naturals, texts, texts, st.integers(0, 9)),
    status=st.sampled_from([Status.DOWNLOADED, Status.FAILED, Status.SKIPPED, Status.NOT_ATTEMPTED]),
    reason=st.none() | st.sampled_from(Reason),
    description=texts,
    http_status=st.integers(0, 599),
    attempts=st.integers(0, 9),
    seconds=st.integers(0, 10**6).map(lambda thousandths: thousandths / 1000),
    file=texts,
    picture=st.none() | pictures,
    boxes=st.none() | st.integers(0, 99),
    modified_ns=naturals,
    decided_by=texts,
    final_host=texts,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(outcome=outcomes)
def test_an_outcome_comes_back_as_it_went(path: Path, outcome: Outcome) -> None:
    """Every field, with whatever characters an URL may have; a missing value stays missing, a zero zero."""
    path.unlink(missing_ok=True)
    write(path, outcome)
    assert list(read_outcomes(path)) == [outcome]


def test_an_open_journal_knows_what_is_in_its_file(path: Path) -> None:
    """Whatever was written before and after it was first read, one by one or in one go."""
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
def test_reading_can_be_left(path: Path, calls: int) -> None:
    """At every line; read later, the journal is whole."""
    write(path, *map(saved, range(4)))
    left = iter(range(calls))

    def checkpoint() -> None:
        if next(left, None) is None:
            raise EnoughError

    journal = Journal(path)
    with pytest.raises(EnoughError):
        list(journal.outcomes(checkpoint))
    assert len(list(journal.outcomes())) == 4


def test_what_is_only_for_the_run_is_not_kept(path: Path) -> None:
    """A wait that a host asked for, and a proxy's failure, mean nothing later."""
    write(path, dataclasses.replace(failed(1), retry_after=9.0, from_proxy=True))
    assert list(read_outcomes(path)) == [failed(1)]


def test_a_long_journal_takes_little_memory(path: Path) -> None:
    """20,000 lines are read in bounded memory: places are kept, not outcomes."""
    write(path, *map(saved, range(20_000)))
    tracemalloc.start()
    assert sum(1 for _ in read_outcomes(path)) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_journal_that_cannot_be_opened_stops_its_category(tmp_path: Path) -> None:
    """With the file's name, and what to do."""
    for path in (tmp_path / "missing" / ".journal.jsonl", tmp_path):
        with pytest.raises(FolderError, match=rf"Cannot work with {path}: .*run again"):
            Journal(path)


def test_a_full_disk_stops_the_run() -> None:
    """At the first line that does not fit."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full to play a full disk")
    journal = Journal(full)
    with pytest.raises(DiskError, match=r"Cannot write /dev/full: No space left on device\."):
        journal.append(saved(1))
