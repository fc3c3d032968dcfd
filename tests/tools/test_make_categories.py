"""Tests of `tools/make_categories.py`."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.catalog import categories

WORDNET = Path("/usr/share/wordnet/data.noun")

NOUNS = """\
  1 This software and database is being provided to you, the LICENSEE, by
  2 Princeton University under the following license.
00000010 03 n 01 entity 0 001 ~ 00000020 n 0000 | that which is
00000020 03 n 02 living_thing 0 animate_thing 0 001 @ 00000010 n 0000 | alive; "@ 00000010 n 0000"
00000030 05 n 01 fox 0 003 @ 00000020 n 0000 + 01460029 v 0102 ~ 00000040 n 0000 | alert mammal
00000040 05 n 02 kit_fox 0 Vulpes_macrotis 0 002 @ 00000030 n 0000 @ 00000020 n 0000 | small
00000050 06 n 0a a 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 j 0 001 @i 00000040 n 0000 | ten words
00000060 28 n 01 "fox" 0 001 ~ 00000030 n 0000 | quoted, without a hypernym
00000070 03 n 02 beast 0 animal 0 001 @ 00000020 n 0000 | most general
"""


def run_script(
    folder: Path, wnids: list[str], wordnet: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder on a list of wnids."""
    (folder / "wnids.txt").write_text("\n".join(wnids) + "\n")
    script = [sys.executable, str(ROOT / "tools" / "make_categories.py"), "--wordnet", str(wordnet)]
    places = ["--categories_out", "categories.csv.gz", "--ncodes_out", "ncodes.csv", "--wnids", "wnids.txt"]
    return subprocess.run(
        [*script, *places, *options], cwd=folder, capture_output=True, text=True, check=False
    )


def make_tables(folder: Path, wnids: list[str]) -> Path:
    """Create both tables from the small WordNet; the first wnid is given by --annotated."""
    (folder / "data.noun").write_text(NOUNS)
    (folder / "annotated.txt").write_text(f"{wnids[0]}\n")
    run = run_script(folder, wnids[1:], Path("data.noun"), "--annotated", "annotated.txt")
    assert run.returncode == 0, run.stderr
    return folder


def read_shipped_table(folder: Path) -> list[list[str]]:
    """Read the compressed table."""
    text = gzip.decompress((folder / "categories.csv.gz").read_bytes()).decode()
    return list(csv.reader(io.StringIO(text)))


def test_names_parents_and_lexnames(tmp_path: Path) -> None:
    """Words are joined by ", "; hypernyms that are not categories are replaced by their ancestors."""
    make_tables(tmp_path, ["n00000050", "n00000020", "n00000040", "n00000060"])
    assert read_shipped_table(tmp_path) == [
        ["code", "name", "parents", "lexname"],
        ["n00000020", "living thing, animate thing", "", "Tops"],
        ["n00000040", "kit fox, Vulpes macrotis", "n00000020", "animal"],
        ["n00000050", "a, b, c, d, e, f, g, h, i, j", "n00000040", "artifact"],
        ["n00000060", '"fox"', "", "time"],
    ]


def test_most_general_synset_of_a_lexicographer_file(tmp_path: Path) -> None:
    """A synset of noun.Tops whose words name a file belongs to that file."""
    make_tables(tmp_path, ["n00000070", "n00000020"])
    assert [row[3] for row in read_shipped_table(tmp_path)[1:]] == ["Tops", "animal"]


def test_several_parents(tmp_path: Path) -> None:
    """A synset with two hypernyms has two parents, in the order of WordNet."""
    make_tables(tmp_path, ["n00000020", "n00000030", "n00000040"])
    row = ["n00000040", "kit fox, Vulpes macrotis", "n00000030 n00000020", "animal"]
    assert read_shipped_table(tmp_path)[3] == row


def test_ncodes(tmp_path: Path) -> None:
    """`ncodes.csv` has four columns, is sorted by code and marks nothing."""
    make_tables(tmp_path, ["n00000060", "n00000040"])
    assert (tmp_path / "ncodes.csv").read_bytes() == (
        b"code,name,to_download,how_many\n"
        b'n00000040,"kit fox, Vulpes macrotis",False,-1\n'
        b'n00000060,"""fox""",False,-1\n'
    )


def test_output_is_reproducible(tmp_path: Path) -> None:
    """The output depends neither on the time nor on the order of the codes."""
    codes = ["n00000020", "n00000030", "n00000040"]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = make_tables(tmp_path / "one", codes), make_tables(tmp_path / "two", codes[::-1])
    assert (one / "categories.csv.gz").read_bytes() == (two / "categories.csv.gz").read_bytes()
    assert (one / "categories.csv.gz").read_bytes()[4:8] == bytes(4)  # the time stamp of gzip


@pytest.mark.parametrize(
    ("wnids", "wordnet", "words"),
    [(["n99999999"], "data.noun", "n99999999"), (["n00000020"], "elsewhere", "elsewhere")],
)
def test_invalid_sources(tmp_path: Path, wnids: list[str], wordnet: str, words: str) -> None:
    """A synset missing from WordNet or a missing file is reported; nothing is written."""
    (tmp_path / "data.noun").write_text(NOUNS)
    run = run_script(tmp_path, wnids, Path(wordnet), "--annotated", "wnids.txt")
    assert run.returncode == 2
    assert words in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "ncodes.csv").exists()


def test_shipped_tables_are_made_from_wordnet(tmp_path: Path) -> None:
    """The shipped tables equal the output of the script for WordNet 3.0."""
    if not WORDNET.exists():
        pytest.skip(f"{WORDNET} is not installed (Debian: wordnet-base)")
    run = run_script(tmp_path, [category.code for category in categories.load_synsets()], WORDNET)
    assert run.returncode == 0, run.stderr
    # Decompressed, because another zlib may compress the same data differently.
    packed = (ROOT / "utils" / "data" / "categories.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "categories.csv.gz").read_bytes()) == gzip.decompress(packed)
    assert (tmp_path / "ncodes.csv").read_bytes() == (ROOT / "ncodes.csv").read_bytes()


def test_default_codes(tmp_path: Path) -> None:
    """Without --wnids, the script uses the 21,841 synsets of timm and the four that only have boxes."""
    if not WORDNET.exists() or importlib.util.find_spec("timm") is None:
        pytest.skip("needs Debian's wordnet-base and the package timm")
    script = [sys.executable, str(ROOT / "tools" / "make_categories.py")]
    places = ["--categories_out", "categories.csv.gz", "--ncodes_out", "ncodes.csv"]
    subprocess.run([*script, *places], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "ncodes.csv").read_bytes() == (ROOT / "ncodes.csv").read_bytes()
