"""Tests of `--find`, `--mark`, `--unmark` and `--with_subcategories` on the command line."""

from __future__ import annotations

import csv
import functools
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import ALONE, ROOT, Finished, Project
from utils.catalog import categories, hierarchy, named_sets
from utils.cli.arguments import SIGNAL_EXITS
from utils.cli.extract import main

DATA = ROOT.parent / "shared" / "data"
DOG = "n02084071"
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


LISTING = {"--find", "--mark", "--unmark", "--dry_run"}
load_hierarchy = functools.cache(hierarchy.load)


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Project]:
    """Give a project whose runs are done in this process if they only list or mark categories."""
    monkeypatch.setattr(hierarchy, "load", load_hierarchy)  # takes most of the time
    project = Project(tmp_path, always=ALONE)
    handlers = {name: signal.getsignal(getattr(signal, name)) for name in SIGNAL_EXITS}

    def run(*flags: str, prefix: tuple[str, ...] = ()) -> Finished:
        if prefix or not LISTING & set(flags):
            return Project.run(project, *flags, prefix=prefix)
        project.write()
        variables = project.variables()
        for name in os.environ.keys() - variables.keys():
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        try:
            code = main(project.arguments(*flags))
        except SystemExit as ended:
            code = int(ended.code or 0)
        shown = capsys.readouterr()
        return Finished(code, shown.out, shown.err, 0.0)

    project.run = run  # type: ignore[method-assign]
    yield project
    for name, handler in handlers.items():
        signal.signal(getattr(signal, name), handler)


@pytest.fixture
def dogs(project: Project) -> Project:
    """Create a project with some real categories and one added by the user; none is marked."""
    for code, name in NAMES.items():
        project.category(code, name, marked=False)
    for number in range(3):
        project.url(f"{HUSKY}_{number}", "http://127.0.0.1:9/none.jpg")
        project.annotate(f"{HUSKY}_{number}", (1, 1, 9, 9))
    for code in (SLED_DOG, MALAMUTE):
        project.url(f"{code}_1", "http://127.0.0.1:9/none.jpg")
    return project


def parse_csv(finished: Finished) -> list[dict[str, str]]:
    """Parse a CSV on standard output."""
    return list(csv.DictReader(io.StringIO(finished.out, newline="")))


def marks(project: Project) -> dict[str, int]:
    """Return the `how_many` of the marked categories."""
    table = categories.read(project.path / "ncodes.csv")
    return {category.code: category.how_many for category in table if category.selected}


def keep_marks(project: Project) -> None:
    """Let the next run use the table as this one left it."""
    table = categories.read(project.path / "ncodes.csv")
    project.categories = []
    for one in table:
        project.category(
            one.code, one.name, marked=one.selected, how_many=one.how_many, class_name=one.class_name
        )


def error(finished: Finished) -> str:
    """Check that a run was refused, and return its error message."""
    assert finished.code == 2
    assert "Traceback" not in finished.err
    return finished.err.splitlines()[-1]


def test_table(dogs: Project) -> None:
    """Columns are code, name, URLs, images with boxes, subcategories and path; nothing is written."""
    dogs.write()
    before = (dogs.path / "ncodes.csv").read_bytes()
    finished = dogs.run("--find", "sled", "dog")
    assert (finished.code, finished.err) == (0, "")
    lines = finished.out.splitlines()
    assert lines[0].split() == ["code", "name", "URLs", "boxed", "below", "path"]
    assert re.fullmatch(rf"{SLED_DOG}  sled dog, sledge dog +1 +0 +2  {PATH}", lines[1])
    assert DOGSLED not in finished.out
    assert "1 more fits less well: add --all_matches True to include them." in finished.out
    assert "--mark" in lines[-1]
    assert (dogs.path / "ncodes.csv").read_bytes() == before
    assert not dogs.result.exists()


def test_subcategories(dogs: Project) -> None:
    """They follow their parent and are marked by a plus sign."""
    out = dogs.run("--find", "sled dog", "--with_subcategories", "--all_matches", "--below", DOG).out
    assert re.findall(r"^(n\d+)  (\+ )?", out, flags=re.MULTILINE) == [
        (SLED_DOG, ""),
        (MALAMUTE, "+ "),
        (HUSKY, "+ "),
    ]
    out = dogs.run("--find", "sled dog", "--with_subcategories", "--all_matches").out
    assert re.findall(r"^(n\d+)  (\+ )?", out, flags=re.MULTILINE) == [
        (SLED_DOG, ""),
        (MALAMUTE, "+ "),
        (HUSKY, "+ "),
        (DOGSLED, ""),
    ]


def test_csv(dogs: Project) -> None:
    """A CSV has all matches in full, is UTF-8 in any locale, and is all of standard output."""
    flags = ("--find", "sled", "dog", "--with_subcategories", "yes", "--all_matches", "--format", "csv")
    finished = dogs.run(*flags)
    assert finished.err == ""
    rows = parse_csv(finished)
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
    ascii_locale = dogs.run(
        "--find", "mowe", "--format", "csv", prefix=("env", "PYTHONIOENCODING=ascii", "LC_ALL=C")
    )
    assert [row["name"] for row in parse_csv(ascii_locale)] == ["Möwe, my own"]


def test_long_list(project: Project) -> None:
    """25 rows are shown without --format, all of them with it."""
    for number in range(40):
        project.category(f"n{number:08d}", f"cup {number}", marked=False)
        project.url(f"n{number:08d}_1", "http://127.0.0.1:9/none.jpg")
    short = project.run("--find", "cup").out
    assert len(re.findall(r"^n0", short, flags=re.MULTILINE)) == 25
    assert "... and 15 more; --format table or --format csv lists all of them." in short
    whole = project.run("--find", "cup", "--format", "table").out
    assert len(re.findall(r"^n0", whole, flags=re.MULTILINE)) == 40
    assert "more" not in whole
    assert "To mark all 40 (25 are shown): add --mark" in short
    assert len(parse_csv(project.run("--find", "cup", "--format", "csv"))) == 40
    project.category("n00000040", "cupboard", marked=False)
    short = project.run("--find", "cup").out
    assert "To mark all 40 (25 are shown): add --mark" in short
    assert "1 more fits less well" in short


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_list_fits_the_terminal(dogs: Project, width: int) -> None:
    """No line is wider than the terminal."""
    dogs.environment["COLUMNS"] = str(width)
    finished = dogs.run("--find", "dog", "--with_subcategories")
    assert max(map(len, finished.out.splitlines())) < width
    assert SLED_DOG in finished.out


def test_nothing_found(dogs: Project) -> None:
    """The exit code is 1, as for grep; a message suggests categories, and a CSV has only its header."""
    finished = dogs.run("--find", "siberian", "puppy")
    assert (finished.code, finished.out) == (1, "")
    assert "'siberian puppy'" in finished.err
    assert f"did you mean {HUSKY} (Siberian husky)?" in finished.err
    finished = dogs.run("--find", "xyzzyqq", "--format", "csv")
    assert (finished.code, finished.out.count("\n"), parse_csv(finished)) == (1, 1, [])
    assert finished.err.count("\n") == 1


def test_similar_spellings(dogs: Project) -> None:
    """They are listed with a message; the exit code is 0."""
    finished = dogs.run("--find", "huskey")
    assert finished.code == 0
    assert HUSKY in finished.out
    assert "'huskey'" in finished.err
    assert "spelled similarly" in finished.err


def test_without_url_table_and_annotations(dogs: Project) -> None:
    """The search works, the columns are empty, and messages say why."""
    dogs.write()
    places = ("--url_data", str(dogs.path / "no.csv"), "--annotations_dir", str(dogs.path / "no"))
    finished = dogs.run("--find", "husky", "--format", "csv", *places)
    assert finished.code == 0
    (row,) = parse_csv(finished)
    assert (row["code"], row["urls"], row["annotated"]) == (HUSKY, "", "")
    assert "There is no URL table" in finished.err
    assert "boxes are not counted" in finished.err


def test_folder_without_archives_of_boxes(dogs: Project) -> None:
    """The column is empty; where other archives exist, a category without one has 0 boxes."""
    elsewhere = dogs.path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{HUSKY}_1.xml").write_text("no archive")
    finished = dogs.run("--find", "husky", "--format", "csv", "--annotations_dir", str(elsewhere))
    assert [row["annotated"] for row in parse_csv(finished)] == [""]
    assert " ".join(finished.err.split()) == (
        f"Images with boxes are not counted: {elsewhere} contains no archives of boxes."
    )
    finished = dogs.run("--find", "carton", "--format", "csv")
    assert ([row["annotated"] for row in parse_csv(finished)], finished.err) == (["0"], "")


def test_mark_and_run(dogs: Project, web: Web) -> None:
    """Find, mark with subcategories and a number, and download; only what was listed is marked."""
    dogs.rows = []
    for code in (SLED_DOG, MALAMUTE, HUSKY, DOGSLED):
        for number in range(3):
            web.answer(f"/{code}_{number}", Answer(body=pictures.jpeg(seed=int(code[1:]) + number)))
            dogs.url(f"{code}_{number}", web.url(f"/{code}_{number}"))
    finished = dogs.run(*MARK, "2")
    assert (finished.code, finished.err) == (0, "")
    assert marks(dogs) == {SLED_DOG: 2, MALAMUTE: 2, HUSKY: 2}
    assert re.search(r"Marked 3 categories in \S+ncodes.csv, how_many 2\. .*ncodes.csv.bak", finished.out)
    assert DOGSLED not in finished.out
    assert "1 more fits less well" in finished.out
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


def test_rows_shown_are_those_marked(dogs: Project) -> None:
    """With --mark, only marked categories are listed."""
    finished = dogs.run(*MARK, "--format", "csv")
    assert {row["code"] for row in parse_csv(finished)} == set(marks(dogs)) == {SLED_DOG, MALAMUTE, HUSKY}
    assert "Marked 3 categories" in finished.err


def test_mark_without_a_number(dogs: Project) -> None:
    """`--mark` alone keeps `how_many`; `--mark N` and `--how_many N` set it."""
    dogs.categories[2][3] = "7"
    dogs.run("--find", "husky", "--mark")
    assert marks(dogs) == {HUSKY: 7}
    keep_marks(dogs)
    dogs.run("--categories", "carton", HUSKY, "--mark", "--how_many", "9")
    assert marks(dogs) == {HUSKY: 9, CARTON: 9}
    keep_marks(dogs)
    dogs.run("--categories", "carton", "--mark", "-1")
    assert marks(dogs) == {HUSKY: 9, CARTON: -1}


def test_unmark(dogs: Project) -> None:
    """It resets the number, too; the file is as before marking."""
    dogs.write()
    before = (dogs.path / "ncodes.csv").read_bytes()
    dogs.run(*MARK, "200")
    keep_marks(dogs)
    finished = dogs.run("--find", "sled", "dog", "--with_subcategories", "True", "--unmark")
    assert (finished.code, finished.err) == (0, "")
    assert "Unmarked 3 categories" in finished.out
    assert "No category is marked now." in finished.out
    assert (dogs.path / "ncodes.csv").read_bytes() == before


def classes(project: Project) -> dict[str, str]:
    """Return the classes of the categories that have one."""
    table = categories.read(project.path / "ncodes.csv")
    return {category.code: category.class_name for category in table if category.class_name}


def test_class(dogs: Project) -> None:
    """`--class` sets the class of what is marked; `--mark` and `--unmark` alone keep it."""
    finished = dogs.run(*MARK, "200", "--class", " sled  dog ")
    assert (finished.code, finished.err) == (0, "")
    assert re.search(r"Marked 3 categories in \S+ncodes.csv, how_many 200, class 'sled dog'\.", finished.out)
    assert re.search(rf"^{HUSKY}  \+ Siberian husky +sled dog ", finished.out, flags=re.MULTILINE)
    dogs_of_class = dict.fromkeys([SLED_DOG, MALAMUTE, HUSKY], "sled dog")
    assert classes(dogs) == dogs_of_class
    keep_marks(dogs)
    dogs.run("--categories", HUSKY, CARTON, "--mark")
    keep_marks(dogs)
    assert ", class" not in dogs.run("--categories", SLED_DOG, "--unmark").out
    assert classes(dogs) == dogs_of_class
    keep_marks(dogs)
    assert "Nothing was changed" in dogs.run("--categories", HUSKY, "--mark", "--class", "sled dog").out
    dogs.run("--categories", HUSKY, "--mark", "--class", "husky")
    assert classes(dogs) == dogs_of_class | {HUSKY: "husky"}


def test_dry_run_of_a_class(dogs: Project) -> None:
    """It names the class, and writes nothing."""
    out = dogs.run(*MARK, "--class", "dog", "--dry_run").out
    assert "3 categories would be marked, class 'dog'. Nothing was changed" in out
    assert classes(dogs) == {}


def test_classes_are_listed(dogs: Project) -> None:
    """Table and CSV have a column of classes if one of the rows has a class."""
    dogs.categories[2].append("sled dog")
    listed = dogs.run("--find", "husky").out.splitlines()
    assert listed[0].split() == ["code", "name", "class", "URLs", "boxed", "below", "path"]
    assert re.match(rf"{HUSKY}  Siberian husky  sled dog     3 ", listed[1])
    rows = parse_csv(dogs.run("--find", "dog", "--with_subcategories", "--format", "csv"))
    assert {row["code"]: row["class"] for row in rows if row["class"]} == {HUSKY: "sled dog"}
    assert "class" not in dogs.run("--find", "carton").out
    assert "class" not in parse_csv(dogs.run("--find", "carton", "--format", "csv"))[0]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--class", "dog"), "--class needs --mark: add --mark"),
        (("--find", "husky", "--class", "dog"), "--class needs --mark: add --mark"),
        (("--find", "husky", "--unmark", "--class", "dog"), "--class needs --mark: add --mark"),
        (("--mark", "--class", "dog"), "add --find WORD ... or --categories X ..."),
        (("--find", "husky", "--mark", "--class"), "--class: expected one argument"),
        (("--find", "husky", "--mark", "--class", " "), "--class: this is empty"),
        (("--find", "husky", "--mark", "--class", "x" * 101), "use at most 100 characters"),
        (("--find", "husky", "--mark", "--class", "a\nb"), "'a\\nb' is not allowed; use a name without line"),
        (("--find", "husky", "--mark", "--class", "Box"), "differs only in capitals from 'box' in"),
    ],
)
def test_invalid_class(dogs: Project, flags: tuple[str, ...], message: str) -> None:
    """The exit code is 2, the message says what to do, and nothing is marked."""
    dogs.categories[0].append("box")
    finished = dogs.run(*flags)
    assert message in error(finished)
    assert finished.err.count("\n") == 1
    assert marks(dogs) == {}
    assert classes(dogs) == {CARTON: "box"}


def test_invalid_class_in_the_table(dogs: Project) -> None:
    """A run ends before any download, with file, line, column and value."""
    dogs.category(f"{HUSKY[:-1]}9", "toy husky", class_name="x" * 101)
    finished = dogs.run()
    assert f"ncodes.csv, line 8, column class: '{'x' * 60}" in error(finished)
    assert not dogs.result.exists()


def test_marking_twice(dogs: Project) -> None:
    """The second time nothing is written, not even a backup."""
    dogs.run(*MARK, "200")
    keep_marks(dogs)
    (dogs.path / "ncodes.csv.bak").unlink()
    finished = dogs.run(*MARK, "200")
    assert finished.code == 0
    assert "Nothing was changed" in finished.out
    assert not (dogs.path / "ncodes.csv.bak").exists()


def test_dry_run_marks_nothing(dogs: Project) -> None:
    """It prints what would be done, and writes nothing."""
    dogs.write()
    before = set(dogs.path.rglob("*"))
    finished = dogs.run(*MARK, "200", "--dry_run")
    assert set(dogs.path.rglob("*")) == before
    assert "3 categories would be marked. Nothing was changed" in finished.out
    assert marks(dogs) == {}


def test_dry_run_counts_like_a_real_run(dogs: Project) -> None:
    """Rows that would be changed and unchanged rows are counted separately."""
    dogs.run("--categories", HUSKY, "--mark", "200")
    keep_marks(dogs)
    assert "2 categories would be marked (1 unchanged)." in dogs.run(*MARK, "200", "--dry_run").out
    assert "Marked 2 categories" in dogs.run(*MARK, "200").out
    keep_marks(dogs)
    assert "0 categories would be marked (3 unchanged)." in dogs.run(*MARK, "200", "--dry_run").out


def test_next_command(dogs: Project) -> None:
    """A number implies --fill; --with_annotation is suggested if all marked categories have boxes."""
    boxed = dogs.run("--categories", HUSKY, "--mark", "200").out
    assert re.search(r"--fill True\nFor as many images with boxes: --with_annotation True", boxed)
    assert "with_annotation" not in dogs.run("--categories", HUSKY, CARTON, "--mark", "200").out
    assert "--fill" not in dogs.run("--categories", HUSKY, "--mark").out
    assert "--fill" not in dogs.run("--categories", HUSKY, "--mark", "-1").out


def test_hints(dogs: Project) -> None:
    """Hints for unlisted subcategories, several codes, plurals, and matches that are not marked."""
    assert "Add --with_subcategories True" in dogs.run("--find", "sled", "dog").out
    assert "Add --with" not in dogs.run("--find", "sled", "dog", "--with_subcategories").out
    assert "Add --with" not in dogs.run("--find", "husky").out
    assert f"--categories {CARTON} {HUSKY}" in " ".join(dogs.run("--find", CARTON, HUSKY).err.split())
    assert error(dogs.run("--categories", "cartons")).endswith(f"did you mean {CARTON} (carton)?")
    few = dogs.run("--find", "sle").out
    assert f"To mark them, use the codes: --categories {SLED_DOG} {DOGSLED} --mark" in few


@pytest.mark.parametrize("word", ["huskey", "husk", "n0211018"])
@pytest.mark.parametrize("flag", ["--mark", "--unmark"])
def test_similar_names_are_not_marked(dogs: Project, word: str, flag: str) -> None:
    """Beginnings and similar spellings are listed, but marked only by code."""
    finished = dogs.run("--find", word, flag)
    assert HUSKY in finished.out
    assert f"--categories {HUSKY} {flag}" in error(finished)
    assert marks(dogs) == {}


@pytest.mark.parametrize(
    ("flags", "message"),
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
        (("--format", "csv"), "--format needs --find"),
        (("--categories", "carton", "--mark", "--format", "csv"), "--format needs --find"),
        (("--categories", "carton", "--below", "animal"), "--below needs --find"),
        (("--boxed",), "--boxed needs --find"),
        (("--categories", "carton", "--mark", "--all_matches"), "--all_matches needs --find"),
        (("--find", "carton", "--format", "xml"), "'xml' is none of table, csv"),
        (("--find", "carton", "--categories", "carton"), "leave --categories out"),
        (("--find", "carton", "--verify"), "leave --find, --mark and --unmark out"),
        (("--find",), "--find needs words"),
        (("--find", "--mark"), "--find needs words"),
        (("--find", "carton", "--below", "caron"), "--below 'caron' is not a code or name in the table"),
        (("--find", " ", ",;"), "--find needs words"),
        (("--categories", "huskey", "--mark"), "did you mean"),
    ],
)
def test_invalid_flags(dogs: Project, flags: tuple[str, ...], message: str) -> None:
    """The exit code is 2, the message says what to do, and nothing is marked."""
    assert message in error(dogs.run(*flags))
    assert marks(dogs) == {}


def test_dry_run_of_a_download_counts_subcategories(dogs: Project) -> None:
    """Each counts its own URLs; a marked subcategory keeps its number."""
    dogs.categories[2][2:] = ["True", "1"]
    finished = dogs.run("--categories", "sled dog", "--with_subcategories", "--dry_run")
    assert "3 categories, 2 of them as subcategories:" in finished.out
    assert f"Siberian_husky ({HUSKY}): the first 1 of 3 URLs" in finished.out
    assert f"sled_dog,_sledge_dog ({SLED_DOG}): 1 URL, all images" in finished.out
    assert "3 URLs to try at most" in finished.out


def test_verify_named_categories(dogs: Project, web: Web) -> None:
    """Subcategories are included, and so are categories that are not marked."""
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
def test_lazy_loading(dogs: Project, flags: tuple[str, ...], unused: str) -> None:
    """A download does not read the hierarchy, and a search does not import the pipeline."""
    dogs.write()
    arguments = dogs.arguments(*flags)
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from utils.cli import extract
from utils.catalog import categories, hierarchy, named_sets
hierarchy.load = None if {unused!r} == "utils.catalog.hierarchy" else hierarchy.load
code = extract.main({arguments!r})
sys.exit(code or (3 if {unused!r} == "utils.pipeline.run" and {unused!r} in sys.modules else 0))
"""
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL).returncode == 0
    )


HORSE, RIDER_HORSE, SAWHORSE, KNIGHT = "n02374451", "n02377703", "n04140631", "n03624767"


@pytest.fixture
def horses(project: Project) -> Project:
    """Create a project with horses that are animals and artifacts, each with a URL."""
    names = {
        HORSE: "horse, Equus caballus",
        RIDER_HORSE: "saddle horse, riding horse, mount",
        SAWHORSE: "sawhorse, horse, sawbuck, buck",
        KNIGHT: "knight, horse",
        "n04524142": "vaulting horse, long horse, buck",
    }
    for code, name in names.items():
        project.category(code, name, marked=False)
        project.url(f"{code}_1", "http://127.0.0.1:9/none.jpg")
    project.annotate(f"{HORSE}_1", (1, 1, 9, 9))
    return project


def test_groups(horses: Project) -> None:
    """Results of several lexicographer files are grouped, with a command that marks one group."""
    out = horses.run("--find", "horse").out
    lines = out.splitlines()
    assert [line for line in lines if re.match(r"(animal|artifact) \(", line)] == [
        "animal (2 categories):",
        "artifact (3 categories):",
    ]
    assert lines.index("animal (2 categories):") < next(i for i, line in enumerate(lines) if HORSE in line)
    assert out.endswith(
        "They are of 2 kinds. To mark one kind:\n"
        f"  python extract_images_as_per_tags.py {place(horses)} --find horse --below animal --mark\n"
        f"  python extract_images_as_per_tags.py {place(horses)} --find horse --below artifact --mark\n"
    )


def place(project: Project) -> str:
    """Return the flags for the folder of inputs and result."""
    return f"--data_dir {project.path} --save_dir {project.path}"


def test_groups_are_not_marked_together(horses: Project) -> None:
    """With --mark they are shown, nothing is marked, and the commands keep the flags."""
    finished = horses.run("--find", "horse", "--mark", "20", "--class", "my horse")
    assert finished.code == 2
    assert HORSE in finished.out
    assert KNIGHT in finished.out
    assert finished.err.splitlines() == [
        "Nothing was changed: these 5 categories are of 2 kinds. To mark one kind:",
        *(
            f"  python extract_images_as_per_tags.py {place(horses)} --find horse --below {kind} --mark 20 "
            "--class 'my horse'"
            for kind in ("animal", "artifact")
        ),
    ]
    assert marks(horses) == {}
    for line in finished.err.splitlines()[1:2]:
        assert horses.run(*shlex.split(line)[2:]).code == 0
    assert marks(horses) == {HORSE: 20, RIDER_HORSE: 20}


@pytest.mark.parametrize(
    "below", ["animal", "Animal", "noun.animal", "n00015388", "animate being", "n02374149"]
)
def test_below(horses: Project, below: str) -> None:
    """A category is given by code or name, whether the table has it or not, or by a lexicographer file."""
    finished = horses.run("--find", "horse", "--below", below, "--mark")
    assert (finished.code, finished.err) == (0, "")
    assert set(marks(horses)) == {HORSE, RIDER_HORSE}


def test_below_without_words(horses: Project) -> None:
    """All categories below one are listed, in the order of the table, without itself."""
    rows = parse_csv(horses.run("--find", "--below", HORSE, "--format", "csv"))
    assert [(row["code"], row["match"]) for row in rows] == [(RIDER_HORSE, "")]
    finished = horses.run("--find", "horse", "--below", "person")
    assert (finished.code, finished.out) == (1, "")
    assert "No category below 'person' has 'horse' in its name" in finished.err


def test_all_matches(dogs: Project) -> None:
    """What fits less well is counted, and listed and marked with --all_matches."""
    dogs.url(f"{DOGSLED}_1", "http://127.0.0.1:9/none.jpg")
    flags = ("--find", "sled", "dog")
    assert [row["code"] for row in parse_csv(dogs.run(*flags, "--format", "csv"))] == [SLED_DOG]
    assert "1 more fits less well: add --all_matches True" in dogs.run(*flags, "--mark").out
    assert set(marks(dogs)) == {SLED_DOG}
    whole = dogs.run(*flags, "--all_matches", "--format", "csv")
    assert [row["match"] for row in parse_csv(whole)] == ["kind", "all_words"]
    finished = dogs.run(*flags, "--all_matches", "--mark")
    assert "these 2 categories are of 2 kinds" in finished.err
    assert finished.err.splitlines()[1].endswith("--find sled dog --all_matches True --below animal --mark")


def test_categories_without_urls_are_not_marked(dogs: Project) -> None:
    """They are named, unless another source is given or there is no table; a named category is marked."""
    assert error(dogs.run("--find", "carton", "--mark")).startswith(
        f"Nothing was changed. Not marked, because {CARTON} (carton) has no URL. --source archive or --copy"
    )
    assert "To mark it, which has no URL: add --mark --source archive." in dogs.run("--find", "carton").out
    for flags in (("--source", "archive"), ("--url_data", str(dogs.path / "none.csv"))):
        finished = dogs.run("--find", "carton", "--mark", *flags)
        assert finished.code == 0
        assert " ".join(flags) in finished.out.splitlines()[-1], "the next command needs them, too"
        assert set(marks(dogs)) == {CARTON}
        dogs.run("--find", "carton", "--unmark")
        assert marks(dogs) == {}
    dogs.rows = [row for row in dogs.rows if row[2] != MALAMUTE]
    out = dogs.run(*MARK).out
    assert f"Not marked, because {MALAMUTE} (malamute, malemute, Alaskan malamute) has no URL." in out
    assert set(marks(dogs)) == {SLED_DOG, HUSKY}
    out = dogs.run("--categories", CARTON, "--mark").out
    assert f"{CARTON} (carton) has no URL: a run from URLs finds no images there." in out
    assert CARTON in marks(dogs)


def test_words_of_different_names(dogs: Project) -> None:
    """If no name has all words, the message gives the searches for each of them."""
    finished = dogs.run("--find", "carton", "husky")
    assert (finished.code, finished.out) == (1, "")
    assert finished.err == (
        "No category has all words of 'carton husky' in one name. To search for one of them: "
        "--find carton or --find husky\n"
    )


def test_boxed(dogs: Project) -> None:
    """Only categories with boxes are listed, with the number of those that also have URLs."""
    dogs.annotate(f"{DOGSLED}_1", (1, 1, 9, 9))
    finished = dogs.run("--find", "--boxed", "True")
    assert re.findall(r"^n\d+", finished.out, flags=re.MULTILINE) == [DOGSLED, HUSKY]
    assert "2 categories with boxes; 1 of them has URLs, too." in finished.out
    rows = parse_csv(dogs.run("--find", "sled", "--boxed", "--all_matches", "--format", "csv"))
    assert [row["code"] for row in rows] == [DOGSLED]
    finished = dogs.run("--find", "carton", "--boxed")
    assert (finished.code, finished.out) == (1, "")
    assert "No images have boxes in 1 category found." in finished.err
    none = error(dogs.run("--find", "--boxed", "--annotations_dir", str(dogs.path / "none")))
    assert none.startswith("--boxed needs the archives of boxes")


def test_sets(dogs: Project) -> None:
    """`--find @` lists the sets with size and source, and says what a set is."""
    finished = dogs.run("--find", "@")
    assert (finished.code, finished.err) == (0, "")
    assert re.search(r"^@imagenette: 10 categories\. .* Source: ", finished.out, flags=re.MULTILINE)
    assert "A set names categories, not the very images of the original dataset." in finished.out
    assert len(re.findall(r"^@", finished.out, flags=re.MULTILINE)) == len(named_sets.load())
    rows = parse_csv(dogs.run("--find", "@imagenet-100", "--format", "csv"))
    assert {row["size"] for row in rows} == {"100"}
    assert list(rows[0]) == ["name", "size", "note", "source"]
    finished = dogs.run("--find", "@xyzzy")
    assert (finished.code, finished.err) == (
        1,
        "No set has 'xyzzy' in its name; --find @ lists all of them.\n",
    )
    assert "--categories @imagewoof --mark" in error(dogs.run("--find", "@imagewoof", "--mark"))


def test_mark_a_set(project: Project) -> None:
    """The rows of a set are marked; categories of it that have no row are named."""
    project.url("n00000001_1", "http://127.0.0.1:9/none.jpg")
    codes = named_sets.load()["imagewoof"].codes
    project.category("n00000001", "mine", marked=False)
    for code in codes[:-1]:
        project.category(code, code, marked=False)
    finished = project.run("--categories", "@imagewoof", "n00000001", "--mark", "30")
    assert finished.code == 0
    assert f"ncodes.csv has no row for {codes[-1]} (dingo," in finished.out
    assert "download_imagenet_prerequisites.py --only ncodes --force" in finished.out
    assert marks(project) == dict.fromkeys([*codes[:-1], "n00000001"], 30)
    keep_marks(project)
    assert "Unmarked 9 categories" in project.run("--categories", "@imagewoof", "--unmark").out


def test_dry_run_of_a_set(dogs: Project) -> None:
    """A set is downloaded whole: missing rows are taken from the table that ships."""
    out = dogs.run("--categories", "@imagenette", "--dry_run").out
    assert re.match(r"10 categories, 10 of them without a row in \S+ncodes.csv:", out)
    assert "tench,_Tinca_tinca (n01440764)" in out


@pytest.mark.parametrize("flags", [("--find", "@"), ("--find", "horse"), ("--categories", "@imagenet100")])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_output_fits_the_terminal(horses: Project, flags: tuple[str, ...], width: int) -> None:
    """Only commands to be copied are not wrapped."""
    horses.environment["COLUMNS"] = str(width)
    lines = horses.run(*flags).out.splitlines()
    assert all(len(line) < width for line in lines if not line.startswith("  python"))


def real_project(folder: Path) -> Project:
    """Return a project with the table of all categories."""
    shutil.copy(ROOT / "ncodes.csv", folder)
    project = Project(folder)
    project.write = lambda: None  # type: ignore[method-assign]  # the files exist already
    return project


@pytest.mark.skipif(not DATA.exists(), reason="the real data is not beside the project")
def test_real_counts(tmp_path: Path) -> None:
    """Counts equal the rows of the URL table and the XML files in the archives."""
    shutil.copy(DATA / "imageNetURLs.csv", tmp_path)
    shutil.copytree(DATA / "annotation", tmp_path / "annotation", copy_function=shutil.copyfile)
    (tmp_path / "annotation").chmod(0o755)
    project = real_project(tmp_path)
    with (DATA / "imageNetURLs.csv").open(encoding="utf-8", newline="") as file:
        urls = Counter(row["code"] for row in csv.DictReader(file))
    for word in ("zebra", "zebra", "fish"):  # the second time from the saved counts
        rows = parse_csv(project.run("--find", word, "--with_subcategories", "True", "--format", "csv"))
        assert {row["code"]: int(row["urls"]) for row in rows} == {
            row["code"]: urls[row["code"]] for row in rows
        }
        assert {row["code"]: int(row["annotated"]) for row in rows} == {
            row["code"]: xml_files(DATA / "annotation" / f"{row['code']}.tar.gz") for row in rows
        }
        assert sum(int(row["urls"]) * int(row["annotated"]) for row in rows)


def xml_files(archive: Path) -> int:
    """Count the XML files of an archive; 0 if it does not exist."""
    if not archive.exists():
        return 0
    with tarfile.open(archive) as tar:
        return sum(name.endswith(".xml") for name in tar.getnames())


def test_documented_table(tmp_path: Path) -> None:
    """The table in docs/flags.md is what --find prints before the lists are downloaded."""
    project = real_project(tmp_path)
    project.environment["COLUMNS"] = "110"
    finished = project.run("--find", "sled", "dog", "--with_subcategories", "True")
    assert finished.out.count("\n") > 5
    assert f"```\n{finished.out}```\n" in (ROOT / "docs" / "flags.md").read_text(encoding="utf-8")
