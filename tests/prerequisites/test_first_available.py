"""Sources of a prerequisite are tried in order; if all fail, the message says why and what to do."""

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
    """Return a folder for the table."""
    return tmp_path / "home"


def parts(home: Path) -> list[Path]:
    """List incomplete downloads."""
    return list(home.glob("[!.]*.part"))


def test_known_sources_have_descriptions_and_minimum_sizes() -> None:
    """A source that gives much less than it did is not accepted."""
    assert all(known.min_count >= 14_000_000 for known in URL_SOURCES)
    assert all(known.min_count >= 3_000 for known in ANNOTATION_SOURCES)
    assert URL_SOURCES[0].description.endswith("334 MB, last reported working in 2020")
    assert URL_SOURCES[-1].address.startswith("http://image-net.org/")
    assert all(known.sha1 for known in URL_SOURCES if known.address.endswith("fall11_urls.tgz"))


def test_next_source_is_tried(home: Path, web: Web) -> None:
    """After a refusal, a web page or a damaged file; each failure is printed once."""
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


def test_all_sources_fail(home: Path, web: Web) -> None:
    """The message has one line for each source, and what to do by hand."""
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


def test_instructions_name_the_file() -> None:
    """Its name, its size, and where to ask."""
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
def test_invalid_addresses(home: Path, address: str, words: str) -> None:
    """An error message, not a traceback."""
    with pytest.raises(SourceError, match=words):
        get_urls(home, address)
    assert names(home) == []


def test_path_in_the_home_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell does not expand a quoted `~`."""
    monkeypatch.setenv("HOME" if os.name == "posix" else "USERPROFILE", str(home.parent))
    source(home, TGZ)
    get_urls(home, "~/source.bin")
    assert rows_in(home) == ROWS


def test_password_in_an_address_is_sent_and_not_shown(home: Path, web: Web) -> None:
    """The server gets it; the screen does not."""
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


def test_secrets_in_an_address_are_not_stored(home: Path, web: Web) -> None:
    """The metadata of a part has neither password nor signature, and still matches."""
    half = Answer(body=TGZ, headers=('ETag: "one"',), cut=len(TGZ) // 2)
    web.answer("/list?signature=secret", half)
    with pytest.raises(SourceError) as caught:
        get_urls(home, web.url("/list?signature=secret").replace("//", "//me:secret@"))
    assert "secret" not in str(caught.value)
    notes = [path.read_text() for path in home.glob("*.json")]
    assert len(notes) == 1
    assert "/list" in notes[0]
    assert "secret" not in notes[0]


def test_complete_download_is_not_repeated(home: Path, web: Web) -> None:
    """A run was interrupted after the download; a file that is not usable is deleted."""
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


def test_damaged_part_is_downloaded_again(home: Path, web: Web) -> None:
    """After a power failure, or from a server that mixed files."""
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


def test_damaged_source_is_downloaded_once(home: Path, web: Web) -> None:
    """Only the part of an earlier run is a reason to try again."""
    web.answer("/list", Answer(body=TGZ[:-9]))
    with pytest.raises(SourceError, match="damaged or cut"):
        get_urls(home, web.url("/list"))
    assert web.count("/list") == 1
    assert names(home) == []


def test_maximum_size(home: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger file is an error as soon as that is known, and is deleted."""
    monkeypatch.setattr(first_available, "MAX_DOWNLOAD", 10**6)
    web.answer("/endless", Answer(body=TXT, endless=True))
    web.answer("/lies", Answer(body=TXT, length=2 * 10**6))
    with pytest.raises(SourceError) as caught:
        get_urls(home, web.url("/endless"), web.url("/lies"))
    assert str(caught.value).count("so it is not the expected file") == 2
    assert names(home) == []


def test_parts_of_other_sources_are_deleted(home: Path, web: Web) -> None:
    """When one source has succeeded."""
    web.answer("/one", Answer(body=TGZ, cut=2000, headers=('ETag: "1"',)), Answer(status=404))
    with pytest.raises(SourceError):
        get_urls(home, web.url("/one"))
    assert len(parts(home)) == 1
    get_urls(home, source(home, TGZ))
    assert names(home) == WHOLE
