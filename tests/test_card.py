"""The dataset card: what it says, whom it keeps secrets from, and that nothing breaks its Markdown."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.result_folder import ResultFolder
from utils.gallery import markdown, run_history, snippets
from utils.gallery.meanings import MEANINGS, meaning
from utils.models.enums import Status
from utils.models.http_defaults import USER_AGENT
from utils.models.images import Box
from utils.models.rows import UrlRow
from utils.models.settings import ImageSource
from utils.models.tasks import Outcome
from utils.reasons import Reason
from utils.results.journal import Journal

RED = "n00000001"


@pytest.fixture
def made(tmp_path: Path) -> ResultFolder:
    """Give a result folder with one category."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    made.image(red, f"{RED}_1", Box("red", 0, 0, 31, 47), Box("blue", 10, 10, 10, 10))
    made.image(red, f"{RED}_2")
    made.fail(red, Reason.HTTP_STATUS, http_status=404, times=3)
    made.fail(red, Reason.PLACEHOLDER)
    return made


def front_matter(text: str) -> dict[str, str | list[str]]:
    """Read the YAML at the beginning: plain keys with plain values or lists of them, as it must be."""
    _, block, _ = text.split("---\n", 2)
    assert text.startswith("---\n")
    found: dict[str, str | list[str]] = {}
    key = ""
    for line in block.splitlines():
        if line.startswith("# "):
            continue
        if item := re.fullmatch(r"- ([\w<:/.-]+)", line):
            values = found[key]
            assert isinstance(values, list)
            values.append(item[1])
        else:
            match = re.fullmatch(r"(\w+):(?: ([\w<:/. -]+))?", line)
            assert match, line
            key, found[match[1]] = match[1], match[2] or []
    return found


def test_front_matter(made: ResultFolder) -> None:
    """A reader of dataset cards finds licence, tasks, tags and size."""
    made.leave()
    found = front_matter(made.card)
    assert found["license"] == "other"
    assert found["license_link"] == "https://image-net.org/download.php"
    assert found["task_categories"] == ["image-classification", "object-detection"]
    assert found["tags"] == ["imagenet", "bounding-boxes"]
    assert found["size_categories"] == ["n<1K"]


def test_what_is_there_and_what_failed(made: ResultFolder) -> None:
    """Counts by category, and every reason with what it means."""
    made.leave()
    assert f"| red | {RED} | 6 | 2 | 1 | 2 | 4 |" in made.card
    assert "| http\\_404 | 3 | The server said no: 404 Not Found. |" in made.card
    assert "| placeholder | 1 | A picture that says" in made.card
    assert (
        "2 images of 6 URLs tried or considered, 1 of them with bounding boxes (2 boxes), in 1 category."
        in made.card
    )
    for needed in (
        "non-commercial research and education",
        "@inproceedings{deng2009imagenet",
        "from 0, and `xmax`",
    ):
        assert needed in " ".join(made.card.split())


def test_every_reason_has_its_words() -> None:
    """No reason is without a meaning, whatever status a server makes up."""
    assert set(MEANINGS) == set(Reason)
    assert all(meaning(reason.word) == MEANINGS[reason] for reason in Reason)
    assert meaning("http_410") == "The server said no: 410 Gone."
    assert meaning("http_999") == "The server said no."


def asked_for(made: ResultFolder) -> list[str]:
    """Give what the card names of the runs, without dates."""
    block = made.card.split("it saved:\n\n")[1].split("\n\n")[0]
    return [re.sub(r"^ {4}(\d{4}-\d\d-\d\d \d\d:\d\d UTC  )?", "", line) for line in block.splitlines()]


def test_what_was_asked(made: ResultFolder) -> None:
    """The command stands there as a shell takes it, with version, date and images saved; each one once."""
    command = ("--categories", "Siberian husky", "it's|`a`  # saved nothing", "--how_many", "5")
    made.leave(command=command)
    made.leave(command=("--verify",))
    made.leave(command=command)
    first, second = asked_for(made)
    assert shlex.split(first, comments=True)[2:] == ["--verify"]
    assert shlex.split(second, comments=True)[2:] == list(command)
    assert first.endswith("  # saved nothing")
    assert second.endswith("  # 2 times, saved 2 images")
    assert re.search(r"By part-of-imagenet \d+\.\d+\.\d+, last on \d{4}-", made.card)
    assert run_history.version() in (run_history.PYPROJECT).read_text(encoding="utf-8")
    assert f"/{run_history.version().rpartition('.')[0]} " in USER_AGENT, "servers are told another version"


def test_what_saved_images_is_named_longest(made: ResultFolder) -> None:
    """Commands that saved nothing make room for those that made the folder; what is left out is counted."""
    made.leave(command=("--how_many", "1"))
    for number in range(run_history.MOST + 2):
        made.leave(command=("--seed", str(number)))
    lines = asked_for(made)
    assert len(lines) == run_history.MOST + 1
    assert lines[0].endswith("--how_many 1  # saved 2 images")
    assert lines[1].endswith("--seed 3  # saved nothing")
    assert lines[-1] == "# and 3 other runs"


def test_what_an_older_card_does_not_say_is_not_made_up(made: ResultFolder) -> None:
    """A command without a number of images stays without, and is not dropped before those that saved none."""
    made.leave(command=("old",))
    text = made.card.replace("  # saved 2 images", "")
    (made.root / "dataset_card.md").write_text(text, encoding="utf-8")
    made.leave(command=("new",))
    assert [line.split()[-1] for line in asked_for(made)] == ["old", "nothing"]
    for number in range(run_history.MOST):
        made.leave(command=(str(number),))
    assert asked_for(made)[0].endswith(" old")


def test_a_run_has_saved_what_it_has_downloaded(made: ResultFolder) -> None:
    """What lies in folders that it did not come to, or was there before, is no run's second success."""
    made.leave(command=("first",))
    blue = made.category("n00000002", "blue")
    made.image(blue, "n00000002_1")
    Journal(made.root / "red" / ".journal.jsonl").begin_run()
    made.leave(command=("second",), gallery=False)
    assert asked_for(made)[-1].endswith("second  # saved 1 image")


def test_what_is_there_twice_is_said(made: ResultFolder) -> None:
    """Images of the same bytes, and the boxes on them, are counted once, too; others with all they have."""
    made.leave()
    assert "more than once" not in made.card
    blue = made.category("n00000002", "blue")
    data = (made.root / "red" / "Images" / f"{RED}_1.jpg").read_bytes()
    made.image(blue, "n00000002_1", Box("red", 0, 0, 31, 47), Box("green", 1, 1, 9, 9), data=data)
    made.leave()  # one category is read, the other is taken from the page
    assert "3 images of 7 URLs tried or considered, 2 of them with bounding boxes (4 boxes)" in made.card
    assert "by their bytes they are 2 images with 3 boxes." in made.card


def test_what_was_not_needed_is_no_failure(made: ResultFolder) -> None:
    """URLs that are neither saved nor failed are named as the screen names them."""
    row = UrlRow(9_000, f"{RED}_9", "http://a.example/9.jpg")
    later = UrlRow(9_001, f"{RED}_10", "http://a.example/10.jpg")
    journal = Journal(made.root / "red" / ".journal.jsonl")
    assert "Neither saved" not in (made.leave() and made.card)
    journal.append(Outcome(row, Status.SKIPPED, Reason.FILLED, "Enough."))
    journal.append(Outcome(later, Status.NOT_ATTEMPTED, Reason.INTERRUPTED, "Stopped."))
    made.leave()
    assert "Neither saved nor failed: 1 not needed (as many" in made.card
    assert "; 1 not attempted (the run ended before)." in made.card


def test_a_line_break_makes_no_second_line() -> None:
    """Whatever is in an argument, the command stays one line that a shell reads back."""
    line = run_history.command_line(["--save_dir", "a\nb'c\\é", "\udce9"])
    assert "\n" not in line
    assert line.endswith(r"--save_dir $'a\nb\'c\\\xc3\xa9' $'\xe9'")


SECRET = "hunter2"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--archive_url", f"https://me:{SECRET}@host.example/{{code}}.tar"),
        (f"--archive_url=https://host.example/{{code}}.tar?token={SECRET}",),
        ("--categories", f"cup {SECRET}"),
    ],
)
def test_secrets_stay_out(
    made: ResultFolder, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither credentials in an address nor those of the environment stand in the card or the page."""
    monkeypatch.setenv("PART_OF_IMAGENET_TOKEN", SECRET)
    monkeypatch.setenv("PART_OF_IMAGENET_COOKIE", f"a={SECRET}")
    address = f"https://me:{SECRET}@host.example/{{code}}.tar?token={SECRET}"
    made.leave(command=arguments, source=ImageSource.BOTH, archive_url=address)
    assert SECRET not in made.card + made.page
    assert "--archive_url" in made.card or "--categories" in made.card
    assert "host.example/\\{code\\}.tar" in made.card


def cells(line: str) -> list[str]:
    """Split a row of a Markdown table as its readers do."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_no_name_breaks_the_card(made: ResultFolder) -> None:
    """A name with all that Markdown minds is one cell, read as it is."""
    name = "a|b`c`*d*_e_<b>[x](y)\\~~&amp;\nf#"
    text = markdown.table(("name", "n"), [(name, 1)])
    header, rule, row = text.splitlines()
    assert len(cells(row)) == len(cells(header)) == 2
    assert re.sub(r"\\(.)", r"\1", cells(row)[0]) == name.replace("\n", " ")
    assert rule == "| --- | ---: |"
    category = made.category("n00000002", name.replace("\n", " ").replace("/", ""))
    made.image(category, "n00000002_1")
    made.leave()
    rows = [line for line in made.card.splitlines() if line.startswith("| a")]
    assert [len(cells(row)) for row in rows] == [7, 7]
    assert not re.search(r"(?<!\\)<b>", made.card)


def test_the_raw_folder_is_loaded_as_said(made: ResultFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines for the folder as it is run, and give images, labels and boxes."""
    made.leave()
    lines = made.card.split("```python\n")[1].split("\n```")[0]
    assert lines == snippets.RAW
    monkeypatch.chdir(made.root.parent)
    seen: list[object] = []
    exec(f"{lines}\n    seen.append((image.size, label, boxes))", {"seen": seen})  # in the loop's body
    assert seen == [
        ((64, 48), "red", [("red", [0, 0, 31, 47]), ("blue", [10, 10, 10, 10])]),
        ((64, 48), "red", []),
    ]


def test_nothing_saved_yet(made: ResultFolder) -> None:
    """Without any category the card is a card."""
    shutil.rmtree(made.root / "red")
    assert made.leave().unwritten == []
    assert "Nothing failed." in made.card
    assert "# A part of ImageNet: nothing yet" in made.card
