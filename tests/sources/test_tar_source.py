"""Runs of the script with `--source archive` and `both`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from demo import pictures
from demo.web import Answer, Reply, Web, resumable
from tests.pictures import encode
from tests.pipeline.test_disk import make_read_only, mount
from tests.project import ALONE, Project
from tests.sources.tar_project import ACCEPTED, BLUE, FILLER, GREEN, PAGE, RED, Archive, photos
from tests.tars import tar
from utils.annotations import voc_xml
from utils.models.http_defaults import MAX_IMAGE_BYTES
from utils.sources.tar_source import TarProgress, TarRequest

__all__ = ["mount"]

LEFT = {".archive.json", ".journal.jsonl", "red_download_report.csv", "Annotation", "Images"}
PARALLEL = ("--parallel", "True")
SMALL = pictures.jpeg(width=12, height=12)


@pytest.fixture
def archive(project: Project, web: Web) -> Archive:
    """Return an archive, and a project with one category selected, whose runs start no workers."""
    project.always = ALONE
    project.category(RED, "red")
    return Archive(project, web)


@dataclass(frozen=True)
class Becomes:
    """The expected result of a member: a file with this extension, or a row with this reason."""

    data: bytes
    extension: str = ""
    reason: str = ""


GOOD, SAME = pictures.jpeg(width=128, height=96, seed=1), pictures.jpeg(seed=2)
MEMBERS = {
    f"{RED}/{RED}_11.JPEG": Becomes(GOOD, ".jpg"),
    "README": Becomes(b"about"),
    f"{RED}_3.JPEG": Becomes(encode("PNG"), ".png"),
    f"{RED}_4.JPEG": Becomes(encode("WEBP"), ".webp"),
    f"{RED}_5.JPEG": Becomes(PAGE, reason="not_an_image"),
    f"{RED}_6.JPEG": Becomes(GOOD[: len(GOOD) // 2], reason="corrupt"),
    f"{RED}_7.JPEG": Becomes(SMALL, reason="too_small"),
    f"{RED}_8.JPEG": Becomes(GOOD + bytes(MAX_IMAGE_BYTES), reason="too_large"),
    f"{RED}_21.JPEG": Becomes(SAME, reason="placeholder"),
    f"{RED}_22.JPEG": Becomes(SAME, reason="placeholder"),
    f"{RED}_23.JPEG": Becomes(SAME, reason="placeholder"),
    f"{RED}_2.png": Becomes(pictures.jpeg(seed=3), ".jpg"),
}
"""Members of a tar; members that are not named like images are skipped."""


def test_members_are_validated_and_reported(archive: Archive) -> None:
    """Members are validated and reported in the tar's order; only documented files are left."""
    archive.keep({name: member.data for name, member in MEMBERS.items()})
    archive.project.annotate(f"{RED}_11", (10, 20, 30, 40), size=(64, 48))
    archive.project.annotate(f"{RED}_2", (1, 1, 20, 20), size=(48, 48))
    archive.project.annotate(f"{RED}_5", (1, 1, 20, 20))
    finished = archive.run("--url_data", str(archive.project.path / "none.csv"), *PARALLEL)
    assert finished.code == 0, finished.err
    assert archive.requested() == [f"{RED}.tar"]
    offered = {name.rpartition("/")[2]: member for name, member in MEMBERS.items() if name != "README"}
    rows = archive.project.report("red")
    assert [row["url"] for row in rows] == [archive.web.url(f"/{RED}.tar#{name}") for name in offered]
    for row, (name, member) in zip(rows, offered.items(), strict=True):
        check_row(archive, row, name.partition(".")[0], member)
    assert archive.saved() == ["11", "3", "4", "2"]
    assert archive.left() == set()
    assert {path.name for path in (archive.project.result / "red").iterdir()} == LEFT


def check_row(archive: Archive, row: dict[str, str], code: str, member: Becomes) -> None:
    """Compare a row of the report, and its files, with the expected result."""
    status = "downloaded" if member.extension else "failed"
    assert (row["image_code"], row["status"], row["reason"]) == (code, status, member.reason)
    assert row["boxes"] == ("1" if code.endswith("_11") else "")
    if member.extension:
        assert row["file"] == f"Images/{code}{member.extension}"
        assert (archive.project.result / "red" / row["file"]).read_bytes() == member.data
        assert (row["sha256"], row["http_status"]) == (hashlib.sha256(member.data).hexdigest(), "200")


def test_boxes_are_fitted(archive: Archive) -> None:
    """Boxes are scaled, left out if the image has another shape, and labelled as usual."""
    archive.keep({f"{RED}_1.JPEG": GOOD, f"{RED}_2.JPEG": GOOD})
    archive.project.annotate(f"{RED}_1", (10, 20, 30, 40), size=(64, 48))
    archive.project.annotate(f"{RED}_2", (1, 1, 20, 20), size=(48, 48))
    assert archive.run().code == 0
    assert archive.saved() == ["1", "2"]
    assert archive.project.xmls("red") == {f"{RED}_1.xml"}
    xml = (archive.project.result / "red" / "Annotation" / f"{RED}_1.xml").read_bytes()
    assert f"<filename>{RED}_1.jpg<".encode() in xml
    (box,) = voc_xml.parse(xml, f"{RED}_1").boxes
    assert (box.label, box.xmin, box.ymin, box.xmax, box.ymax) == ("red", 20, 40, 61, 81)


def test_second_run(archive: Archive) -> None:
    """A tar is requested again if an image was deleted, or a rejection depends on a changed flag."""
    for code, name, last in ((RED, "red", GOOD), (BLUE, "azure", PAGE), (GREEN, "green", SMALL)):
        if code != RED:
            archive.project.category(code, name)
        archive.keep(photos(2, code) | {f"{code}_7.JPEG": last}, code=code)
    assert archive.run().code == 0
    assert archive.requested() == [f"{RED}.tar", f"{BLUE}.tar", f"{GREEN}.tar"]
    assert archive.run().code == 0
    assert archive.requested() == []
    (archive.project.result / "red" / "Images" / f"{RED}_1.jpg").unlink()
    assert archive.run("--min_side", "8").code == 0
    assert archive.requested() == [f"{RED}.tar", f"{GREEN}.tar"]
    assert archive.saved("red") == archive.saved("green") == ["0", "1", "7"]
    assert archive.run("--min_side", "8", "--retry_failed", "True").code == 0
    assert archive.requested() == [f"{BLUE}.tar"]
    assert archive.saved("azure") == ["0", "1"]
    assert [len(archive.rows(folder)) for folder in ("red", "azure", "green")] == [3, 3, 3]


def test_how_many(archive: Archive) -> None:
    """The first members count, also invalid ones; a larger number continues, and URLs add no duplicates."""
    archive.keep({f"{RED}_9.JPEG": PAGE} | photos(6))
    for how_many, saved in ((3, ["0", "1"]), (5, ["0", "1", "2", "3"])):
        assert archive.run("--how_many", str(how_many)).code == 0
        assert archive.requested() == [f"{RED}.tar"]
        assert archive.saved() == saved
        assert archive.rows()[0] == (f"{RED}_9", "failed", "not_an_image")
        assert archive.left() == set()
    for number in range(6):
        archive.link(f"{RED}_{number}", Answer.jpeg(pictures.jpeg(seed=100 + number)))
    assert archive.run("--how_many", "6", "--fill", source="urls").code == 0
    assert archive.requested() == [f"{RED}_4", f"{RED}_5"]
    assert archive.saved() == ["4", "5", "0", "1", "2", "3"]


def test_fill(archive: Archive) -> None:
    """Exactly as many images are saved; then the tar is closed; later runs use the members not tried."""
    slow = resumable(tar((f"{RED}_9.JPEG", PAGE), *photos(8).items(), FILLER))
    archive.web.answer(f"/{RED}.tar", lambda request: replace(slow(request), pace=40_000))  # two minutes
    finished = archive.run("--how_many", "2", "--fill", *PARALLEL)
    assert finished.code == 0
    assert len(archive.saved()) == 2
    assert archive.left() == set()
    archive.requested()
    assert archive.run("--how_many", "2", "--fill").code == 0
    assert archive.requested() == []
    assert archive.run("--how_many", "4").code == 0
    assert archive.requested() == [f"{RED}.tar"]
    assert {"0", "1", "2"} <= set(archive.saved())
    archive.link(f"{RED}_20", Answer.jpeg(pictures.jpeg(seed=100)))
    archive.link(f"{RED}_21")
    assert archive.run("--how_many", "6", "--fill", source="both").code == 0
    assert archive.requested() == [f"{RED}_20", f"{RED}_21", f"{RED}.tar"]
    assert len(archive.saved()) == 6
    assert archive.saved()[0] == "20"


def test_with_annotation(archive: Archive) -> None:
    """Without boxes the tar is not requested; when boxes are added, it is."""
    archive.project.category(BLUE, "azure")
    archive.keep(photos(6))
    archive.keep(photos(6, BLUE), code=BLUE)
    for number in (1, 4, 70):
        archive.project.annotate(f"{RED}_{number}", (1, 1, 20, 20))
    finished = archive.run("--with_annotation", "True")
    assert finished.code == 1
    assert finished.err.startswith("There is no image with boxes of azure")
    assert "try without --with_annotation" in finished.err
    assert archive.requested() == [f"{RED}.tar"]
    archive.project.annotate(f"{BLUE}_3", (1, 1, 20, 20))
    assert archive.run("--with_annotation", "True").code == 0
    assert archive.requested() == [f"{BLUE}.tar"]
    assert archive.rows() == [(f"{RED}_{number}", "already_present", "") for number in (1, 4)]
    assert archive.project.xmls("red") == {f"{RED}_1.xml", f"{RED}_4.xml"}
    assert archive.saved("azure") == ["3"]


def test_both(archive: Archive) -> None:
    """URLs come first, then the missing images of those counted, or all other members of the tar."""
    archive.keep(photos(8), FILLER)
    for number in range(5):
        late = Answer(body=pictures.jpeg(seed=100 + number), delay=0.2)
        archive.link(f"{RED}_{number}", late if number % 2 else None)
    archive.link(f"{RED}_60")
    assert archive.run("--how_many", "4", *PARALLEL, source="both").code == 0
    *links, last = archive.requested()
    assert sorted(links) == [f"{RED}_{number}" for number in range(4)]
    assert last == f"{RED}.tar"
    assert archive.saved() == ["1", "3", "0", "2"]
    assert archive.run(source="both").code == 0
    assert archive.requested() == [f"{RED}_4", f"{RED}_60", f"{RED}.tar"]
    assert archive.run(source="both").code == 0
    assert archive.requested() == []
    assert archive.saved() == ["1", "3", "0", "2", "4", "5", "6", "7"]
    failed = [(code, reason) for code, status, reason in archive.rows() if status == "failed"]
    assert failed == [(f"{RED}_{number}", "http_404") for number in (0, 2, 4, 60)]
    ours = {name for name, data in photos(8).items() if archive.image(name) == data}
    assert ours == photos(8).keys() - {f"{RED}_1.JPEG", f"{RED}_3.JPEG"}


def test_late_placeholders_are_replaced(archive: Archive) -> None:
    """Placeholders that are detected at the end are replaced from a tar that was read before."""
    archive.keep(photos(6))
    for number in range(4):
        archive.link(f"{RED}_{number}", Answer.jpeg(pictures.jpeg(seed=99)))
    assert archive.run(source="both").code == 0
    assert archive.saved() == ["0", "1", "2", "3", "4", "5"]
    assert archive.rows()[:4] == [(f"{RED}_{number}", "failed", "placeholder") for number in range(4)]
    assert {name: archive.image(name) for name in photos(6)} == photos(6)


def test_both_without_a_tar(archive: Archive) -> None:
    """If URLs deliver all images, no tar is requested; a missing tar is only reported."""
    archive.project.category(BLUE, "azure", how_many=1)
    archive.link(f"{BLUE}_1", Answer.jpeg(pictures.jpeg(seed=2)))
    archive.link(f"{RED}_1", Answer.jpeg(pictures.jpeg()))
    archive.link(f"{RED}_2")
    finished = archive.run(source="both")
    assert (finished.code, finished.err) == (0, "")
    assert f"red: {archive.web.url(f'/{RED}.tar')}: no such synset in the archive" in finished.out
    assert archive.rows() == [(f"{RED}_1", "downloaded", ""), (f"{RED}_2", "failed", "http_404")]
    assert sorted(archive.requested()) == [f"{RED}.tar", f"{RED}_1", f"{RED}_2", f"{BLUE}_1"]


LOG_IN = "log in at 127.0.0.1, accept the terms"
REFUSALS: dict[str, tuple[Reply, str, int]] = {
    "n00000011": (Answer(status=401), LOG_IN, 0),
    "n00000012": (Answer(status=403), LOG_IN, 0),
    "n00000013": (Answer.page("<html>Log in</html>"), LOG_IN, 0),
    "n00000014": (Answer.page("Not found", 404), "no such synset", 0),
    "n00000015": (Answer(body=tar(*photos(4, "n00000015").items())[:5_000]), "cut off", 2),
    "n00000016": (resumable(tar(*photos(2, "n00000016").items())), "", 2),
}
"""The archive's response for a category; the message; the number of images saved."""


def test_failed_tars(archive: Archive, tmp_path: Path) -> None:
    """Each failed tar is reported in one sentence, and affects no other category."""
    archive.project.categories.clear()
    for code, (reply, _, _) in REFUSALS.items():
        archive.project.category(code, code)
        archive.web.answer(f"/{code}.tar", reply)
    (tmp_path / "other").mkdir()
    other = Project(tmp_path / "other", always=ALONE)
    other.category(RED, "red")
    dead = "http://127.0.0.1:1/{code}.tar"
    with other.start("--source", "archive", "--archive_url", dead, *ACCEPTED) as process:  # it takes its time
        finished = archive.run()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == finished.code == 1
    assert errors == f"red: http://127.0.0.1:1/{RED}.tar: the connection is refused.\n"
    lines = dict(line.split(": ", 1) for line in finished.err.splitlines())
    assert lines.keys() == {code for code, (_, sentence, _) in REFUSALS.items() if sentence}
    for code, (_, sentence, images) in REFUSALS.items():
        assert sentence in lines.get(code, "")
        assert len(archive.saved(code)) == len(archive.rows(code)) == images
    assert archive.web.most_at_once == 1
    assert archive.left() == set()


def test_credentials(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials are sent to the archive only, and are neither printed nor written."""
    secrets = {"PART_OF_IMAGENET_TOKEN": "GEHEIM-1", "PART_OF_IMAGENET_COOKIE": "session=GEHEIM-2"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    archive.keep(photos(2))
    archive.link(f"{RED}_20", Answer.jpeg(pictures.jpeg(seed=20)))
    archive.project.category(BLUE, "azure")
    archive.web.answer(f"/{BLUE}.tar", Answer(status=403))
    finished = archive.run(source="both")
    shown = {request.path: request.headers for request in archive.web.requests}
    for code in (RED, BLUE):
        headers = shown[f"/{code}.tar"]
        assert (headers["authorization"], headers["cookie"]) == ("Bearer GEHEIM-1", "session=GEHEIM-2")
    assert not {"authorization", "cookie"} & shown[f"/{RED}_20"].keys()
    assert "PART_OF_IMAGENET_COOKIE is not accepted" in finished.out
    assert archive.saved() == ["20", "0", "1"]
    written = [path.read_bytes() for path in archive.project.path.rglob("*") if path.is_file()]
    assert not any(b"GEHEIM" in text for text in (*written, (finished.out + finished.err).encode()))


def test_terms_not_accepted(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without accepted terms, or in a dry run, or with invalid settings, no request is sent."""
    source, address = ("--source", "archive"), ("--archive_url", archive.web.url("/{code}.tar"))
    secret = archive.web.url("/{code}.tar?signature=SECRET").replace("//", "//user:SECRET@")
    for flags, code, sentence in (
        ((*source, *address), 2, "non-commercial research and education: https://image-net.org/download.php"),
        ((*source, "--archive_url", "", *ACCEPTED), 2, "--archive_url is empty"),
        ((*source, "--archive_url", secret, *ACCEPTED, "--dry_run"), 0, "is not known yet"),
        (("--source", "both", *address, *ACCEPTED, "--url_data", "none.csv"), 2, "no URL table none.csv"),
        (("--source", "all", *address, *ACCEPTED), 2, "urls, archive, copy, both"),
    ):
        finished = archive.project.run(*flags)
        assert finished.code == code
        assert sentence in (finished.err if code else finished.out)
        assert "SECRET" not in finished.out + finished.err
        assert "Traceback" not in finished.err
    assert not archive.project.result.exists()
    monkeypatch.setenv("PART_OF_IMAGENET_TOKEN", "SECRET\nX: y")
    finished = archive.run()
    assert finished.code == 2
    assert finished.err.startswith("PART_OF_IMAGENET_TOKEN contains a character that no header may have")
    assert "SECRET" not in finished.err
    assert not list(archive.project.result.iterdir())
    assert archive.requested() == []


def test_missing_folder(archive: Archive) -> None:
    """A missing folder of tars is an input error; nothing is created."""
    for source in ("archive", "both"):
        nowhere = str(archive.project.path / "nowhere")
        finished = archive.project.run("--source", source, "--archive_url", nowhere, *ACCEPTED)
        assert finished.code == 2
        assert finished.err.startswith(f"--archive_url {nowhere}: there is no folder")
        assert not archive.project.result.exists()


def test_dry_run(archive: Archive) -> None:
    """A dry run counts saved images from tars; without URLs it does not mention hosts."""
    archive.keep(photos(6))
    archive.link(f"{RED}_1")
    finished = archive.run(*PARALLEL)
    assert "Images are checked by " in finished.out
    assert "from one host" not in finished.out
    assert "1 URL and its tar, 0 to try, 1 already there, 5 more images there" in (
        archive.run("--dry_run", source="both").out
    )


def test_read_only_folder(archive: Archive, mount: Callable[[Path, str], None]) -> None:
    """A result folder that cannot be written to is an input error; no request is sent."""
    place = archive.project.path / "place"
    make_read_only(place, mount)
    finished = archive.run("--save_dir", str(place))
    assert finished.code == 2
    assert finished.err.startswith(f"--save_dir {place}")
    assert archive.requested() == []


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_folder_of_tars(archive: Archive) -> None:
    """Tars in a folder are read in place and not changed; --verify accepts the result."""
    folder = archive.project.path / "=tars"
    folder.mkdir()
    (folder / f"{RED}.tar").write_bytes(tar(*photos(3).items(), (f"{RED}_9.JPEG", PAGE)))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    inside = ("sh", "-c", 'cd "$0" && exec "$@"', str(archive.project.path))
    finished = archive.project.run("--source", "archive", "--archive_url", "=tars", *ACCEPTED, prefix=inside)
    assert finished.code == 0, finished.err
    assert [row["url"] for row in archive.project.report("red")] == [
        f"'=tars/{RED}.tar#{RED}_{number}.JPEG" for number in (0, 1, 2, 9)
    ]
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    assert archive.left() == set()
    shutil.rmtree(folder)
    verified = archive.project.run("--verify")
    assert verified.code == 0, verified.out
    assert archive.saved() == ["0", "1", "2"]
    assert len(archive.rows()) == 4


SEEN = TarProgress("here", candidates=4, whole=True, passed=("n1_3",))
FOUR = replace(SEEN, whole=False)
TWO = frozenset({"n1_1", "n1_2"})


@pytest.mark.parametrize(
    ("progress", "wanted", "known", "covered"),
    [
        (SEEN, TarRequest("here"), {"n1_3"}, True),
        (SEEN, TarRequest("here"), set(), False),
        (SEEN, TarRequest("there"), {"n1_3"}, False),
        (SEEN, TarRequest("here", only=TWO), {"n1_3"}, True),
        (FOUR, TarRequest("here", limit=4), {"n1_3"}, True),
        (FOUR, TarRequest("here", limit=4), {"n1_1"}, False),
        (FOUR, TarRequest("here", limit=5), {"n1_3"}, False),
        (FOUR, TarRequest("here"), {"n1_3"}, False),
        (FOUR, TarRequest("here", 4, TWO), {"n1_3"}, False),
        (replace(FOUR, codes=2), TarRequest("here", 4, TWO), {"n1_3"}, True),
        (FOUR, TarRequest("here", only=TWO), {"n1_1", "n1_2", "n1_3"}, True),
        (replace(FOUR, absent=("n1_2",)), TarRequest("here", only=TWO), {"n1_1", "n1_3"}, True),
        (replace(FOUR, absent=("n1_2",)), TarRequest("here", only=TWO), {"n1_3"}, False),
    ],
)
def test_progress_covers(progress: TarProgress, wanted: TarRequest, known: set[str], covered: bool) -> None:
    """A tar has nothing new if it was read far enough, and members passed over are known."""
    assert progress.covers(wanted, known) is covered


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"candidates": Infinity}', '{"absent": 5}', "[" * 100_000, '{"other": 1}'],
    ids=["empty", "list", "infinite", "types", "deep", "strange"],
)
def test_invalid_progress_file(tmp_path: Path, text: str) -> None:
    """An invalid progress file counts as no progress."""
    path = tmp_path / "note"
    path.write_text(text)
    assert TarProgress.load(path) == TarProgress()
    path.write_text(json.dumps({"address": "here", "passed": [["x"]]}))
    assert not TarProgress.load(path).covers(TarRequest("here", limit=0), {"x"})
    note = TarProgress("here", 5, 4, whole=True, absent=("n1_1",), passed=("n1_2", "n1_3"))
    note.save(path)
    assert TarProgress.load(path) == note


def exclude(archive: Archive, *codes: int) -> None:
    """Write `excluded.txt`."""
    archive.project.result.mkdir(exist_ok=True)
    (archive.project.result / "excluded.txt").write_text("".join(f"{RED}_{code}\n" for code in codes))


def test_excluded_members(archive: Archive) -> None:
    """Excluded members are rejected; the tar is requested again only for one that is listed no more."""
    archive.keep(photos(4))
    exclude(archive, 1)
    assert archive.run(*ALONE).code == 0
    assert archive.saved() == ["0", "2", "3"]
    assert archive.rows()[1] == (f"{RED}_1", "failed", "excluded")
    assert archive.requested() == [f"{RED}.tar"]
    exclude(archive, 1, 2)
    assert archive.run(*ALONE, "--retry_failed", "True").code == 0
    assert archive.saved() == ["0", "3"]
    assert archive.requested() == []
    exclude(archive, 2)
    assert archive.run(*ALONE).code == 0
    assert archive.saved() == ["0", "1", "3"]
    assert archive.requested() == [f"{RED}.tar"]


def test_no_tar_for_an_excluded_image(archive: Archive) -> None:
    """An excluded image is not missing, so the next source is not asked for it."""
    archive.keep(photos(2))
    for number in range(2):
        archive.link(f"{RED}_{number}", Answer.jpeg(pictures.jpeg(seed=number)))
    exclude(archive, 1)
    for _ in range(2):
        assert archive.run(*ALONE, "--how_many", "2", source="both").code == 0
        assert f"{RED}.tar" not in archive.requested()
    assert archive.rows() == [(f"{RED}_0", "already_present", ""), (f"{RED}_1", "failed", "excluded")]


def test_excluded_after_the_tar_was_passed(archive: Archive) -> None:
    """Excluding an image that was saved from its URL does not cause another download of the tar."""
    archive.keep(photos(3))
    archive.link(f"{RED}_0", Answer.jpeg(pictures.jpeg(seed=0)))
    assert archive.run(*ALONE, source="both").code == 0
    assert archive.saved() == ["0", "1", "2"]
    archive.requested()
    exclude(archive, 0)
    assert archive.run(*ALONE, source="both").code == 0
    assert archive.saved() == ["1", "2"]
    assert archive.requested() == []
