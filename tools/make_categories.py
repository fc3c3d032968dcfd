"""Make `utils/data/categories.csv.gz` and `ncodes.csv` from WordNet 3.0 and the list of ImageNet's synsets.

    python tools/make_categories.py --wnids imagenet22k_synsets.txt

WordNet 3.0 is Debian's package `wordnet-base` (another version has other numbers). The synsets of Fall 2011
come with the package `timm`, and are found there if it is installed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib.util
import io
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
WNIDS_IN_TIMM = Path("data", "_info", "imagenet22k_synsets.txt")
# The four synsets that have bounding boxes, but no URL in the list of Fall 2011.
ANNOTATED_ONLY = ("n03807537", "n03931044", "n04399382", "n09859684")
HYPERNYM_POINTERS = ("@", "@i")  # is a kind of; is an instance of


@dataclass(frozen=True)
class Synset:
    """One line of `data.noun`: its words, and the wnids of what it is a kind of."""

    name: str
    hypernyms: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    options = _parser().parse_args(argv)
    try:
        synsets = read_synsets(options.wordnet)
        codes = read_codes(options)
        rows = {code: (synsets[code].name, parents(code, synsets, codes)) for code in sorted(codes)}
        write(options.categories_out, pack(rows))
        write(options.ncodes_out, table({code: name for code, (name, _) in rows.items()}))
    except (OSError, ValueError) as error:
        print(f"make_categories: {error}", file=sys.stderr)
        return 2
    except KeyError as error:
        print(f"make_categories: {error} is not in {options.wordnet}; is it WordNet 3.0?", file=sys.stderr)
        return 2
    print(f"{len(rows)} categories in {options.categories_out} and {options.ncodes_out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flag = parser.add_argument
    flag("--wordnet", type=Path, default=Path("/usr/share/wordnet/data.noun"), help="WordNet's nouns")
    flag("--wnids", type=Path, help="the synsets of Fall 2011, one a line (default: the list in timm)")
    flag("--annotated", type=Path, help="all synsets with bounding boxes (default: the four not in --wnids)")
    flag("--categories_out", type=Path, default=PROJECT / "utils" / "data" / "categories.csv.gz")
    flag("--ncodes_out", type=Path, default=PROJECT / "ncodes.csv")
    return parser


def read_codes(options: argparse.Namespace) -> frozenset[str]:
    """Read which synsets are categories."""
    wnids = (options.wnids or wnids_in_timm()).read_text(encoding="ascii").split()
    annotated = options.annotated.read_text(encoding="ascii").split() if options.annotated else ANNOTATED_ONLY
    return frozenset(wnids).union(annotated)


def wnids_in_timm() -> Path:
    """Find the list of synsets in an installed timm without importing it, as that would want torch."""
    spec = importlib.util.find_spec("timm")
    places = spec.submodule_search_locations if spec else None
    found = [Path(place) / WNIDS_IN_TIMM for place in places or ()]
    if not found:
        raise ValueError("timm is not installed; say --wnids FILE with one wnid a line")
    return found[0]


def read_synsets(path: Path) -> dict[str, Synset]:
    """Read WordNet's nouns by wnid; the lines of its licence begin with two blanks."""
    with path.open(encoding="ascii") as lines:
        return {f"n{line[:8]}": parse(line) for line in lines if not line.startswith("  ")}


def parse(line: str) -> Synset:
    """Read a line of `data.noun`, as wndb(5WN) describes it.

    Its fields: offset, file, type, number of words (hexadecimal), then each word with its id, number of
    pointers, then each pointer with the synset, part of speech and words that it points to.
    """
    fields = line.partition("|")[0].split()
    after_words = 4 + 2 * int(fields[3], 16)
    pointers = fields[after_words + 1 : after_words + 1 + 4 * int(fields[after_words])]
    links = zip(pointers[::4], pointers[1::4], strict=True)
    return Synset(
        name=", ".join(fields[4:after_words:2]).replace("_", " "),
        hypernyms=tuple(f"n{offset}" for kind, offset in links if kind in HYPERNYM_POINTERS),
    )


def parents(code: str, synsets: Mapping[str, Synset], codes: Collection[str]) -> list[str]:
    """Return the nearest ancestors that are categories: past each hypernym that is none, go on upwards."""
    nearest: dict[str, None] = {}
    for hypernym in synsets[code].hypernyms:
        nearest.update(dict.fromkeys([hypernym] if hypernym in codes else parents(hypernym, synsets, codes)))
    return list(nearest)


def pack(rows: Mapping[str, tuple[str, list[str]]]) -> bytes:
    """Spell the table that ships, compressed so that the same table gives the same bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["code", "name", "parents"])
    writer.writerows([code, name, " ".join(above)] for code, (name, above) in rows.items())
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as file:
        file.write(text.getvalue().encode())
    return packed.getvalue()


def table(names: Mapping[str, str]) -> bytes:
    """Spell the user's table with nothing marked."""
    from utils.catalog import categories
    from utils.models.rows import Category

    return categories.as_csv(Category(code, name, folder="") for code, name in names.items())


def write(path: Path, data: bytes) -> None:
    """Write a file whole."""
    from utils import files

    files.write_atomic(path, data)


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    sys.exit(main())
