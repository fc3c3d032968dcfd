"""One source after the other: each failure is one line, and when all fail the user knows what to do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.web import Answer, Web, resumable
from tests.prerequisites.helpers import (
    QUICK,
    ROWS,
    TGZ,
    TXT,
    RecordingConsole,
    get_urls,
    names,
    rows_in,
    source,
)
from utils.errors import SourceError
from utils.prerequisites import first_available
from utils.prerequisites.first_available import Advance
from utils.prerequisites.known_sources import (
    ANNOTATION_SOURCES,
    ANNOTATIONS_BY_HAND,
    URL_SOURCES,
    URLS_BY_HAND,
)
from utils.prerequisites.prepare import Options, PrerequisiteName, prepare

WHOLE = ["imageNetURLs.csv", "imageNetURLs.csv.index"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for the table."""
    return tmp_path / "home"


def parts(home: Path) -> list[Path]:
    """List downloads that broke off."""
    return list(home.glob("[!.]*.part"))


def test_the_known_sources_are_told_and_must_be_long() -> None:
    """Each says what lies there, and is only taken when it gives about as much as it did."""
    assert all(known.min_count >= 14_000_000 for known in URL_SOURCES)
    assert all(known.min_count >= 3_000 for known in ANNOTATION_SOURCES)
    assert URL_SOURCES[0].description.endswith("334 MB, last reported working in 2020")
    assert URL_SOURCES[-1].address.startswith("http://image-net.org/")
    assert all(known.sha1 for known in URL_SOURCES if known.address.endswith("fall11_urls.tgz"))


def test_the_next_source_is_tried(home: Path, web: Web) -> None:
    """A source that refuses, gives a web page, or something damaged costs only itself; each is said."""
    web.answer("/forbidden", Answer(status=403))
    web.answer("/page.zip", Answer.page("<html>"))
    web.answer("/cut.tgz", Answer(body=TGZ[:300]))
    web.answer("/good.tgz", Answer(body=TGZ, cut=2000, headers=('ETag: "1"',)), resumable(TGZ))
    paths = ("/forbidden", "/page.zip", "/cut.tgz", "/good.tgz")
    said = get_urls(home, "/no/such/file", "ftp://127.0.0.1/x", *map(web.url, paths))
    assert rows_in(home) == ROWS
    for words in ("No such file", "neither http nor https", "403 Forbidden", "a web page", "damaged"):
        assert len([line for line in said if words in line]) == 1
    assert "  resuming at 0.0 MB" in said
    assert names(home) == WHOLE
    assert web.requests[-1].headers["range"] == "bytes=2000-"


def test_when_all_sources_fail_every_one_is_named(home: Path, web: Web) -> None:
    """One line per source says why, and a paragraph what to do by hand."""
    web.answer("/x", Answer(status=404))
    web.answer("/y", Answer(status=500))
    with pytest.raises(SourceError) as caught:
        get_urls(home, web.url("/x"), web.url("/y"))
    assert caught.value.exit_code == 1
    first, *tried, network, by_hand = str(caught.value).split("\n", 4)
    assert first == "imageNetURLs.csv could not be downloaded. Tried:"
    assert tried == [
        f"  {web.url('/x')}: it answers 404 Not Found",
        f"  {web.url('/y')}: it answers 500 Internal Server Error",
    ]
    assert "http_proxy" in network
    assert by_hand == f"{URLS_BY_HAND}\nThen run again with --urls_source and its path."
    assert names(home) == []


def test_what_to_do_by_hand_names_the_file() -> None:
    """The name to look for, its size, and whom to ask."""
    for text, name in (
        (URLS_BY_HAND, "imagenet_fall11_urls.tgz"),
        (ANNOTATIONS_BY_HAND, "bboxes_annotations"),
    ):
        assert name in text
        assert " MB" in text
        assert "https://image-net.org" in text
        assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "it is a folder"),
        (".", "it is a folder"),
        ("~nobody-of-this-name/x", "not a valid path"),
        ("file://[x/y", "not a valid path"),
        ("file:///no/such/file", "No such file"),
        ("gopher://127.0.0.1/x", "neither http nor https"),
        ("http://", "not a valid URL"),
        ("http://a b/", "not a valid URL"),
        ("http://\udcff/", "not a valid URL"),
        ("/dev/null", "a pipe or a device"),
        ("\udcff", "No such file"),
    ],
)
def test_odd_addresses_are_one_line_each(home: Path, address: str, words: str) -> None:
    """Whatever stands there, it is a sentence, not a traceback."""
    with pytest.raises(SourceError, match=words):
        get_urls(home, address)
    assert names(home) == []


def test_a_path_is_found_from_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quoted on the command line, `~` has reached us as it is."""
    monkeypatch.setenv("HOME" if os.name == "posix" else "USERPROFILE", str(home.parent))
    source(home, TGZ)
    get_urls(home, "~/source.bin")
    assert rows_in(home) == ROWS


def test_a_password_in_an_address_is_used_and_not_shown(home: Path, web: Web) -> None:
    """The server gets it; the screen, and whatever log it ends up in, does not."""
    web.answer("/list", Answer(body=TGZ))
    web.answer("/gone", Answer(status=410))
    with_password = [web.url(path).replace("//", "//me:secret@") for path in ("/gone", "/list")]
    said = get_urls(home, *with_password)
    assert rows_in(home) == ROWS
    assert web.requests[-1].headers["authorization"].startswith("Basic ")
    assert "secret" not in "\n".join(said)
    with pytest.raises(SourceError) as caught:
        get_urls(home, with_password[0], force=True)
    assert "secret" not in str(caught.value)


def test_secrets_in_an_address_are_not_written_down(home: Path, web: Web) -> None:
    """What is kept of a download that broke off names neither password nor signature, and still fits."""
    half = Answer(body=TGZ, headers=('ETag: "one"',), cut=len(TGZ) // 2)
    web.answer("/list?signature=secret", half)
    with pytest.raises(SourceError) as caught:
        get_urls(home, web.url("/list?signature=secret").replace("//", "//me:secret@"))
    assert "secret" not in str(caught.value)
    notes = [path.read_text() for path in home.glob("*.json")]
    assert len(notes) == 1
    assert "/list" in notes[0]
    assert "secret" not in notes[0]


def test_a_run_stopped_after_the_download_does_not_repeat_it(home: Path, web: Web) -> None:
    """What is on disk already is used; what proves useless is removed."""
    web.answer("/list", Answer(body=TGZ))

    class Interrupting(RecordingConsole):
        @contextlib.contextmanager
        def bar(self, title: str) -> Iterator[Advance]:
            if title.startswith("writing"):
                raise KeyboardInterrupt
            with super().bar(title) as advance:
                yield advance

    options = Options(home, frozenset({PrerequisiteName.URLS}), urls_source=(web.url("/list"),))
    with pytest.raises(KeyboardInterrupt):
        prepare(options, Interrupting(), QUICK)
    prepare(options, RecordingConsole(), QUICK)
    assert web.count("/list") == 1
    assert rows_in(home) == ROWS
    assert names(home) == WHOLE


def test_what_an_earlier_run_spoilt_is_fetched_once_more(home: Path, web: Web) -> None:
    """A part that turns out to be bad (power that failed, a server that mixed files) costs no source."""
    web.answer("/list", Answer(body=TGZ, cut=2000, headers=('ETag: "1"',)), Answer(status=404))
    with pytest.raises(SourceError):
        get_urls(home, web.url("/list"))
    (part,) = parts(home)
    part.write_bytes(bytes(2000))
    web.answer("/list", resumable(TGZ))
    said = get_urls(home, web.url("/list"))
    assert rows_in(home) == ROWS
    assert any("starting again" in line for line in said)
    assert names(home) == WHOLE


def test_what_is_bad_at_its_source_is_fetched_once(home: Path, web: Web) -> None:
    """Only what an earlier run left behind earns a second try."""
    web.answer("/list", Answer(body=TGZ[:-9]))
    with pytest.raises(SourceError, match="damaged or cut"):
        get_urls(home, web.url("/list"))
    assert web.count("/list") == 1
    assert names(home) == []


def test_what_never_ends_is_given_up(home: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than any file of ours is told as soon as that is clear, and goes."""
    monkeypatch.setattr(first_available, "MAX_DOWNLOAD", 10**6)
    web.answer("/endless", Answer(body=TXT, endless=True))
    web.answer("/lies", Answer(body=TXT, length=2 * 10**6))
    with pytest.raises(SourceError) as caught:
        get_urls(home, web.url("/endless"), web.url("/lies"))
    assert str(caught.value).count("so it is not the expected file") == 2
    assert names(home) == []


def test_parts_of_other_sources_go_when_one_has_served(home: Path, web: Web) -> None:
    """When the table is there, nothing of any download is left beside it."""
    web.answer("/one", Answer(body=TGZ, cut=2000, headers=('ETag: "1"',)), Answer(status=404))
    with pytest.raises(SourceError):
        get_urls(home, web.url("/one"))
    assert len(parts(home)) == 1
    get_urls(home, source(home, TGZ))
    assert names(home) == WHOLE
