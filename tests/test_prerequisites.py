"""The three prerequisites together: what is there stays, what fails keeps nothing else back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.web import Answer, Web
from tests.prerequisites import (
    HUSKY,
    QUICK,
    ROWS,
    TGZ,
    TXT,
    Lines,
    collection,
    get_annotations,
    get_urls,
    names,
    rows_in,
    source,
)
from utils.catalog import categories
from utils.errors import DatasetError, DiskError, FolderInUseError, InputError, SourceError
from utils.prerequisites.prepare import prepare
from utils.prerequisites.prerequisite import Order, PrerequisiteName
from utils.results.paths import FolderLock
from utils.sources import url_index

WHOLE = ["imageNetURLs.csv", "imageNetURLs.csv.index"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for the three."""
    return tmp_path / "home"


@pytest.fixture
def mount() -> Iterator[Callable[[Path, str], None]]:
    """Give a maker of small file systems, which changes them, too."""
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


def test_what_is_there_is_left_alone(home: Path, web: Web) -> None:
    """A second run asks nobody and says so; a missing index is made anew; --force fetches again."""
    web.answer("/list", Answer(body=TGZ))
    get_urls(home, web.url("/list"))
    index = url_index.index_path(home / "imageNetURLs.csv")
    good = index.read_bytes()
    index.unlink()
    said = get_urls(home, web.url("/list"))
    assert said[-1].startswith("imageNetURLs.csv: already present (1,000 rows)")
    assert said[-1].endswith("--force replaces it by what --urls_source gives")
    assert get_urls(home)[-1].endswith("--force fetches all that is published")
    assert index.read_bytes() == good
    assert web.count("/list") == 1
    get_urls(home, web.url("/list"), force=True)
    assert web.count("/list") == 2


def test_a_table_of_the_other_name_counts(home: Path) -> None:
    """Older archives spell it `imageNetUrls.csv`."""
    get_urls(home, source(home, TXT))
    for name in WHOLE:
        (home / name).rename(home / name.replace("URLs", "Urls"))
    assert get_urls(home)[0].startswith("imageNetUrls.csv: already present (1,000 rows)")


@pytest.mark.parametrize("content", [b"", b"garbage\n", b"img_code,img_url,code\n"])
def test_a_table_that_is_none_is_replaced(home: Path, content: bytes) -> None:
    """What cannot be used is not "already present"."""
    home.mkdir()
    (home / "imageNetURLs.csv").write_bytes(content)
    get_urls(home, source(home, TXT))
    assert rows_in(home) == ROWS


def test_marks_survive_a_fresh_table_of_categories(home: Path) -> None:
    """The table is never overwritten, but by --force: then with the marks, and the old one beside it."""
    order = Order(home, frozenset({PrerequisiteName.NCODES}))
    prepare(order, Lines())
    path = home / "ncodes.csv"
    fresh = path.read_bytes()
    marked = fresh.replace(b"False,-1\n", b"True,7\n", 1)
    path.write_bytes(marked)
    prepare(order, Lines())
    assert path.read_bytes() == marked
    prepare(Order(home, frozenset({PrerequisiteName.NCODES}), force=True), Lines())
    assert [row.how_many for row in categories.read(path) if row.selected] == [7]
    assert (home / "ncodes.csv.bak").read_bytes() == marked
    assert names(home) == ["ncodes.csv", "ncodes.csv.bak"]


def test_a_table_of_categories_with_a_fault_stays(home: Path) -> None:
    """It is the user's to mend: the fault is told, and nothing overwrites it, not even --force."""
    home.mkdir()
    faulty = b"code,name,to_download,how_many\nn02110185,Siberian husky,perhaps,-1\n"
    (home / "ncodes.csv").write_bytes(faulty)
    screen = Lines()
    prepare(Order(home, frozenset({PrerequisiteName.NCODES})), screen)
    assert "line 2" in screen.said[0]
    assert "perhaps" in screen.said[0]
    with pytest.raises(InputError, match="line 2"):
        prepare(Order(home, frozenset({PrerequisiteName.NCODES}), force=True), Lines())
    assert (home / "ncodes.csv").read_bytes() == faulty
    assert names(home) == ["ncodes.csv"]


def test_one_failure_does_not_keep_the_others_back(home: Path) -> None:
    """Without any list of URLs, categories and annotations are put into place all the same."""
    order = Order(home, urls_source=("/no/such/file",), annotations_source=source(home, collection(HUSKY)))
    with pytest.raises(SourceError, match=r"imageNetURLs\.csv could not be downloaded"):
        prepare(order, Lines(), QUICK)
    assert names(home) == ["annotation", "ncodes.csv"]


def in_the_way(kind: str, path: Path) -> None:
    """Put something into a file's place."""
    path.parent.mkdir(exist_ok=True)
    makers: dict[str, Callable[[], object]] = {
        "folder": path.mkdir,
        "file": path.touch,
        "pipe": lambda: os.mkfifo(path),
        "link": lambda: path.symlink_to("nowhere"),
    }
    makers[kind]()


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("piece", "name", "kinds"),
    [
        (PrerequisiteName.NCODES, "ncodes.csv", ("folder", "pipe", "link")),
        (PrerequisiteName.URLS, "imageNetURLs.csv", ("folder", "pipe", "link")),
        (PrerequisiteName.ANNOTATIONS, "annotation", ("file", "pipe", "link")),
    ],
)
def test_what_stands_in_the_way_is_told_before_anything_is_fetched(
    tmp_path: Path, web: Web, piece: PrerequisiteName, name: str, kinds: tuple[str, ...], force: bool
) -> None:
    """A folder in a file's place is the user's to move: it is exit code 2, and no megabyte is spent."""
    for kind in kinds:
        home = tmp_path / kind
        in_the_way(kind, home / name)
        sources = {"urls_source": (web.url("/x"),), "annotations_source": web.url("/x")}
        with pytest.raises(InputError, match=f"{name} is there, but is no .* Move it"):
            prepare(Order(home, frozenset({piece}), force=force, **sources), Lines(), QUICK)
        assert names(home) == [name]
    assert web.requests == []


@pytest.mark.parametrize("place", ["home", "home/below", "x" * 300, "link/below"])
def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, place: str) -> None:
    """A file in the folder's place, or no name that a system takes, is the user's to mend."""
    (tmp_path / "home").write_bytes(b"")
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(InputError, match="--ncodes_dir"):
        get_urls(tmp_path / place, "x")


def test_a_folder_that_cannot_be_written_to(home: Path, web: Web, mount: Callable[[Path, str], None]) -> None:
    """It is said before anything is fetched; what is there can be used all the same."""
    web.answer("/list", Answer(body=TGZ))
    mount(home, "size=4m")
    get_annotations(home, source(home, collection(HUSKY)))
    mount(home, "ro")
    with pytest.raises(InputError, match=r"--ncodes_dir .* cannot be written to .Read-only file system"):
        get_urls(home, web.url("/list"))
    assert web.count("/list") == 0
    assert "already present" in get_annotations(home, "/no/such/file")[0]


def test_a_disk_without_room_is_told_before_the_download(
    home: Path, web: Web, mount: Callable[[Path, str], None]
) -> None:
    """Room is needed for the download and for the table that it becomes."""
    web.answer("/list", Answer(body=TGZ, length=10**6))
    mount(home, "size=4m")
    with pytest.raises(SourceError, match=r"it needs 5 MB of disk, and .* has 4 MB free: make room"):
        get_urls(home, web.url("/list"))
    assert names(home) == []


def test_a_disk_without_room_for_the_table(home: Path, mount: Callable[[Path, str], None]) -> None:
    """A list from a path is measured, too, and one that lies about its size is stopped by the disk."""
    mount(home, "size=64k")
    with pytest.raises(DiskError, match=r"imageNetURLs\.csv needs \d+ MB, but .*Make room"):
        get_urls(home, source(home, TXT * 100))
    assert names(home) == []


def test_a_disk_that_fills_up_keeps_the_old_table(
    home: Path, web: Web, mount: Callable[[Path, str], None]
) -> None:
    """Without a length nobody knows before: the run stops, nothing is spoilt, and the next one goes on."""
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


def test_a_full_disk_is_no_wrong_flag(home: Path, mount: Callable[[Path, str], None]) -> None:
    """Where not even an empty file has room, that is exit code 1."""
    mount(home, "size=4k,nr_inodes=1")
    with pytest.raises(DatasetError, match="no room left") as caught:
        get_urls(home, source(home, TXT))
    assert caught.value.exit_code == 1


def test_two_runs_do_not_spoil_each_others_downloads(home: Path, web: Web) -> None:
    """A second run into the folder is refused while there is something to fetch, and only then."""
    web.answer("/list", Answer(body=TGZ))
    home.mkdir()
    told = pytest.raises(FolderInUseError, match=r"Another run fetches into .* --ncodes_dir")
    with FolderLock(home), told:
        get_urls(home, web.url("/list"))
    get_urls(home, web.url("/list"))
    with FolderLock(home):
        assert "already present" in get_urls(home)[0]
    assert names(home) == WHOLE


def test_what_a_killed_run_left_goes(home: Path) -> None:
    """A half-written table is no use to anybody; a download that broke off is, and stays."""
    get_urls(home, source(home, TXT))
    (home / ".imageNetURLs.csv.part").write_bytes(b"half")
    (home / "imageNetURLs.csv.12345678.download.part").write_bytes(b"half")
    (home / ".lock").touch()
    get_urls(home)
    assert names(home) == ["imageNetURLs.csv", "imageNetURLs.csv.12345678.download.part", WHOLE[1]]
