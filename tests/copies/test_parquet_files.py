"""Images in parquet files are found by path and label, and read by row groups."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests.copies.lookalikes import (
    DOG,
    FISH,
    LABELS,
    SHARK,
    TRAINING,
    VALIDATION,
    VALIDATION_CODES,
    jpeg,
    parquet_rows,
    validation_rows,
    write_parquet,
)
from tests.copies.reading import images, listed, put, reader_of
from utils.copies import parquet_files
from utils.copies.parquet_files import ParquetImage, RowGroups
from utils.copies.registry import open_file
from utils.models.http_defaults import MAX_IMAGE_BYTES


def row(path: str | None, label: object = 0, data: bytes | None = b"x") -> dict[str, object]:
    """Return a row."""
    return {"image": {"bytes": data, "path": path}, "label": label}


def write(folder: Path, rows: list[dict[str, object]], **options: Any) -> Path:
    """Write a file."""
    path = folder / "x.parquet"
    write_parquet(path, rows, **options)
    return path


@pytest.fixture(autouse=True)
def _no_cache() -> None:
    """Forget row groups that other tests have read."""
    parquet_files._row_groups.cache_clear()


@pytest.mark.parametrize("row_group_size", [1, 2, 100])
def test_images(tmp_path: Path, row_group_size: int) -> None:
    """Images are read from row groups of any size."""
    expected = {image_code: data for of_code in TRAINING.values() for image_code, data in of_code.items()}
    assert images(write(tmp_path, parquet_rows(), row_group_size=row_group_size)) == expected
    (tmp_path / "val").mkdir()
    assert images(write(tmp_path / "val", validation_rows(), row_group_size=row_group_size)) == VALIDATION


@pytest.mark.parametrize(
    ("path", "label", "expected"),
    [
        (f"{FISH}_7_{FISH}.JPEG", 0, (FISH, f"{FISH}_7")),
        (f"{FISH}_7.JPEG", 151, (FISH, f"{FISH}_7")),
        (f"train/{FISH}/{FISH}_7.JPEG", None, (FISH, f"{FISH}_7")),
        (f"../../{FISH}_7.JPEG", None, (FISH, f"{FISH}_7")),
        (f"ILSVRC2012_val_00000007_{DOG}.JPEG", 0, (DOG, "ILSVRC2012_val_00000007")),
        ("ILSVRC2012_val_00000007.JPEG", 2, (SHARK, "ILSVRC2012_val_00000007")),
        ("ILSVRC2012_val_00000007.JPEG", None, None),
        ("ILSVRC2012_test_00000007.JPEG", -1, None),
        ("ILSVRC2012_val_00000007.JPEG", -1, None),
        ("ILSVRC2012_val_00000007.JPEG", 1000, None),
        ("0.JPEG", 0, None),
        ("", 0, None),
        (None, 0, None),
    ],
)
def test_categories(
    tmp_path: Path, path: str | None, label: int | None, expected: tuple[str, str] | None
) -> None:
    """The category is that in the path, else that of the label; others are counted, but not test images."""
    members, problems = listed(write(tmp_path, [row(f"{FISH}_1.JPEG"), row(path, label)]))
    assert [(one.code, one.image_code) for one in members[1:]] == ([expected] if expected else [])
    is_named = not expected and "_test_" not in str(path)
    assert [" 1 row " in one for one in problems] == [True] * is_named


@pytest.mark.parametrize(
    "columns",
    [
        {"image": [{"bytes": b"x", "path": f"{FISH}_1.JPEG"}]},
        {"image": [{"path": f"{FISH}_1.JPEG", "bytes": b"x", "other": 1}], "label": ["tench"], "x": [None]},
    ],
    ids=["no label", "label in words"],
)
def test_other_columns(tmp_path: Path, columns: dict[str, list[object]]) -> None:
    """Paths suffice, and other columns are not read."""
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    assert images(tmp_path / "x.parquet") == {f"{FISH}_1": b"x"}


@pytest.mark.parametrize(
    "columns", [{"image": [b"x"], "label": [0]}, {"x": [1]}, {"image": [{"bytes": b"x"}]}], ids=str
)
def test_other_tables(tmp_path: Path, columns: dict[str, list[object]]) -> None:
    """A table without images and their paths or labels is not recognised."""
    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    assert open_file(path, path.name) is None


def test_only_labels(tmp_path: Path) -> None:
    """Images without paths have no image codes: they are counted, as they cannot be used."""
    path = tmp_path / "x.parquet"
    table = pyarrow.table({"image": [{"bytes": b"x"}] * 3, "label": [0, 1, 2]})
    pyarrow.parquet.write_table(table, path)
    assert listed(path) == ([], ["x.parquet: left out: 3 rows without image code or category."])


def test_row_groups_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing reads no images, and reading a category only its row groups, each once in a process."""
    path = write(tmp_path, sorted(parquet_rows(), key=lambda one: str(one["image"])[-30:]), row_group_size=3)
    read: list[tuple[int, tuple[str, ...]]] = []
    original = pyarrow.parquet.ParquetFile.read_row_group

    def spy(file: Any, number: int, columns: list[str], **options: Any) -> Any:
        read.append((number, tuple(columns)))
        return original(file, number, columns=columns, **options)

    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "read_row_group", spy)
    members, _problems = listed(path)
    assert {columns for _, columns in read} == {(parquet_files.PATH, parquet_files.LABEL)}
    read.clear()
    reader = reader_of(path)
    chosen = [one for one in members if one.code == SHARK]
    groups = {one.place[0] for one in chosen}
    assert {one.image_code: reader.image(one).read() for one in chosen} == TRAINING[SHARK]
    assert sorted(read) == [(number, (parquet_files.BYTES,)) for number in sorted(groups)]


def test_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups that were read before are forgotten when they take too much memory."""
    monkeypatch.setattr(parquet_files, "MAX_CACHED_BYTES", 2500)
    path = write(
        tmp_path, [row(f"{FISH}_{number}.JPEG", data=bytes(1000)) for number in range(9)], row_group_size=1
    )
    groups = RowGroups()
    for number in range(9):
        groups.get(path, number)
    assert len(groups._columns) == 2


def test_one_worker_for_a_row_group(tmp_path: Path) -> None:
    """Images of a row group have the same group, those of others another one."""
    first, second = tmp_path / "1", tmp_path / "2"
    images_ = [
        ParquetImage(path, group, number) for path in (first, second) for group in (0, 1) for number in (0, 1)
    ]
    assert [one.group for one in images_] == [one.group for one in images_[::2] for _ in range(2)]
    assert len({one.group for one in images_}) == 4


@pytest.mark.parametrize("label", [0, -1])
def test_rows_without_image(tmp_path: Path, label: int) -> None:
    """A row without bytes cannot be read; the others can."""
    path = write(
        tmp_path,
        [row(f"{FISH}_1.JPEG", data=None), row(f"{FISH}_2.JPEG", label), row(f"{FISH}_3.JPEG", data=b"")],
    )
    first, second, third = listed(path)[0]
    reader = reader_of(path)
    with pytest.raises(EOFError, match="the row has no image"):
        reader.image(first).read()
    assert (reader.image(second).read(), reader.image(third).read()) == (b"x", b"")


def test_too_large(tmp_path: Path) -> None:
    """Of an image that is too large, the beginning is returned."""
    path = write(tmp_path, [row(f"{FISH}_1.JPEG", data=bytes(MAX_IMAGE_BYTES + 5000))])
    assert images(path) == {f"{FISH}_1": bytes(MAX_IMAGE_BYTES + 1)}


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_cut(tmp_path: Path, share: float) -> None:
    """A file without footer is refused."""
    whole = write(tmp_path, parquet_rows()).read_bytes()
    path = put(tmp_path, whole[: int(len(whole) * share)])
    with pytest.raises((OSError, EOFError, ValueError)):
        open_file(path, path.name)


@pytest.mark.parametrize("data", [b"PAR1", b"PAR1" * 2, b"PAR1" + b"\xff" * 100 + b"PAR1"])
def test_no_parquet(tmp_path: Path, data: bytes) -> None:
    """Something that only begins and ends as parquet is refused."""
    path = put(tmp_path, data)
    with pytest.raises((OSError, EOFError, ValueError)):
        open_file(path, path.name)


def test_damaged_column(tmp_path: Path) -> None:
    """A damaged image costs its row group; a damaged path what is not listed yet, and is reported."""
    path = write(tmp_path, parquet_rows(), row_group_size=3)
    whole = path.read_bytes()
    metadata = pyarrow.parquet.read_metadata(path)
    names = [metadata.row_group(1).column(number).path_in_schema for number in range(3)]
    for name in (parquet_files.BYTES, parquet_files.PATH):
        column = metadata.row_group(1).column(names.index(name))
        start = min(column.data_page_offset, column.dictionary_page_offset or column.data_page_offset)
        size = column.total_compressed_size
        path.write_bytes(whole[:start] + b"\xff" * size + whole[start + size :])
        parquet_files._row_groups.cache_clear()
        members, problems = listed(path)
        if name == parquet_files.PATH:
            assert len(members) == 3
            assert problems == ["x.parquet: it is damaged (OSError)."]
            continue
        assert (len(members), problems) == (9, [])
        reader = reader_of(path)
        for member in members:
            if member.place[0] == 1:
                with pytest.raises((OSError, EOFError, ValueError)):
                    reader.image(member).read()
            else:
                assert reader.image(member).read()


def test_replaced_file(tmp_path: Path) -> None:
    """An image cannot be read if the file has been replaced or removed."""
    path = write(tmp_path, parquet_rows(), row_group_size=3)
    members, _problems = listed(path)
    last = reader_of(path).image(members[-1])
    for other in (parquet_rows()[:1], parquet_rows()[:7]):
        write(tmp_path, other, row_group_size=3)
        parquet_files._row_groups.cache_clear()
        with pytest.raises((OSError, EOFError, ValueError)):
            last.read()
    pyarrow.parquet.write_table(pyarrow.table({"x": [1] * 9}), path, row_group_size=3)
    with pytest.raises((OSError, EOFError, ValueError)):
        last.read()
    path.unlink()
    parquet_files._row_groups.cache_clear()
    with pytest.raises(OSError, match="No such file"):
        last.read()


def test_random_changes(tmp_path: Path) -> None:
    """A file with changed bytes gives images, or errors that are reported."""
    dice = random.Random(3)
    whole = write(
        tmp_path, [row(f"{FISH}_{number}.JPEG", data=jpeg(1)[:200]) for number in range(9)], row_group_size=3
    ).read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little")
    for number in range(150):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 3)):
            data[len(data) - 9 - dice.randrange(footer if number % 2 else len(data) - 12)] = dice.randrange(
                256
            )
        path = put(tmp_path, bytes(data))
        parquet_files._row_groups.cache_clear()
        with contextlib.suppress(OSError, EOFError, ValueError):
            if reader := open_file(path, path.name):
                for member in reader.scan():
                    with contextlib.suppress(OSError, EOFError, ValueError):
                        reader.image(member).read()


def test_labels(tmp_path: Path) -> None:
    """Label numbers are positions among the sorted wnids of ILSVRC 2012."""
    rows = [row(f"{one}.JPEG", LABELS[code]) for one, code in VALIDATION_CODES.items()]
    members, _problems = listed(write(tmp_path, rows))
    assert {one.image_code: one.code for one in members} == VALIDATION_CODES
