"""`--find`, `--mark`, `--unmark` and `--with_subcategories`, as users meet them."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import ROOT, Finished, Project
from utils.catalog import categories

DATA = ROOT.parent / "shared" / "data"
SLED_DOG, MALAMUTE, HUSKY, DOGSLED, CARTON = "n02109811", "n02110063", "n02110185", "n03218198", "n02971356"
NAMES = {
    CARTON: "carton",
    DOGSLED: "dogsled, dog sled, dog sleigh",
    HUSKY: "Siberian husky",
    MALAMUTE: "malamute, malemute, Alaskan malamute",
    SLED_DOG: "sled dog, sledge dog",
    "n00000001": "Möwe, my own",
}
PATH = "organism > animal > domestic animal > dog > working dog > sled dog"
MARK = ("--find", "sled", "dog", "--with_subcategories", "True", "--mark")


@pytest.fixture
def dogs(project: Project) -> Project:
    """Offer some real categories with URLs and boxes, and one of the user's own; nothing is marked."""
    for code, name in NAMES.items():
        project.category(code, name, marked=False)
    for number in range(3):
        project.url(f"{HUSKY}_{number}", "http://127.0.0.1:9/none.jpg")
        project.annotate(f"{HUSKY}_{number}", (1, 1, 9, 9))
    project.url(f"{SLED_DOG}_1", "http://127.0.0.1:9/none.jpg")
    return project


def listed(finished: Finished) -> list[dict[str, str]]:
    """Read a CSV off the screen."""
    return list(csv.DictReader(io.StringIO(finished.out, newline="")))


def marks(project: Project) -> dict[str, int]:
    """Read which categories are marked now, and with which number."""
    table = categories.read(project.path / "ncodes.csv")
    return {category.code: category.how_many for category in table if category.selected}


def keep_marks(project: Project) -> None:
    """Let the next run find the table as this one left it."""
    table = categories.read(project.path / "ncodes.csv")
    project.categories = [[one.code, one.name, str(one.selected), str(one.how_many)] for one in table]


def error(finished: Finished) -> str:
    """Give the one sentence by which a run with wrong input ends."""
    assert finished.code == 2
    assert "Traceback" not in finished.err
    return finished.err.splitlines()[-1]


def test_a_table_shows_what_is_known(dogs: Project) -> None:
    """Code, name, URLs, images with boxes, subcategories, path; the best fit first; nothing is changed."""
    before = (dogs.write(), (dogs.path / "ncodes.csv").read_bytes())[1]
    finished = dogs.run("--find", "sled", "dog")
    assert (finished.code, finished.err) == (0, "")
    lines = finished.out.splitlines()
    assert lines[0].split() == ["code", "name", "URLs", "boxed", "below", "path"]
    assert re.fullmatch(rf"{SLED_DOG}  sled dog, sledge dog +1 +0 +2  {PATH}", lines[1])
    assert re.match(rf"{DOGSLED}  dogsled, dog sled, dog sleigh +0 +0 +0  ", lines[2])
    assert "--mark" in lines[-1]
    assert (dogs.path / "ncodes.csv").read_bytes() == before
    assert not dogs.result.exists()


def test_subcategories_are_listed_and_indicated(dogs: Project) -> None:
    """Behind what they lie below, with a sign."""
    out = dogs.run("--find", "sled dog", "--with_subcategories").out
    assert re.findall(r"^(n\d+)  (\+ )?", out, flags=re.MULTILINE) == [
        (SLED_DOG, ""),
        (MALAMUTE, "+ "),
        (HUSKY, "+ "),
        (DOGSLED, ""),
    ]


def test_csv_is_for_programs(dogs: Project) -> None:
    """Everything that was found, whole, in UTF-8 whatever the locale, and nothing else."""
    flags = ("--find", "sled", "dog", "--with_subcategories", "yes", "--format", "csv")
    finished = dogs.run(*flags)
    assert finished.err == ""
    rows = listed(finished)
    assert [row["code"] for row in rows] == [SLED_DOG, MALAMUTE, HUSKY, DOGSLED]
    assert [row["match"] for row in rows] == ["kind", "subcategory", "subcategory", "all_words"]
    assert rows[2] == {
        "code": HUSKY,
        "name": "Siberian husky",
        "urls": "3",
        "annotated": "3",
        "subcategories": "0",
        "path": f"{PATH} > Siberian husky",
        "match": "subcategory",
    }
    poor = dogs.run("--find", "mowe", "--format", "csv", prefix=("env", "PYTHONIOENCODING=ascii", "LC_ALL=C"))
    assert [row["name"] for row in listed(poor)] == ["Möwe, my own"]


def test_long_lists_are_cut_and_say_so(project: Project) -> None:
    """A screen takes 25 rows; both formats give all."""
    for number in range(40):
        project.category(f"n{number:08d}", f"cup {number}", marked=False)
    short = project.run("--find", "cup").out
    assert len(re.findall(r"^n0", short, flags=re.MULTILINE)) == 25
    assert "... and 15 more; --format table or --format csv lists all of them." in short
    whole = project.run("--find", "cup", "--format", "table").out
    assert len(re.findall(r"^n0", whole, flags=re.MULTILINE)) == 40
    assert "more" not in whole
    assert "To mark all 40, of which 25 are shown: add --mark" in short
    assert len(listed(project.run("--find", "cup", "--format", "csv"))) == 40
    project.category("n00000040", "cupboard", marked=False)
    assert "To mark the first 40, of which 25 are shown: add --mark" in project.run("--find", "cup").out


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_lists_fit_the_terminal(dogs: Project, width: int) -> None:
    """No line of whatever is said is wider than it."""
    dogs.environment["COLUMNS"] = str(width)
    finished = dogs.run("--find", "dog", "--with_subcategories")
    assert max(map(len, finished.out.splitlines())) < width
    assert SLED_DOG in finished.out


def test_nothing_found(dogs: Project) -> None:
    """One sentence with what may have been meant, and exit code 1, like grep; a CSV has its header."""
    finished = dogs.run("--find", "siberian", "puppy")
    assert (finished.code, finished.out) == (1, "")
    assert "'siberian puppy'" in finished.err
    assert f"did you mean {HUSKY} (Siberian husky)?" in finished.err
    finished = dogs.run("--find", "xyzzyqq", "--format", "csv")
    assert (finished.code, finished.out.count("\n"), listed(finished)) == (1, 1, [])
    assert finished.err.count("\n") == 1


def test_close_spellings_are_said_to_be_such(dogs: Project) -> None:
    """They are listed, with exit code 0."""
    finished = dogs.run("--find", "huskey")
    assert finished.code == 0
    assert HUSKY in finished.out
    assert "'huskey'" in finished.err
    assert "spelled alike" in finished.err


def test_without_the_lists_columns_are_empty(dogs: Project) -> None:
    """Who has not fetched the lists yet can look for categories all the same, and is told."""
    dogs.write()
    places = ("--url_data", str(dogs.path / "no.csv"), "--annotations_dir", str(dogs.path / "no"))
    finished = dogs.run("--find", "husky", "--format", "csv", *places)
    assert finished.code == 0
    (row,) = listed(finished)
    assert (row["code"], row["urls"], row["annotated"]) == (HUSKY, "", "")
    assert "There is no URL table" in finished.err
    assert "boxes are not counted" in finished.err


def test_a_folder_without_archives_of_boxes_is_said_to_be_none(dogs: Project) -> None:
    """Nothing is counted there; where archives lie, a category without one has no boxes, and that is all."""
    elsewhere = dogs.path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{HUSKY}_1.xml").write_text("no archive")
    finished = dogs.run("--find", "husky", "--format", "csv", "--annotations_dir", str(elsewhere))
    assert [row["annotated"] for row in listed(finished)] == [""]
    assert " ".join(finished.err.split()) == (
        f"Images with boxes are not counted: no archive of boxes lies in {elsewhere}."
    )
    finished = dogs.run("--find", "carton", "--format", "csv")
    assert ([row["annotated"] for row in listed(finished)], finished.err) == (["0"], "")


def test_mark_and_run(dogs: Project, web: Web) -> None:
    """Found, marked with all subcategories and a number, and downloaded: no editor is opened."""
    dogs.rows = []
    for code in (SLED_DOG, MALAMUTE, HUSKY, DOGSLED):
        for number in range(3):
            web.answer(f"/{code}_{number}", Answer(body=pictures.jpeg(seed=int(code[1:]) + number)))
            dogs.url(f"{code}_{number}", web.url(f"/{code}_{number}"))
    finished = dogs.run(*MARK, "2")
    assert (finished.code, finished.err) == (0, "")
    assert marks(dogs) == {SLED_DOG: 2, MALAMUTE: 2, HUSKY: 2}
    assert re.search(r"Marked 3 categories in \S+ncodes.csv, how_many 2\. .*ncodes.csv.bak", finished.out)
    assert f"Left out, as fitting less well: {DOGSLED}" in finished.out
    last = finished.out.splitlines()[-1]
    assert "python extract_images_as_per_tags.py" in last
    assert last.endswith("--fill True")
    keep_marks(dogs)
    assert dogs.run().code == 0
    assert dogs.folders() == {
        "sled_dog,_sledge_dog",
        "malamute,_malemute,_Alaskan_malamute",
        "Siberian_husky",
    }
    assert len(dogs.images("Siberian_husky")) == 2


def test_what_is_shown_is_what_is_marked(dogs: Project) -> None:
    """With --mark the list has what is marked, and nothing that is left out."""
    finished = dogs.run(*MARK, "--format", "csv")
    assert {row["code"] for row in listed(finished)} == set(marks(dogs)) == {SLED_DOG, MALAMUTE, HUSKY}
    assert "Marked 3 categories" in finished.err


def test_a_bare_mark_leaves_the_number(dogs: Project) -> None:
    """`--mark` alone says nothing about how many; `--how_many` beside it does."""
    dogs.categories[2][3] = "7"
    dogs.run("--find", "husky", "--mark")
    assert marks(dogs) == {HUSKY: 7}
    keep_marks(dogs)
    dogs.run("--categories", "carton", HUSKY, "--mark", "--how_many", "9")
    assert marks(dogs) == {HUSKY: 9, CARTON: 9}
    keep_marks(dogs)
    dogs.run("--categories", "carton", "--mark", "-1")
    assert marks(dogs) == {HUSKY: 9, CARTON: -1}


def test_marks_are_taken_back(dogs: Project) -> None:
    """With their numbers; the file is what it was before."""
    dogs.write()
    before = (dogs.path / "ncodes.csv").read_bytes()
    dogs.run(*MARK, "200")
    keep_marks(dogs)
    finished = dogs.run("--find", "sled", "dog", "--with_subcategories", "True", "--unmark")
    assert (finished.code, finished.err) == (0, "")
    assert "Unmarked 3 categories" in finished.out
    assert "Nothing is marked now." in finished.out
    assert "Left out" not in finished.out
    assert (dogs.path / "ncodes.csv").read_bytes() == before


def test_marking_again_changes_nothing(dogs: Project) -> None:
    """And says so, without another backup."""
    dogs.run(*MARK, "200")
    keep_marks(dogs)
    (dogs.path / "ncodes.csv.bak").unlink()
    finished = dogs.run(*MARK, "200")
    assert finished.code == 0
    assert "Nothing was changed" in finished.out
    assert not (dogs.path / "ncodes.csv.bak").exists()


def test_a_dry_run_marks_nothing(dogs: Project) -> None:
    """It says what would be, and leaves nothing behind."""
    dogs.write()
    before = set(dogs.path.rglob("*"))
    finished = dogs.run(*MARK, "200", "--dry_run")
    assert set(dogs.path.rglob("*")) == before
    assert "3 categories would be marked. Nothing was changed" in finished.out
    assert marks(dogs) == {}


def test_a_dry_run_counts_as_the_real_one(dogs: Project) -> None:
    """What says so already is told apart from what would be changed."""
    dogs.run("--categories", HUSKY, "--mark", "200")
    keep_marks(dogs)
    assert "2 categories would be marked (1 says so already)." in dogs.run(*MARK, "200", "--dry_run").out
    assert "Marked 2 categories" in dogs.run(*MARK, "200").out
    keep_marks(dogs)
    assert "0 categories would be marked (3 say so already)." in dogs.run(*MARK, "200", "--dry_run").out


def test_the_next_command_is_true_to_what_was_marked(dogs: Project) -> None:
    """A number means so many images; with boxes only where each marked category has boxes."""
    boxed = dogs.run("--categories", HUSKY, "--mark", "200").out
    assert re.search(r"--fill True\nFor so many images with boxes: --with_annotation True", boxed)
    assert "with_annotation" not in dogs.run("--categories", HUSKY, CARTON, "--mark", "200").out
    assert "--fill" not in dogs.run("--categories", HUSKY, "--mark").out
    assert "--fill" not in dogs.run("--categories", HUSKY, "--mark", "-1").out


def test_hints_say_what_can_be_done(dogs: Project) -> None:
    """Subcategories that are not listed, several codes, a plural as a name, and guesses to be marked."""
    assert "Add --with_subcategories True" in dogs.run("--find", "sled", "dog").out
    assert "Add --with" not in dogs.run("--find", "sled", "dog", "--with_subcategories").out
    assert "Add --with" not in dogs.run("--find", "husky").out
    assert f"--categories {CARTON} {HUSKY}" in " ".join(dogs.run("--find", CARTON, HUSKY).err.split())
    assert error(dogs.run("--categories", "cartons")).endswith(f"did you mean {CARTON} (carton)?")
    few = dogs.run("--find", "sle").out
    assert f"To mark them, say the codes: --categories {SLED_DOG} {DOGSLED} --mark" in few


@pytest.mark.parametrize("word", ["huskey", "husk", "n0211018"])
@pytest.mark.parametrize("flag", ["--mark", "--unmark"])
def test_guesses_are_not_marked(dogs: Project, word: str, flag: str) -> None:
    """Beginnings and close spellings are shown; to be marked they must be named."""
    finished = dogs.run("--find", word, flag)
    assert HUSKY in finished.out
    assert f"--categories {HUSKY} {flag}" in error(finished)
    assert marks(dogs) == {}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--mark",), "add --find WORD ... or --categories X ..."),
        (("--unmark",), "add --find WORD ... or --categories X ..."),
        (("--categories", "carton", "--mark", "--unmark"), "contradict each other"),
        (("--categories", "carton", "--mark", "-2"), "'-2' is not a whole number from -1 upwards"),
        (("--categories", "carton", "--mark", "many"), "'many' is not a whole number"),
        (("--categories", "carton", "--mark", "0"), "use --unmark"),
        (("--categories", "carton", "--mark", "--how_many", "0"), "use --unmark"),
        (("--categories", "carton", "--mark", "5", "--how_many", "6"), "different numbers"),
        (("--categories", "carton", "--unmark", "--how_many", "6"), "--unmark takes no number"),
        (("--format", "csv"), "add --find WORD ..."),
        (("--categories", "carton", "--mark", "--format", "csv"), "add --find WORD ..."),
        (("--find", "carton", "--format", "xml"), "'xml' is none of table, csv"),
        (("--find", "carton", "--categories", "carton"), "leave --categories out"),
        (("--find", "carton", "--verify"), "leave --find, --mark and --unmark out"),
        (("--find",), "--find: expected at least one argument"),
        (("--find", " ", ",;"), "--find needs words"),
        (("--categories", "huskey", "--mark"), "did you mean"),
    ],
)
def test_wrong_flags_are_one_sentence(dogs: Project, flags: tuple[str, ...], said: str) -> None:
    """With what to do, and exit code 2; nothing is marked."""
    assert said in error(dogs.run(*flags))
    assert marks(dogs) == {}


def test_a_dry_run_counts_subcategories(dogs: Project) -> None:
    """Each as a category of its own, with its own URLs; one that is marked keeps its number."""
    dogs.categories[2][2:] = ["True", "1"]
    finished = dogs.run("--categories", "sled dog", "--with_subcategories", "--dry_run")
    assert "3 categories, 2 of them as subcategories:" in finished.out
    assert f"Siberian_husky ({HUSKY}): the first 1 of 3 URLs" in finished.out
    assert f"sled_dog,_sledge_dog ({SLED_DOG}): 1 URL, all images" in finished.out
    assert "2 URLs to try at most" in finished.out


@pytest.mark.alone
def test_verify_takes_named_categories_and_their_subcategories(dogs: Project, web: Web) -> None:
    """Also those that are not marked."""
    dogs.rows = []
    for code in (HUSKY, CARTON):
        web.answer(f"/{code}", Answer(body=pictures.jpeg(seed=int(code[1:]))))
        dogs.url(f"{code}_0", web.url(f"/{code}"))
    assert dogs.run("--categories", HUSKY, CARTON).code == 0
    for flags in (["Siberian husky"], ["sled dog", "--with_subcategories"]):
        assert "1 image in 1 folder" in dogs.run("--verify", "--categories", *flags).out


@pytest.mark.parametrize(
    ("flags", "unused"),
    [
        (("--categories", HUSKY, "--dry_run"), "utils.catalog.hierarchy"),
        (("--find", "husky"), "utils.pipeline.run"),
    ],
)
def test_nothing_is_loaded_that_is_not_used(dogs: Project, flags: tuple[str, ...], unused: str) -> None:
    """An ordinary run does without the hierarchy's table, and a search without what a run needs."""
    dogs.write()
    arguments = dogs.arguments(*flags)
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from utils.cli import extract
from utils.catalog import categories
categories.load_synsets = None if {unused!r} == "utils.catalog.hierarchy" else categories.load_synsets
code = extract.main({arguments!r})
sys.exit(code or (3 if {unused!r} == "utils.pipeline.run" and {unused!r} in sys.modules else 0))
"""
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL).returncode == 0
    )


def real(folder: Path) -> Project:
    """Give a project with the real table of categories; whatever else lies in the folder."""
    shutil.copy(ROOT / "ncodes.csv", folder)
    project = Project(folder)
    project.write = lambda: None  # type: ignore[method-assign]  # all is there
    return project


@pytest.mark.skipif(not DATA.exists(), reason="the real data is not beside the project")
def test_real_lists_are_counted(tmp_path: Path) -> None:
    """URLs and images with boxes are as many as the table has rows, and the archives XML files."""
    shutil.copy(DATA / "imageNetURLs.csv", tmp_path)
    shutil.copytree(DATA / "annotation", tmp_path / "annotation", copy_function=shutil.copyfile)
    (tmp_path / "annotation").chmod(0o755)
    project = real(tmp_path)
    with (DATA / "imageNetURLs.csv").open(encoding="utf-8", newline="") as file:
        urls = Counter(row["code"] for row in csv.DictReader(file))
    for word in ("bird", "bird", "fish", "zebra"):  # the second time from what was remembered
        rows = listed(project.run("--find", word, "--with_subcategories", "True", "--format", "csv"))
        assert {row["code"]: int(row["urls"]) for row in rows} == {
            row["code"]: urls[row["code"]] for row in rows
        }
        assert {row["code"]: int(row["annotated"]) for row in rows} == {
            row["code"]: xml_files(DATA / "annotation" / f"{row['code']}.tar.gz") for row in rows
        }
        assert sum(int(row["urls"]) * int(row["annotated"]) for row in rows)


def xml_files(archive: Path) -> int:
    """Count the XML files of an archive; there are none where it is not there."""
    if not archive.exists():
        return 0
    with tarfile.open(archive) as tar:
        return sum(name.endswith(".xml") for name in tar.getnames())


def test_documented_table(tmp_path: Path) -> None:
    """The table in docs/flags.md is what --find prints before the lists are downloaded."""
    project = real(tmp_path)
    project.environment["COLUMNS"] = "110"
    finished = project.run("--find", "sled", "dog", "--with_subcategories", "True")
    assert finished.out.count("\n") > 5
    assert f"```\n{finished.out}```\n" in (ROOT / "docs" / "flags.md").read_text(encoding="utf-8")
