"""The dataset card: what it says, whom it keeps secrets from, and that nothing breaks its Markdown."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.result_folder import ResultFolder
from utils.gallery import asked, loading, markdown
from utils.gallery.meanings import MEANINGS, meaning
from utils.models import Box, Reason, Source

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
    assert f"| red | {RED} | 6 | 2 | 1 | 2 |" in made.card
    assert "| http\\_404 | 3 | The server said no: 404 Not Found. |" in made.card
    assert "| placeholder | 1 | A picture that says" in made.card
    assert "2 of 6 listed images, 1 of them with bounding boxes (2 boxes), in 1 category." in made.card
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


def test_what_was_asked(made: ResultFolder) -> None:
    """The command stands there as a shell would take it, with version and date; each one once."""
    command = ("--categories", "Siberian husky", "it's|`a`", "--how_many", "5")
    made.leave(command=command)
    made.leave(command=("--verify",))
    made.leave(command=command)
    lines = re.findall(r"^    \d{4}-\d\d-\d\d \d\d:\d\d UTC  (.*)$", made.card, re.MULTILINE)
    assert [shlex.split(line)[2:] for line in lines] == [["--verify"], list(command)]
    assert re.search(r"By part-of-imagenet \d+\.\d+\.\d+, last on \d{4}-", made.card)
    assert asked.version() in (asked.PYPROJECT).read_text(encoding="utf-8")


def test_a_line_break_makes_no_second_line() -> None:
    """Whatever is in an argument, the command stays one line that a shell reads back."""
    line = asked.command_line(["--save_dir", "a\nb'c\\é", "\udce9"])
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
    made.leave(command=arguments, source=Source.BOTH, archive_url=address)
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
    assert [len(cells(row)) for row in rows] == [6, 6]
    assert not re.search(r"(?<!\\)<b>", made.card)


def test_the_raw_folder_is_loaded_as_said(made: ResultFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines for the folder as it is run, and give images, labels and boxes."""
    made.leave()
    lines = made.card.split("```python\n")[1].split("\n```")[0]
    assert lines == loading.RAW
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
