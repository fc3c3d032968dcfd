"""All text on the screen passes one filter: no letter controls the terminal, misleads or is a secret."""

from __future__ import annotations

import ast
import csv
import io
import logging
import sys
from pathlib import Path

import pytest

from demo import pictures
from demo.web import Answer, Web, resumable
from tests.prerequisites.helpers import run as prepare
from tests.prerequisites.helpers import tarred, zipped
from tests.project import ALONE, ROOT, SCRIPT, Finished, Project
from tests.sources.tar_project import Archive
from tests.terminal import run_on_terminal
from utils.cli.console import Console
from utils.cli.messages import for_screen
from utils.fetch.credentials import COOKIE_VARIABLE, TOKEN_VARIABLE
from utils.text import INVISIBLE

RED = "n00000001"
CLIPBOARD, TITLE, COLOUR, C1 = "\x1b]52;c;cm0gLXJmIH4=\x07", "\x1b]0;owned\x07", "\x1b[31m", "\x9b31m"
BIDI, ZERO_WIDTH = "\u202e\u2066\u200f", "\u200b\u2060\ufeff\u00ad"
HOSTILE = f"x{CLIPBOARD}{TITLE}{COLOUR}{C1}{BIDI}{ZERO_WIDTH}y"
PHRASE = f"{CLIPBOARD}{TITLE}{COLOUR}{C1}".encode("latin-1")
TOKEN, CRUMB = "s3cret-token/+=", "s3cret-crumb"
COOKIE = f"theme=dark; session={CRUMB}"


def answer(status: int, phrase: bytes, *headers: bytes) -> Answer:
    """Return a response with any bytes in its status line and headers."""
    lines = [b"HTTP/1.1 %d %b" % (status, phrase), *headers, b"Content-Length: 0", b"", b""]
    return Answer(raw=b"\r\n".join(lines))


def check_clean(*texts: str) -> None:
    """Check that texts for the screen hold only visible letters and line breaks."""
    for text in texts:
        assert INVISIBLE.findall(text.replace("\n", "")) == [], text


def check_run(finished: Finished, *words: str) -> None:
    """Check that both outputs of a run are clean, and hold certain words."""
    check_clean(finished.out, finished.err)
    for word in words:
        assert word in finished.out + finished.err


@pytest.fixture
def named(project: Project, web: Web) -> Project:
    """Make a project with a hostile category name, label, own file and answers."""
    project.always = ALONE
    project.category(RED, f"{HOSTILE} thing\r\nError: forged")
    project.annotate(f"{RED}_1", (1, 1, 9, 9), name=HOSTILE.translate(dict.fromkeys(range(32))))
    project.url(f"{RED}_1", web.url("/1"))
    project.url(f"{RED}_2", web.url(f"/{BIDI}"))
    web.answer("/1", Answer.jpeg(pictures.jpeg()))
    web.otherwise(answer(418, PHRASE))
    return project


def test_for_screen() -> None:
    """Line breaks and letters of all languages are kept; each invisible letter is a question mark."""
    assert for_screen(f"Möwe\n狼 {COLOUR}{C1}\t{BIDI}\u2028") == "Möwe\n狼 ?[31m?31m?????"


def test_text_leaves_in_one_place() -> None:
    """Only the console, `warn`, `--help_all` and the entry point, which loads no module of ours, print."""
    printing = set()
    for path in (ROOT / "utils").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                *("print", "tqdm.write", "sys.stdout.write", "sys.stderr.write", "warnings.warn"),
            }:
                printing.add(path.relative_to(ROOT / "utils").as_posix())
    assert printing == {"cli/arguments.py", "cli/console.py", "cli/messages.py", "entrypoint.py"}


def test_phrases_of_servers(project: Project, web: Web, tmp_path: Path) -> None:
    """Reason phrases of all kinds of servers are shown without control characters."""
    web.otherwise(answer(418, PHRASE))
    (tmp_path / "good.txt").write_bytes(b"n00000001_1\thttp://a.example/1.jpg\n")
    sources = ("--urls_source", web.url("/list"), "--urls_source", str(tmp_path / "good.txt"))
    check_run(prepare(tmp_path / "home", "--only", "urls", *sources), "it answers 418 ?]52;c;")
    boxes = ("--only", "annotations", "--annotations_source", web.url("/boxes"))
    check_run(prepare(tmp_path / "home", *boxes), "it answers 418 ?]52;c;")
    project.category(RED, "red")
    check_run(Archive(project, web).run(), "red")


def test_members_of_archives(web: Web, tmp_path: Path) -> None:
    """Names of members and unusable archives are shown without control characters."""
    name = f"bboxes_annotations/{HOSTILE}\n.tar.gz"
    web.otherwise(resumable(tarred({name: b"", "bboxes_annotations/n00000001.tar.gz": HOSTILE.encode()})))
    check_run(prepare(tmp_path, "--only", "annotations", "--annotations_source", web.url(f"/{COLOUR}")))
    packed = tmp_path / f"{HOSTILE}.zip"
    packed.write_bytes(zipped(**{f"{HOSTILE}__txt": b"n00000001_1\t" + HOSTILE.encode() + b"\n"}))
    check_run(prepare(tmp_path, "--only", "urls", "--urls_source", str(packed)))


def test_names_and_labels(named: Project) -> None:
    """Names, labels, file names and URLs are shown and listed without control characters."""
    images = (
        named.result / f"x]52;c;cm0gLXJmIH4=]0;owned[31m31m{BIDI}{ZERO_WIDTH}y_thing_Error_forged" / "Images"
    )
    check_run(named.run("--dry_run"), "Error")
    images.mkdir(parents=True)
    (images / f"no\nimage{COLOUR}.png").write_bytes(b"no image")
    check_run(
        named.run("--export", "imagefolder", "yolo", "--other_classes", "True"),
        "1 saved",
        "no?image?[31m.png",
    )
    check_run(named.run("--verify"))
    for flags in (
        ("--find", "thing"),
        ("--find", "thing", "--mark"),
        ("--find", HOSTILE),
        ("--categories", HOSTILE),
    ):
        check_run(named.run(*flags))


def test_list_as_csv(named: Project) -> None:
    """The CSV of `--find` has no control characters and no formulas."""
    named.category("n00000002", "=1+1 thing")
    named.category("n00000003", "a;@b thing")
    finished = named.run("--find", "thing", "--all_matches", "True", "--format", "csv")
    check_run(finished)
    names = {row["code"]: row["name"] for row in csv.DictReader(io.StringIO(finished.out))}
    assert names["n00000002"] == "'=1+1 thing"
    assert names["n00000003"] == "a%3B@b thing"
    assert names[RED].startswith("x%1B]52;c;")


def test_terminal(named: Project) -> None:
    """On a terminal only the progress bar moves the cursor."""
    named.write()
    command = [sys.executable, str(SCRIPT), *named.arguments("--batch_size", "2")]
    _, written = run_on_terminal(command, columns=100, environment=named.variables())
    for control in ("\x1b[K", "\x1b[A", "\r"):
        written = written.replace(control, "")
    check_clean(written)


@pytest.mark.parametrize(
    "flags", [("--source", HOSTILE), (HOSTILE,), ("--how_many", HOSTILE), (f"--{HOSTILE}",)]
)
def test_errors_of_the_command_line(project: Project, flags: tuple[str, ...]) -> None:
    """Messages on wrong flags are clean."""
    finished = project.run(*flags)
    assert finished.code == 2
    check_run(finished)


def test_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings of modules that log are clean."""
    Console()
    logging.getLogger("utils.anything").warning("about %s", HOSTILE)
    captured = capsys.readouterr().err
    assert captured.startswith("about x?]52;")
    check_clean(captured)


@pytest.mark.parametrize(
    "reply",
    [
        answer(418, f"{TOKEN} {COOKIE}".encode()),
        answer(418, b"S3CRET-token/+= s3cret-CRUMB"),
        answer(403, b"s3cret-token%2F%2B%3D"),
        answer(302, b"Found", f"Location: http://[{TOKEN}/".encode()),
        answer(302, b"Found", f"Location: s3cret-crumb://{TOKEN}".encode()),
        answer(302, b"Found", f"Location: http://{CRUMB}.invalid/{TOKEN}".encode()),
    ],
)
def test_credentials_are_never_shown(project: Project, web: Web, tmp_path: Path, reply: Answer) -> None:
    """Not even if a server sends them back, as they are, percent-encoded or in other capitals."""
    project.category(RED, "red")
    project.environment = {TOKEN_VARIABLE: TOKEN, COOKIE_VARIABLE: COOKIE}
    web.otherwise(reply)
    finished = Archive(project, web).run(*ALONE)
    assert web.requests
    assert finished.code == 1
    assert "s3cret" not in (finished.out + finished.err).lower()
    for path in project.result.rglob("*"):
        assert path.is_dir() or b"s3cret" not in path.read_bytes().lower(), path
