"""The dataset card: numbers, history, secrets, and Markdown that no name breaks."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.result_folder import ResultFolder
from utils.gallery import card, run_history
from utils.gallery.category_stats import CategoryStats, GalleryImage
from utils.models.http_defaults import USER_AGENT
from utils.models.images import Box
from utils.models.rows import Category, UrlRow
from utils.models.tasks import Outcome
from utils.reasons import Reason, Status
from utils.results.journal import Journal
from utils.results.statistics import Summary

RED = "n00000001"


@pytest.fixture
def made(tmp_path: Path) -> ResultFolder:
    """Make a result folder with one category."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    made.image(red, f"{RED}_1", Box("red", 0, 0, 31, 47), Box("blue", 10, 10, 10, 10))
    made.image(red, f"{RED}_2")
    made.fail(red, Reason.HTTP_STATUS, http_status=404, times=3)
    made.fail(red, Reason.PLACEHOLDER)
    return made


def test_classes(made: ResultFolder) -> None:
    """The card lists classes with their categories and numbers, and nothing without classes."""
    made.write()
    assert "Classes" not in made.card
    made.categories = (replace(made.categories[0], class_name="a *colour*"),)
    classes = {"blue": "a *colour*", "cup": "", "mug": "1"}
    for number, (folder, name) in enumerate(classes.items(), 2):
        code = f"n{number:08}"
        made.image(made.category(code, folder, class_name=name), f"{code}_1", Box(folder, 0, 0, 31, 47))
    made.write()
    rows = made.card.split("| class | categories | saved | with boxes | boxes |\n")[1].splitlines()[1:3]
    assert rows == ["| 1 | mug | 1 | 1 | 1 |", r"| a \*colour\* | blue; red | 3 | 2 | 3 |"]


def front_matter(text: str) -> dict[str, str | list[str]]:
    """Parse the YAML at the beginning: plain keys with plain values or lists of them."""
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
    """The front matter holds licence, tasks, tags and size category."""
    made.write()
    found = front_matter(made.card)
    assert found["license"] == "other"
    assert found["license_link"] == "https://image-net.org/download.php"
    assert found["task_categories"] == ["image-classification", "object-detection"]
    assert found["tags"] == ["imagenet", "bounding-boxes"]
    assert found["size_categories"] == ["n<1K"]


def test_counts_and_failures(made: ResultFolder) -> None:
    """The card counts images by category, and explains each reason of failure."""
    made.write()
    assert f"| red | {RED} | 6 | 2 | 1 | 2 | 4 |" in made.card
    assert "| http\\_404 | 3 | The server answered 404 Not Found. |" in made.card
    assert "| placeholder | 1 | A picture that stands for" in made.card
    assert (
        "2 images of 6 URLs tried or considered, 1 of them with bounding boxes (2 boxes), in 1 category."
        in made.card
    )
    text = " ".join(made.card.split())
    for needed in (
        "non-commercial research and education",
        "@inproceedings{deng2009imagenet",
        "`xmax - xmin + 1`",
    ):
        assert needed in text


def history(made: ResultFolder) -> list[str]:
    """Return the commands in the card, without dates."""
    block = made.card.split("## How it was made\n")[1].split("\n* Images come from")[0]
    lines = [line for line in block.splitlines() if line.startswith("    ")]
    return [re.sub(r"^ {4}(\d{4}-\d\d-\d\d \d\d:\d\d UTC  )?", "", line) for line in lines]


def test_history_lists_each_command_once(made: ResultFolder) -> None:
    """A command is quoted for a shell, with its number of runs and saved images; the latest comes last."""
    command = ("--categories", "Siberian husky", "it's|`a`  # saved nothing", "--how_many", "5")
    made.write(command=command)
    made.write(command=("--verify",))
    made.write(command=command)
    first, second = history(made)
    assert shlex.split(first, comments=True)[2:] == ["--verify"]
    assert shlex.split(second, comments=True)[2:] == list(command)
    assert first.endswith("  # saved nothing")
    assert second.endswith("  # 2 times, saved 2 images")


def test_version(made: ResultFolder) -> None:
    """The card, `pyproject.toml` and the User-Agent have the same version."""
    made.write()
    version = run_history.version()
    assert f"part-of-imagenet {version}, last on 2" in " ".join(made.card.split())
    assert f'version = "{version}"' in run_history.PYPROJECT.read_text(encoding="utf-8")
    assert f"/{version.rpartition('.')[0]} " in USER_AGENT


def test_history_drops_commands_that_saved_nothing_first(made: ResultFolder) -> None:
    """Of more than `MAX_COMMANDS` commands those that saved nothing are dropped first, and counted."""
    made.write(command=("--how_many", "1"))
    for number in range(run_history.MAX_COMMANDS + 2):
        made.write(command=("--seed", str(number)))
    lines = history(made)
    assert len(lines) == run_history.MAX_COMMANDS + 1
    assert lines[0].endswith("--how_many 1  # saved 2 images")
    assert lines[1].endswith("--seed 3  # saved nothing")
    assert lines[-1] == "# and 3 other runs"


def test_history_of_the_first_version_is_read_from_its_card(made: ResultFolder) -> None:
    """Without a state file the card's commands, counts and further runs are taken over, and kept."""
    made.write(command=("x",))
    lines = (
        "    2024-01-02 03:04 UTC  python extract_images_as_per_tags.py old",
        "    2024-01-02 03:05 UTC  python extract_images_as_per_tags.py 'a  b'  # 3 times, saved 1 image",
        "    # and 7 other runs",
    )
    text = re.sub(r"^    2.* x  # saved 2 images$", "\n".join(lines), made.card, flags=re.MULTILINE)
    (made.root / "dataset_card.md").write_text(text, encoding="utf-8")
    (made.root / ".gallery.jsonl").unlink()
    for _ in range(2):
        made.write(command=("new",))
    script = "python extract_images_as_per_tags.py"
    assert history(made) == [
        f"{script} old",
        f"{script} 'a  b'  # 3 times, saved 1 image",
        f"{script} new  # 2 times, saved nothing",
        "# and 7 other runs",
    ]
    for number in range(run_history.MAX_COMMANDS):
        made.write(command=(str(number),))
    assert history(made)[0] == f"{script} old", "an unknown number of images counts as none"


def test_saved_counts_only_images_of_this_run(made: ResultFolder) -> None:
    """Images of other runs, and of categories that the run did not download, do not count."""
    made.write(command=("first",))
    blue = made.category("n00000002", "blue")
    made.image(blue, "n00000002_1")
    Journal(made.root / "red" / ".journal.jsonl").begin_run()
    made.write(command=("second",), gallery=False)
    assert history(made)[-1].endswith("second  # saved 1 image")


def test_duplicates_are_counted(made: ResultFolder) -> None:
    """If images occur twice, the card gives the numbers without duplicates; equal boxes count once."""
    made.write()
    assert "more than once" not in made.card
    blue = made.category("n00000002", "blue")
    data = (made.root / "red" / "Images" / f"{RED}_1.jpg").read_bytes()
    made.image(blue, "n00000002_1", Box("red", 0, 0, 31, 47), Box("green", 1, 1, 9, 9), data=data)
    made.write()  # one category is read from its folder, the other from the state file
    assert "3 images of 7 URLs tried or considered, 2 of them with bounding boxes (4 boxes)" in made.card
    assert "by their bytes they are 2 images with 3 boxes." in made.card


def test_undecided_urls_are_counted(made: ResultFolder) -> None:
    """URLs that were neither saved nor failed are counted by status."""
    skipped = UrlRow(9_000, f"{RED}_9", "http://a.example/9.jpg")
    later = UrlRow(9_001, f"{RED}_10", "http://a.example/10.jpg")
    journal = Journal(made.root / "red" / ".journal.jsonl")
    made.write()
    assert "Neither saved" not in made.card
    journal.append(Outcome(skipped, Status.SKIPPED, Reason.FILLED, "Enough."))
    journal.append(Outcome(later, Status.NOT_ATTEMPTED, Reason.INTERRUPTED, "Stopped."))
    made.write()
    assert "Neither saved nor failed: 1 not needed (enough" in made.card
    assert "; 1 not attempted (the run ended before)." in made.card


def test_command_line_with_many_values() -> None:
    """Of thousands of files that a pattern stands for, the first are shown."""
    shards = [f"{number}.tar" for number in range(4096)]
    line = run_history.command_line(["--copy", *shards, "--how_many", "3"])
    assert line.endswith(" 19.tar ... --how_many 3")
    assert run_history.command_line(["--copy", *shards[:20]]).endswith(" 19.tar")


def test_command_line_is_one_line() -> None:
    """Line breaks and bytes that are no UTF-8 are escaped so that a shell reads them back."""
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
def test_no_secrets(made: ResultFolder, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in URLs and in the environment appear in none of the files."""
    monkeypatch.setenv("PART_OF_IMAGENET_TOKEN", SECRET)
    monkeypatch.setenv("PART_OF_IMAGENET_COOKIE", f"a={SECRET}")
    address = f"https://me:{SECRET}@host.example/{{code}}.tar?token={SECRET}"
    made.write(command=arguments, source=("urls", "archive"), archive_url=address)
    state = (made.root / ".gallery.jsonl").read_text(encoding="utf-8")
    assert SECRET not in made.card + made.page + state
    assert "--archive_url" in made.card or "--categories" in made.card


def cells(line: str) -> list[str]:
    """Split a row of a Markdown table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_names_are_escaped(made: ResultFolder) -> None:
    """A name with Markdown markup is shown as it is, in one cell."""
    name = "a|b`c`*d*_e_<b>[x](y)\\~~&amp;\nf#"
    text = card.table(("name", "n"), [(name, 1)])
    header, rule, row = text.splitlines()
    assert len(cells(row)) == len(cells(header)) == 2
    assert re.sub(r"\\(.)", r"\1", cells(row)[0]) == name.replace("\n", " ")
    assert rule == "| --- | ---: |"
    category = made.category("n00000002", name.replace("\n", " ").replace("/", ""))
    made.image(category, "n00000002_1")
    made.write()
    rows = [line for line in made.card.splitlines() if line.startswith("| a")]
    assert [len(cells(row)) for row in rows] == [7, 7]
    assert not re.search(r"(?<!\\)<b>", made.card)


def test_code_for_the_raw_folder_works(made: ResultFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card's code for the result folder yields images, labels and boxes."""
    made.write()
    code = made.card.split("```python\n")[1].split("\n```")[0]
    assert code == card.RAW_SNIPPET
    monkeypatch.chdir(made.root.parent)
    seen: list[object] = []
    exec(f"{code}\n    seen.append((image.size, label, boxes))", {"seen": seen})  # in the body of the loop
    assert seen == [
        ((64, 48), "red", [("red", [0, 0, 31, 47]), ("blue", [10, 10, 10, 10])]),
        ((64, 48), "red", []),
    ]


def test_nothing_saved_yet(made: ResultFolder) -> None:
    """A result folder without categories has a card, too."""
    shutil.rmtree(made.root / "red")
    assert made.write().unwritten == []
    assert "Nothing failed." in made.card
    assert "# A part of ImageNet: nothing yet" in made.card


def test_origins() -> None:
    """The card says how many images came from URLs, from ImageNet's tars and from copies."""
    urls = ["http://host.example/a.jpg"] * 2 + ["https://image-net.org/n00000001.tar#n00000001_2.JPEG"]
    urls += ["/data/imagenet#train/n00000001/n00000001_3.JPEG", ""]
    images = [
        GalleryImage("x.jpg", 60, 40, 1000, url, [], f"{number:064x}") for number, url in enumerate(urls)
    ]
    stats = CategoryStats.of(
        Category("n00000001", "red", "red"), Summary("red"), images=images, labels=["red"]
    )
    assert card._origins(stats) == (
        "their URLs (2), ImageNet's tars of whole categories (1), copies of ImageNet on disk (1)"
    )
    assert stats.own == 1
