"""Runs of the script with copies that are damaged, hostile or absent."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.copies.lookalikes import (
    DOG,
    FISH,
    category_tars,
    class_folders,
    jpeg,
    kaggle,
    parquet_rows,
    shard_samples,
    tar,
    write_files,
    write_parquet,
    zip_of,
)
from tests.machine import wait_until
from tests.project import ALONE, Finished, Project
from tests.tars import claim

TRAINED = [f"{FISH}_3", f"{FISH}_12", f"{FISH}_100"]
SAVED = ("downloaded", "already_present")


@pytest.fixture
def copies(project: Project) -> Project:
    """Return a project with one category selected, whose runs start no workers."""
    project.always = ALONE
    project.category(FISH, "tench")
    return project


def run(project: Project, *flags: str, code: int = 0) -> Finished:
    """Run the script; check its exit code, and that it prints no traceback and no control characters."""
    finished = project.run(*flags)
    assert finished.code == code, finished.out + finished.err
    assert "Traceback" not in finished.out + finished.err
    assert "\x1b" not in finished.out + finished.err
    return finished


def saved(project: Project) -> list[str]:
    """Return the image codes of saved images, in the order of the report; check that no others exist."""
    named = [row for row in project.report("tench") if row["status"] in SAVED]
    assert {Path(row["file"]).name for row in named} == project.images("tench")
    return [row["image_code"] for row in named]


@pytest.mark.parametrize("given", ["nowhere", "nowhere/x.tar", "~unknown-user/x", "x" * 300, ""])
def test_no_such_path(copies: Project, given: str) -> None:
    """A path that does not exist ends the run with one sentence, and with no category's folder."""
    finished = run(copies, "--copy", given, code=2)
    assert finished.err.startswith("--copy")
    assert len(finished.err.splitlines()) == 1
    assert not copies.result.exists() or copies.folders() == set()


@pytest.mark.parametrize(
    "kind", ["empty folder", "photos", "text", "HTML", "pipe", "device", "cut zip", "cut parquet"]
)
def test_no_layout(copies: Project, kind: str) -> None:
    """What is no copy of ImageNet ends the run with a sentence that names what was looked for."""
    path = copies.path / "copy"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "empty folder":
        path.mkdir()
    elif kind == "photos":
        write_files(path, {"a/1.jpg": jpeg(1), "b.zip": zip_of({"1.jpg": jpeg(1)}), "c.tar": b""})
    elif kind == "cut parquet":
        write_parquet(path, parquet_rows())
        path.write_bytes(path.read_bytes()[:-20])
    else:
        data = {"text": b"x" * 10_000, "HTML": b"<html>", "cut zip": zip_of(kaggle())[:9000]}
        path.write_bytes(data[kind])
    finished = run(copies, "--copy", str(path), code=2)
    assert f"--copy {path}: no copy of ImageNet is recognised." in finished.err
    assert "Known are tars of categories (<wnid>.tar)" in finished.err
    assert len(finished.err.splitlines()) == 1
    assert not copies.result.exists() or copies.folders() == set()


def test_spellings(copies: Project) -> None:
    """Relative paths, links, `~` and blanks are understood; the report has the paths as they were given."""
    given = ["relative", "./dotted/", "~/home", "a folder with blanks/übung", "link"]
    for number, place in enumerate(["relative", "dotted", "home", given[3], "elsewhere"]):
        write_files(copies.path / place, {f"{FISH}/{FISH}_{number}.JPEG": jpeg(number)})
    (copies.path / "link").symlink_to(copies.path / "elsewhere")
    copies.environment["HOME"] = str(copies.path)
    home = ("sh", "-c", f'cd "{copies.path}" && exec "$0" "$@"')
    finished = copies.run("--copy", *given, prefix=home)
    assert finished.code == 0, finished.err
    assert [row["url"] for row in copies.report("tench")] == [
        f"{path}#{FISH}/{FISH}_{number}.JPEG" for number, path in enumerate(given)
    ]
    assert len(saved(copies)) == len(given)


def test_damaged_files(copies: Project) -> None:
    """Each damaged file costs itself, and is named; the others are used."""
    folder = write_files(copies.path / "copy", category_tars())
    packed, zipped = tar(class_folders()), zip_of(class_folders())
    write_files(
        folder,
        {
            "cut.tar": packed[: len(packed) // 2],
            "cut.zip": zipped[: len(zipped) // 2],
            "empty.tar": b"",
            "html.tar": b"<html>",
            "shard-0000.tar": tar(shard_samples(named=True))[:3000],
            "x.parquet": b"PAR1" + bytes(100),
        },
    )
    finished = run(copies, "--copy", str(folder))
    assert saved(copies) == TRAINED
    for name in ("cut.zip", "empty.tar", "html.tar", "x.parquet"):
        assert f"\n{folder}: {name} " in finished.out
    assert f"\n{folder}: cut.tar: it is cut off after" in finished.out
    assert f"\n{folder}: 1 more problem.\n" in finished.out


def test_hostile_names(copies: Project) -> None:
    """Names of members and folders never become paths, and do not reach the terminal as they are."""
    names = [
        f"../../../{FISH}/{FISH}_1.JPEG",
        f"/tmp/{FISH}/{FISH}_2.JPEG",
        f"{FISH}/\x1b[31m{FISH}_3.JPEG",
        f"\x1b]0;x\x07/{FISH}/{FISH}_4.JPEG",
        f"=cmd|'/c calc'!A0/{FISH}/{FISH}_5.JPEG",
        f"a#b?c\n/{FISH}/{FISH}_6.JPEG",
        f"{'x' * 300}/{FISH}/{FISH}_7.JPEG",
    ]
    folder = copies.path / "copy"
    write_files(folder, {"x.tar": tar({name: jpeg(number) for number, name in enumerate(names)})})
    write_files(
        folder,
        {
            "x.zip": zip_of(
                {name.replace("_", "_10"): jpeg(100 + number) for number, name in enumerate(names)}
            )
        },
    )
    run(copies, "--copy", str(folder))
    codes = [f"{FISH}_{number}" for number in (1, 2, 4, 5, 6, 7, 101, 102, 104, 105, 106, 107)]
    assert saved(copies) == codes
    assert copies.images("tench") == {f"{code}.jpg" for code in codes}
    assert copies.folders() == {"tench"}


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_names_without_encoding(copies: Project) -> None:
    """A folder or file whose name is no UTF-8 is read, and the report stays UTF-8."""
    folder = copies.path / "copy"
    files = {"\udcff/" + name: data for name, data in class_folders("").items()}
    write_files(folder, files)
    write_files(folder, {"\udcfe.tar": tar({f"{FISH}_7.JPEG": jpeg(7)})})
    write_files(folder, {"a\udcfd.tar": b"<html>"})
    for _ in range(2):
        run(copies, "--copy", str(folder))
        assert saved(copies) == sorted([*TRAINED, f"{FISH}_7"], key=lambda one: int(one[10:]))
    given = copies.path / "\udcff"
    folder.rename(given)
    shutil.rmtree(copies.result)
    run(copies, "--copy", str(given))
    assert len(saved(copies)) == 4


def test_false_sizes(copies: Project) -> None:
    """Members that claim to be huge cost only themselves and what lies behind them in their tar."""
    folder = copies.path / "copy"
    data = tar({f"{FISH}/{FISH}_1.JPEG": jpeg(1)})
    body = data[: 512 + -(-len(jpeg(1)) // 512) * 512]
    for number, size in enumerate((10**12, 2**62, 2**80)):
        write_files(
            folder, {f"{number}.tar": body + claim(size, f"{FISH}/{FISH}_{number + 5}.JPEG") + bytes(4000)}
        )
    write_files(
        folder, {"x.tar.gz": gzip.compress(body + claim(10**12, f"{FISH}/{FISH}_9.JPEG") + bytes(4000))}
    )
    run(copies, "--copy", str(folder))
    assert saved(copies) == [f"{FISH}_1"]
    reasons = {row["image_code"]: row["reason"] for row in copies.report("tench") if row["reason"]}
    assert set(reasons.values()) <= {"truncated"}


def test_empty_category(copies: Project) -> None:
    """A class folder without images, and a category that no copy has, end with 1 and are named."""
    copies.category(DOG, "Chihuahua")
    folder = write_files(copies.path / "copy", {f"train/{FISH}/readme.txt": b"x"})
    finished = run(copies, "--copy", str(folder), code=1)
    assert "0 of the 2 selected categories" in finished.out
    assert f"None was found in {folder}." in finished.out + finished.err


def test_copy_disappears(copies: Project) -> None:
    """Without the copy, saved images stay; the run says what is missing."""
    folder = write_files(copies.path / "copy", class_folders())
    run(copies, "--copy", str(folder))
    shutil.rmtree(folder)
    finished = run(copies, "--copy", str(folder), code=2)
    assert "there is no such file or folder" in finished.err
    assert saved(copies) == TRAINED


def test_second_run_scans_nothing(copies: Project) -> None:
    """The next run lists no archive again; a changed one is listed again."""
    folder = copies.path / "copy"
    write_files(folder, {"a.tar": tar(class_folders("a/")), "b.zip": zip_of(class_folders("b/"))})
    assert "listing the files in 2 archives" in run(copies, "--copy", str(folder)).out
    assert "listing" not in run(copies, "--copy", str(folder)).out
    write_files(folder, {"a.tar": tar({f"{FISH}/{FISH}_500.JPEG": jpeg(500)})})
    assert "listing the files in 1 archive." in run(copies, "--copy", str(folder)).out
    assert saved(copies) == [*TRAINED, f"{FISH}_500"]


def test_without_cache(copies: Project) -> None:
    """Without a cache that can be written, the run works, and lists archives each time."""
    folder = write_files(copies.path / "copy", {"a.tar": tar(class_folders("a/"))})
    (copies.path / "cache").write_text("a file")
    for _ in range(2):
        assert "listing the files in 1 archive." in run(copies, "--copy", str(folder)).out
    assert saved(copies) == TRAINED


@pytest.mark.parametrize("content", ["[]", "{}", '{"size": 1, "places": {}}'])
def test_planted_unpacked_files(copies: Project, content: str) -> None:
    """A folder for unpacked members that is a link is refused; planted files in it are not read."""
    folder = write_files(copies.path / "copy", {"x.tar.gz": gzip.compress(tar(class_folders()))})
    run(copies, "--copy", str(folder))
    assert copies.folders() == {"tench"}
    shutil.rmtree(copies.result)
    copies.result.mkdir()
    elsewhere = copies.path / "elsewhere"
    write_files(elsewhere, {"x.json": content.encode()})
    (copies.result / ".copies").symlink_to(elsewhere)
    finished = run(copies, "--copy", str(folder), code=1)
    assert "symbolic link" in finished.err
    assert [path.name for path in elsewhere.iterdir()] == ["x.json"]


def test_interrupted_and_killed(copies: Project) -> None:
    """A run that is killed, or interrupted, is continued by the next; the result is that of one run."""
    files = {f"train/{FISH}/{FISH}_{number}.JPEG": jpeg(number) for number in range(120)}
    files = {"x.tar.gz": gzip.compress(tar(files))}
    flags = ("--copy", str(write_files(copies.path / "copy", files)), "--parallel", "True")
    images = copies.result / "tench" / "Images"
    for number in (signal.SIGKILL, signal.SIGINT):
        least = len(list(images.glob("[!.]*"))) + 5  # new ones: then the run has started
        with copies.start(*flags) as process:
            wait_until(
                lambda least=least: len(list(images.glob("[!.]*"))) >= least or process.poll() is not None
            )
            (os.killpg if number == signal.SIGKILL else os.kill)(process.pid, number)
            out, err = process.communicate(timeout=30)
        assert "Traceback" not in out + err
        assert process.returncode in (0, 130, -signal.SIGKILL)
        if number == signal.SIGINT:
            assert len(copies.report("tench")) == 120
    run(copies, *flags)
    assert len(saved(copies)) == 120
    assert copies.folders() == {"tench"}


def test_interrupted_while_listing(copies: Project) -> None:
    """A pass through a compressed tar can be interrupted at any time; nothing is left of it."""
    path = copies.path / "x.tar.gz"
    start = tar({f"{FISH}/{FISH}_1.JPEG": jpeg(1)})[:-9216] + claim(10**12, "x.bin")
    block = gzip.compress(bytes(1 << 26), 1)
    with path.open("wb") as file:
        file.write(gzip.compress(start))
        file.writelines(block for _ in range(300))  # 20 GB, which take a minute
    with copies.start("--copy", str(path)) as process:
        wait_until(lambda: list(copies.result.glob(".copies/*")))
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert copies.folders() == set()


def test_outdated_unpacked_files(copies: Project) -> None:
    """What an interrupted run has unpacked is used if the selection is the same, and deleted if not."""
    folder = write_files(copies.path / "copy", {"x.tar.gz": gzip.compress(tar(class_folders()))})
    copies.category(DOG, "Chihuahua", marked=False)
    run(copies, "--copy", str(folder), "--categories", FISH, DOG)
    unpacked = write_files(copies.result / ".copies", {"abc": b"x", ".abc.part": b"x", "abc.json": b"{}"})
    run(copies, "--copy", str(folder))
    assert not unpacked.exists()
    assert saved(copies) == TRAINED
