"""Property tests of `utils.catalog.marking`: marks read back, and all other bytes are kept.

Tables are drawn as values with the text around them, so that the expected bytes can be composed independently
of the code that locates cells.
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
from utils.catalog.marking import MarkResult, mark, unmark

CODES = [f"n0000000{number}" for number in range(6)]
MARKS = {
    **dict.fromkeys(["True", "TRUE", "true", "x", "Yes", "1", "WAHR", "vrai", "1.0"], True),
    **dict.fromkeys(["False", "FALSE", "0", "no", "N", "falsch", "0.0", "", ""], False),
}
NUMBERS = {"-1": -1, "-1.0": -1, "": -1, "0": 0, "+0": 0, "200": 200, "200.0": 200, "0200": 200, "30.00": 30}
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
CLASSES = dict.fromkeys(["", "", "cat", "wild dog", "\u00e9"])
# Empty cells: the new value is placed after the blanks, so none of these has blanks at its end.
AROUND_NOTHING = ["{}", "{}", "  {}", '"{}"', '" {}"', '"\n{}" ', "\u00a0{}"]
HEADERS = {
    "code": ["code", "CODE", ' "Code" '],
    "name": ["name", '"name"'],
    "to_download": ["to_download", "To Download", '" TO_DOWNLOAD"'],
    "how_many": ["how_many", " how  many "],
    "class": ["class", '"CLASS"'],
    "note": ["note", "", '"my ""own"" note"'],
    "2": ["2", "Unnamed: 0"],
}
PLAIN_NAMES = ["crane", 'a "crane" 5"', "", " ", "Kranich f\u00fcr \u72ac", "-1", "False"]


@dataclass(frozen=True)
class Cell:
    """A value and the text around it."""

    around: str
    value: str

    def __str__(self) -> str:
        return self.around.format(self.value)


@dataclass(frozen=True)
class Row:
    """The cells by column in the order of the table, perhaps too few; then surplus cells and the line end."""

    cells: dict[str, Cell]
    surplus: list[str]
    end: str

    @property
    def mark(self) -> Mark:
        """The mark that the row expresses."""
        columns = ("to_download", "how_many", "class")
        word, number, name = (self.cells.get(column, Cell("{}", "")).value for column in columns)
        return Mark(MARKS[word], NUMBERS[number], name)

    def with_class_column(self, order: list[str]) -> Row:
        """Return the row with one more cell, which belongs to the next column of `order` that it lacks."""
        new = '""' if str(self.cells["code"]).lstrip(" ").startswith('"') else ""
        first, *others = [*self.surplus, new]
        column = order[len(self.cells)] if len(self.cells) < len(order) else "class"
        around = '"{}"' if first == '""' else f"{first}{{}}"
        return replace(self, cells={**self.cells, column: Cell(around, "")}, surplus=others)

    def marked(self, wanted: Mark, order: list[str]) -> Row:
        """Return the row with another mark; cells that express it already are kept."""
        cells = dict(self.cells)
        for column, is_so, value in (
            ("to_download", self.mark.selected == wanted.selected, str(wanted.selected)),
            ("how_many", self.mark.how_many == wanted.how_many, str(wanted.how_many)),
            ("class", self.mark.class_name == wanted.class_name, wanted.class_name),
        ):
            if not is_so:
                for missing in order[len(cells) : order.index(column) + 1]:
                    cells[missing] = Cell("{}", "")
                cells[column] = replace(cells[column], value=value)
        return replace(self, cells=cells)


@dataclass(frozen=True)
class Table:
    """A file; `above` is the text before the header and before each row."""

    order: list[str]
    header: list[str]
    rows: dict[str, Row]
    above: list[str]
    separator: str
    encoding: str

    def marked(self, wanted: Mapping[str, Mark]) -> Table:
        """Return the table with other marks; the column `class` is added if it is needed."""
        if "class" not in self.order and any(mark.class_name for mark in wanted.values()):
            rows = {code: row.with_class_column(self.order) for code, row in self.rows.items()}
            is_quoted = '"' in self.header[self.order.index("code")]
            header = [*self.header, '"class"' if is_quoted else "class"]
            return replace(self, order=[*self.order, "class"], header=header, rows=rows).marked(wanted)
        rows = {code: row.marked(wanted[code], self.order) for code, row in self.rows.items()}
        return replace(self, rows=rows)

    def data(self) -> bytes:
        """Return the bytes of the file."""
        text = self.above[0] + self.separator.join(self.header)
        for row, above in zip(self.rows.values(), self.above[1:], strict=True):
            text += above + self.separator.join([*map(str, row.cells.values()), *row.surplus]) + row.end
        bom = "\ufeff" if self.encoding == "utf-16-be" else ""
        return (bom + text).encode(self.encoding, "replace")


def cells(values: Mapping[str, object]) -> st.SearchStrategy[Cell]:
    """Draw a value and the text around it."""
    return st.sampled_from(list(values)).flatmap(
        lambda value: st.builds(Cell, st.sampled_from(AROUND if value else AROUND_NOTHING), st.just(value))
    )


QUOTED = st.text(max_size=9).map(lambda text: '"' + text.replace("\0", "").replace('"', '""') + '"')
NAMES = st.builds(Cell, st.just("{}"), st.sampled_from(PLAIN_NAMES) | QUOTED)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def rows(draw: st.DrawFn, code: str, order: list[str], end: str, canonical: bool) -> Row:
    """Draw a row, perhaps a short one or one with surplus empty cells."""
    drawn = {
        "code": Cell(draw(st.sampled_from(AROUND)), code),
        "to_download": draw(cells({"False": 0} if canonical else MARKS)),
        "how_many": draw(cells({"-1": 0} if canonical else NUMBERS)),
        "class": draw(cells(CLASSES)),
    }
    in_order = {column: drawn.get(column) or draw(NAMES) for column in order}
    if canonical or draw(st.booleans()):
        return Row(in_order, draw(st.lists(st.sampled_from(["", " ", '""']), max_size=2)), end)
    width = draw(st.integers(order.index("code") + 1, len(order)))
    return Row({column: in_order[column] for column in order[:width]}, [], end)


@st.composite
def tables(draw: st.DrawFn, canonical: bool = False) -> Table:
    """Draw a table in the format of one or several programs."""
    columns = [column for column in HEADERS if column != "class" or draw(st.booleans())]
    order = draw(st.permutations(columns))
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
    first = draw(blank) + draw(st.sampled_from(["", "", f"sep={separator}{end}"]))
    return Table(order, header, drawn, [first, end + above[0], *above[1:]], separator, encoding)


def read_marks(path: Path) -> dict[str, Mark]:
    """Read the marks of a table."""
    return {one.code: Mark(one.selected, one.how_many, one.class_name) for one in categories.read(path)}


def fresh(folder: Path, data: bytes) -> Path:
    """Write a table to an empty folder."""
    for path in folder.iterdir():
        path.unlink()
    (folder / "ncodes.csv").write_bytes(data)
    return folder / "ncodes.csv"


@FUZZ
@given(
    tables(),
    st.sets(st.sampled_from(CODES)),
    st.sampled_from([None, -1, 0, 200]),
    st.sampled_from([None, "cat", "wild bird"]),
    st.booleans(),
)
def test_only_marks_change(
    tmp_path: Path,
    table: Table,
    asked: set[str],
    how_many: int | None,
    class_name: str | None,
    is_mark: bool,
) -> None:
    """All bytes but the values that differ are kept, and all rows read back."""
    asked &= set(table.rows)
    path = fresh(tmp_path, table.data())
    before = {code: row.mark for code, row in table.rows.items()}
    assert read_marks(path) == before
    number = how_many if is_mark else -1
    name = class_name if is_mark else None
    after = before | {
        code: Mark(
            is_mark,
            before[code].how_many if number is None else number,
            before[code].class_name if name is None else name,
        )
        for code in asked
    }
    marked = mark(path, asked, how_many=how_many, class_name=class_name) if is_mark else unmark(path, asked)
    changed = [code for code in asked if after[code] != before[code]]
    backup = tmp_path / "ncodes.csv.bak"
    assert marked == MarkResult(len(changed), len(asked) - len(changed), backup if changed else None)
    assert path.read_bytes() == table.marked(after).data()
    assert read_marks(path) == after
    assert [path.read_bytes() for path in tmp_path.glob("*.bak")] == ([table.data()] if changed else [])


@FUZZ
@given(tables(canonical=True), st.sampled_from([None, -1, 0, 200]))
def test_unmark_reverts_mark(tmp_path: Path, table: Table, how_many: int | None) -> None:
    """Rows with the values False and -1 get back their bytes."""
    path = fresh(tmp_path, table.data())
    assert mark(path, list(table.rows), how_many=how_many).changed == len(table.rows)
    assert path.read_bytes() != table.data()
    assert unmark(path, list(table.rows)).changed == len(table.rows)
    assert path.read_bytes() == table.data()


@FUZZ
@given(NCODES_PIECES)
@example(b'n00000001,"a" "b,"Tr"ue,"-"1\rn00000002\n')
def test_any_valid_table_can_be_marked(tmp_path: Path, data: bytes) -> None:
    """Any bytes that are a valid table can be marked; codes, names and lines are kept."""
    path = fresh(tmp_path, NCODES_HEADER + data)
    found = value_or_sentence(path, categories.read)
    if found:
        mark(path, [one.code for one in found], how_many=7)
        assert categories.read(path) == [replace(one, selected=True, how_many=7) for one in found]
        unmark(path, [one.code for one in found[1:]])
        assert categories.read(path)[1:] == [replace(one, selected=False, how_many=-1) for one in found[1:]]
