"""However a table was saved, and whatever is marked: every other byte stays, and the marks read back.

Tables are drawn as cells between the bytes around them, so that what must come out can be put together
without knowing how `utils` finds a cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from tests.test_fuzz import ENCODINGS, FUZZ, NCODES_HEADER, NCODES_PIECES, value_or_sentence
from utils.catalog import categories
from utils.catalog.categories import Mark
from utils.catalog.marking import Marked, mark, unmark

CODES = [f"n0000000{number}" for number in range(6)]
MARKS = {
    **dict.fromkeys(["True", "TRUE", "true", "x", "Yes", "1", "WAHR", "vrai"], True),
    **dict.fromkeys(["False", "FALSE", "0", "no", "N", "falsch", "", ""], False),
}
NUMBERS = {"-1": -1, "-1.0": -1, "": -1, "0": 0, "+0": 0, "200": 200, "200.0": 200, "0200": 200, "7": 7}
AROUND = [
    "{}",
    "{}",
    " {}",
    "{}  ",
    '"{}"',
    ' "{}"  ',
    '" {}\t"',
    '"\r\n{}\n"',
    "\u00a0{}\u00a0",
    " \x0b{}\x0c",
]
# An empty cell gets its value behind its blanks: there are none behind it in these.
AROUND_NOTHING = ["{}", "{}", "  {}", '"{}"', '" {}"', '"\n{}" ', "\u00a0{}"]
HEADERS = {
    "code": ["code", "CODE", ' "Code" '],
    "name": ["name", '"name"'],
    "to_download": ["to_download", "To Download", '" TO_DOWNLOAD"'],
    "how_many": ["how_many", " how  many "],
    "note": ["note", "", '"my ""own"" note"'],
    "2": ["2", "Unnamed: 0"],
}
PLAIN_NAMES = ["crane", 'a "crane" 5"', "", " ", "Kranich f\u00fcr \u72ac", "-1", "False"]


@dataclass(frozen=True)
class Cell:
    """A value, and what stands around it."""

    around: str
    value: str

    def __str__(self) -> str:
        return self.around.format(self.value)


@dataclass(frozen=True)
class Row:
    """The cells by column in the table's order, not all of which need be there; and what follows them."""

    cells: dict[str, Cell]
    surplus: list[str]
    end: str

    @property
    def mark(self) -> Mark:
        """What it asks for."""
        word, number = (self.cells.get(name, Cell("{}", "")) for name in ("to_download", "how_many"))
        return Mark(MARKS[word.value], NUMBERS[number.value])

    def marked(self, wanted: Mark, order: list[str]) -> Row:
        """Put other values into the cells that say something else."""
        cells = dict(self.cells)
        for column, is_so, value in (
            ("to_download", self.mark.selected == wanted.selected, str(wanted.selected)),
            ("how_many", self.mark.how_many == wanted.how_many, str(wanted.how_many)),
        ):
            if not is_so:
                for missing in order[len(cells) : order.index(column) + 1]:
                    cells[missing] = Cell("{}", "")
                cells[column] = replace(cells[column], value=value)
        return replace(self, cells=cells)


@dataclass(frozen=True)
class Table:
    """A file: `above` stands before the header, then between header or row and the next one."""

    order: list[str]
    header: list[str]
    rows: dict[str, Row]
    above: list[str]
    separator: str
    encoding: str

    def marked(self, wanted: Mapping[str, Mark]) -> Table:
        """Let every row say what is wanted."""
        rows = {code: row.marked(wanted[code], self.order) for code, row in self.rows.items()}
        return replace(self, rows=rows)

    def data(self) -> bytes:
        """Spell it."""
        text = self.above[0] + self.separator.join(self.header)
        for row, above in zip(self.rows.values(), self.above[1:], strict=True):
            text += above + self.separator.join([*map(str, row.cells.values()), *row.surplus]) + row.end
        bom = "\ufeff" if self.encoding == "utf-16-be" else ""
        return (bom + text).encode(self.encoding, "replace")


def cells(values: Mapping[str, object]) -> st.SearchStrategy[Cell]:
    """Draw a value and what stands around it."""
    return st.sampled_from(list(values)).flatmap(
        lambda value: st.builds(Cell, st.sampled_from(AROUND if value else AROUND_NOTHING), st.just(value))
    )


QUOTED = st.text(max_size=9).map(lambda text: '"' + text.replace("\0", "").replace('"', '""') + '"')
NAMES = st.builds(Cell, st.just("{}"), st.sampled_from(PLAIN_NAMES) | QUOTED)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def rows(draw: st.DrawFn, code: str, order: list[str], end: str, canonical: bool) -> Row:
    """Draw a row, perhaps one that ends before its last column, or goes on behind it."""
    drawn = {
        "code": Cell(draw(st.sampled_from(AROUND)), code),
        "to_download": draw(cells({"False": 0} if canonical else MARKS)),
        "how_many": draw(cells({"-1": 0} if canonical else NUMBERS)),
    }
    in_order = {column: drawn.get(column) or draw(NAMES) for column in order}
    if canonical or draw(st.booleans()):
        return Row(in_order, draw(st.lists(st.sampled_from(["", " ", '""']), max_size=2)), end)
    width = draw(st.integers(order.index("code") + 1, len(order)))
    return Row({column: in_order[column] for column in order[:width]}, [], end)


@st.composite
def tables(draw: st.DrawFn, canonical: bool = False) -> Table:
    """Draw a table in some program's manner, or in that of several."""
    order = draw(st.permutations(list(HEADERS)))
    separator, encoding = draw(st.sampled_from(",;\t")), draw(ENCODINGS.filter(lambda name: name != "utf-32"))
    end = draw(LINE_ENDS)
    codes = draw(st.permutations(CODES))[: draw(st.integers(1, len(CODES)))]
    drawn = {
        code: draw(rows(code, order, draw(LINE_ENDS) if draw(st.booleans()) else end, canonical))
        for code in codes
    }
    if draw(st.booleans()):
        drawn[codes[-1]] = replace(drawn[codes[-1]], end="")
    blank = st.sampled_from(["", "", "", end, f" {end}", separator * 3 + end, f'"" {end}'])
    above = [draw(blank) for _ in codes]
    header = [draw(st.sampled_from(HEADERS[column])) for column in order]
    return Table(order, header, drawn, [draw(blank), end + above[0], *above[1:]], separator, encoding)


def state(path: Path) -> dict[str, Mark]:
    """Read what a table asks for."""
    return {one.code: Mark(one.selected, one.how_many) for one in categories.read(path)}


def fresh(folder: Path, data: bytes) -> Path:
    """Put a table into a folder where there is nothing else."""
    for path in folder.iterdir():
        path.unlink()
    (folder / "ncodes.csv").write_bytes(data)
    return folder / "ncodes.csv"


@FUZZ
@given(tables(), st.sets(st.sampled_from(CODES)), st.sampled_from([None, -1, 0, 200]), st.booleans())
def test_only_what_must_change_changes(
    tmp_path: Path, table: Table, asked: set[str], how_many: int | None, is_mark: bool
) -> None:
    """Every byte but the values that say something else stays; the rest is read as before."""
    asked &= set(table.rows)
    path = fresh(tmp_path, table.data())
    before = {code: row.mark for code, row in table.rows.items()}
    assert state(path) == before
    number = how_many if is_mark else -1
    after = before | {
        code: Mark(is_mark, before[code].how_many if number is None else number) for code in asked
    }
    marked = mark(path, asked, how_many=how_many) if is_mark else unmark(path, asked)
    changed = [code for code in asked if after[code] != before[code]]
    backup = tmp_path / "ncodes.csv.bak"
    assert marked == Marked(len(changed), len(asked) - len(changed), backup if changed else None)
    assert path.read_bytes() == table.marked(after).data()
    assert state(path) == after
    assert [path.read_bytes() for path in tmp_path.glob("*.bak")] == ([table.data()] if changed else [])


@FUZZ
@given(tables(canonical=True), st.sampled_from([None, -1, 0, 200]))
def test_unmarked_again_is_as_before(tmp_path: Path, table: Table, how_many: int | None) -> None:
    """Rows that say False and -1 come back to the very bytes."""
    path = fresh(tmp_path, table.data())
    assert mark(path, list(table.rows), how_many=how_many).changed == len(table.rows)
    assert path.read_bytes() != table.data()
    assert unmark(path, list(table.rows)).changed == len(table.rows)
    assert path.read_bytes() == table.data()


@FUZZ
@given(NCODES_PIECES)
@example(b'n00000001,"a" "b,"Tr"ue,"-"1\rn00000002\n')
def test_whatever_can_be_read_can_be_marked(tmp_path: Path, data: bytes) -> None:
    """Any bytes that are a table take marks, and keep their codes, names and lines."""
    path = fresh(tmp_path, NCODES_HEADER + data)
    found = value_or_sentence(path, categories.read)
    if found:
        mark(path, [one.code for one in found], how_many=7)
        assert categories.read(path) == [replace(one, selected=True, how_many=7) for one in found]
        unmark(path, [one.code for one in found[1:]])
        assert categories.read(path)[1:] == [replace(one, selected=False, how_many=-1) for one in found[1:]]
