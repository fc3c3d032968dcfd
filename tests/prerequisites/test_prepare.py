"""Existing prerequisites are kept, and a failure affects no other prerequisite."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.web import Answer, Web
from tests.prerequisites.helpers import (
    CARTON,
    HUSKY,
    QUICK,
    ROWS,
    TGZ,
    TXT,
    RecordingConsole,
    collection,
    get_annotations,
    get_urls,
    names,
    rows_in,
    source,
)
from utils.catalog import categories
from utils.errors import DatasetError, DiskError, FolderInUseError, InputError, SourceError
from utils.prerequisites.prepare import Options, PrerequisiteName, prepare
from utils.results.folder_lock import FolderLock
from utils.sources import url_index

WHOLE = ["imageNetURLs.csv", "imageNetURLs.csv.index"]


@pytest.fixture(autouse=True)
def few_categories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the table that ships have two categories."""
    few = [one for one in categories.load_synsets() if one.code in (CARTON, HUSKY)]
    monkeypatch.setattr(categories, "load_synsets", lambda: few)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the destination folder."""
    return tmp_path / "home"


@pytest.fixture
def mount() -> Iterator[Callable[[Path, str], None]]:
    """Return a function that mounts a small file system, or changes its options."""
    mounted: list[Path] = []

    def make(folder: Path, options: str) -> None:
        folder.mkdir(exist_ok=True)
        again = "remount," if folder in mounted else ""
        command = ["mount", "-t", "tmpfs", "-o", again + options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root may mount file systems")
        mounted.append(folder)

    yield make
    for folder in set(mounted):
        subprocess.run(["umount", str(folder)], check=True)


def test_existing_table(home: Path, web: Web) -> None:
    """A second run downloads nothing, but creates a missing index; --force downloads again."""
    web.answer("/list", Answer(body=TGZ))
    get_urls(home, web.url("/list"))
    index = url_index.index_path(home / "imageNetURLs.csv")
    good = index.read_bytes()
    index.unlink()
    lines = get_urls(home, web.url("/list"))
    assert lines[-1].startswith("imageNetURLs.csv: already present (1,000 rows)")
    assert lines[-1].endswith("; --force replaces it from --urls_source")
    assert get_urls(home)[-1].endswith("; --force downloads everything published")
    assert index.read_bytes() == good
    assert web.count("/list") == 1
    get_urls(home, web.url("/list"), force=True)
    assert web.count("/list") == 2


def test_existing_table_with_other_name(home: Path) -> None:
    """A table `imageNetUrls.csv`, as in older archives, is found."""
    get_urls(home, source(home, TXT))
    for name in WHOLE:
        (home / name).rename(home / name.replace("URLs", "Urls"))
    assert get_urls(home)[0].startswith("imageNetUrls.csv: already present (1,000 rows)")


@pytest.mark.parametrize("content", [b"", b"garbage\n", b"img_code,img_url,code\n"])
def test_invalid_table(home: Path, content: bytes) -> None:
    """An invalid table is replaced."""
    home.mkdir()
    (home / "imageNetURLs.csv").write_bytes(content)
    get_urls(home, source(home, TXT))
    assert rows_in(home) == ROWS


def test_existing_ncodes(home: Path) -> None:
    """`ncodes.csv` is only replaced with --force; marks and a backup are kept."""
    options = Options(home, frozenset({PrerequisiteName.NCODES}))
    prepare(options, RecordingConsole())
    path = home / "ncodes.csv"
    fresh = path.read_bytes()
    marked = fresh.replace(b"False,-1\n", b"True,7\n", 1)
    path.write_bytes(marked)
    prepare(options, RecordingConsole())
    assert path.read_bytes() == marked
    prepare(Options(home, frozenset({PrerequisiteName.NCODES}), force=True), RecordingConsole())
    assert [row.how_many for row in categories.read(path) if row.selected] == [7]
    assert (home / "ncodes.csv.bak").read_bytes() == marked
    assert names(home) == ["ncodes.csv", "ncodes.csv.bak"]


def test_invalid_ncodes(home: Path) -> None:
    """An invalid `ncodes.csv` is reported and kept, also with --force."""
    home.mkdir()
    invalid = b"code,name,to_download,how_many\nn02110185,Siberian husky,perhaps,-1\n"
    (home / "ncodes.csv").write_bytes(invalid)
    console = RecordingConsole()
    prepare(Options(home, frozenset({PrerequisiteName.NCODES})), console)
    assert "line 2" in console.lines[0]
    assert "perhaps" in console.lines[0]
    with pytest.raises(InputError, match="line 2"):
        prepare(Options(home, frozenset({PrerequisiteName.NCODES}), force=True), RecordingConsole())
    assert (home / "ncodes.csv").read_bytes() == invalid
    assert names(home) == ["ncodes.csv"]


def test_one_failure(home: Path) -> None:
    """If the URL table fails, categories and annotations are created."""
    options = Options(
        home, urls_source=("/no/such/file",), annotations_source=source(home, collection(HUSKY))
    )
    with pytest.raises(SourceError, match=r"imageNetURLs\.csv could not be downloaded"):
        prepare(options, RecordingConsole(), QUICK)
    assert names(home) == ["annotation", "ncodes.csv"]


def obstruct(kind: str, path: Path) -> None:
    """Create something of another kind in place of a file."""
    path.parent.mkdir(exist_ok=True)
    creators: dict[str, Callable[[], object]] = {
        "folder": path.mkdir,
        "file": path.touch,
        "pipe": lambda: os.mkfifo(path),
        "link": lambda: path.symlink_to("nowhere"),
    }
    creators[kind]()


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("prerequisite", "file", "kinds"),
    [
        (PrerequisiteName.NCODES, "ncodes.csv", ("folder", "pipe", "link")),
        (PrerequisiteName.URLS, "imageNetURLs.csv", ("folder", "pipe", "link")),
        (PrerequisiteName.ANNOTATIONS, "annotation", ("file", "pipe", "link")),
    ],
)
def test_obstruction(
    tmp_path: Path, web: Web, prerequisite: PrerequisiteName, file: str, kinds: tuple[str, ...], force: bool
) -> None:
    """A folder in place of a file, or the reverse, is an input error before anything is downloaded."""
    for kind in kinds:
        home = tmp_path / kind
        obstruct(kind, home / file)
        sources = {"urls_source": (web.url("/x"),), "annotations_source": web.url("/x")}
        with pytest.raises(InputError, match=f"{file} exists, but is not a .* Move it away"):
            prepare(
                Options(home, frozenset({prerequisite}), force=force, **sources), RecordingConsole(), QUICK
            )
        assert names(home) == [file]
    assert web.requests == []


@pytest.mark.parametrize("folder", ["home", "home/below", "x" * 300, "link/below"])
def test_folder_cannot_be_created(tmp_path: Path, folder: str) -> None:
    """A destination that cannot be created is an input error."""
    (tmp_path / "home").write_bytes(b"")
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(InputError, match="--ncodes_dir"):
        get_urls(tmp_path / folder, "x")


def test_read_only_folder(home: Path, web: Web, mount: Callable[[Path, str], None]) -> None:
    """A read-only destination is an error before anything is downloaded; existing files can be used."""
    web.answer("/list", Answer(body=TGZ))
    mount(home, "size=4m")
    get_annotations(home, source(home, collection(HUSKY)))
    mount(home, "ro")
    with pytest.raises(InputError, match=r"cannot be written to: Read-only file system\. .* --ncodes_dir"):
        get_urls(home, web.url("/list"))
    assert web.count("/list") == 0
    assert "already present" in get_annotations(home, "/no/such/file")[0]


def test_no_space_for_download(home: Path, web: Web, mount: Callable[[Path, str], None]) -> None:
    """Before a download, there must be space for the file and the table."""
    web.answer("/list", Answer(body=TGZ, length=10**6))
    mount(home, "size=4m")
    with pytest.raises(SourceError, match=r"it needs 5 MB of disk, and .* has 4 MB free: make room"):
        get_urls(home, web.url("/list"))
    assert names(home) == []


def test_no_space_for_table(home: Path, mount: Callable[[Path, str], None]) -> None:
    """Before a list on disk is converted, there must be space for the table."""
    mount(home, "size=64k")
    with pytest.raises(DiskError, match=r"imageNetURLs\.csv needs \d+ MB, but .*Free some space"):
        get_urls(home, source(home, TXT * 100))
    assert names(home) == []


def test_full_disk_during_download(home: Path, web: Web, mount: Callable[[Path, str], None]) -> None:
    """If a download of unknown size fills the disk, existing files are kept, and the next run continues."""
    mount(home, "size=256k")
    get_urls(home, source(home, TXT))
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    body = bytes(10**6)
    web.answer("/list", Answer(body=body, chunked=True))
    with pytest.raises(DiskError, match=r"cannot be written: No space left on device"):
        get_urls(home, web.url("/list"), force=True)
    assert {name: (home / name).read_bytes() for name in before} == before
    mount(home, "size=9m")
    web.answer("/list", Answer(body=TGZ))
    get_urls(home, web.url("/list"), force=True)
    assert names(home) == WHOLE


def test_full_disk(home: Path, mount: Callable[[Path, str], None]) -> None:
    """A disk without space for an empty file gives exit code 1."""
    mount(home, "size=4k,nr_inodes=1")
    with pytest.raises(DatasetError, match="No space left") as caught:
        get_urls(home, source(home, TXT))
    assert caught.value.exit_code == 1


def test_concurrent_runs(home: Path, web: Web) -> None:
    """A second run is refused while the first is active, unless it has nothing to download."""
    web.answer("/list", Answer(body=TGZ))
    home.mkdir()
    with FolderLock(home), pytest.raises(FolderInUseError, match=r"Another run is using .* --ncodes_dir"):
        get_urls(home, web.url("/list"))
    get_urls(home, web.url("/list"))
    with FolderLock(home):
        assert "already present" in get_urls(home)[0]
    assert names(home) == WHOLE


def test_partial_files(home: Path) -> None:
    """Partial files of a killed run are removed, except downloads, which can be resumed."""
    get_urls(home, source(home, TXT))
    (home / ".imageNetURLs.csv.part").write_bytes(b"half")
    (home / "imageNetURLs.csv.12345678.download.part").write_bytes(b"half")
    (home / ".lock").touch()
    get_urls(home)
    assert names(home) == ["imageNetURLs.csv", "imageNetURLs.csv.12345678.download.part", WHOLE[1]]
