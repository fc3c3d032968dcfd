"""Create `utils/data/categories.csv.gz` and `ncodes.csv` from WordNet 3.0 and the list of ImageNet synsets.

    python tools/make_categories.py --wnids imagenet22k_synsets.txt

WordNet 3.0 is the Debian package `wordnet-base`; other versions have other numbers. The synsets of Fall 2011
are part of the Python package `timm`, and are read from there if it is installed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib.util
import io
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
WNIDS_IN_TIMM = Path("data", "_info", "imagenet22k_synsets.txt")
# The four synsets with bounding boxes that the list of Fall 2011 lacks.
ANNOTATED_ONLY = ("n03807537", "n03931044", "n04399382", "n09859684")
HYPERNYM_POINTERS = ("@", "@i")  # hypernym, instance hypernym
# The lexicographer files of nouns, which have the numbers 03 to 28, see lexnames(5WN).
_LEXNAMES = """\
Tops act animal artifact attribute body cognition communication event feeling food group location motive
object person phenomenon plant possession process quantity relation shape state substance time"""
LEXNAMES = {f"{number:02}": name for number, name in enumerate(_LEXNAMES.split(), start=3)}
TOPS = "Tops"


@dataclass(frozen=True)
class Synset:
    """A synset of `data.noun`: its words, its lexicographer file, and the wnids of its hypernyms."""

    name: str
    lexname: str
    hypernyms: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return the exit code."""
    from utils.catalog import categories
    from utils.files import write_atomic
    from utils.models.rows import Category

    options = _parser().parse_args(argv)
    try:
        synsets = read_synsets(options.wordnet)
        codes = read_codes(options)
        rows = [
            [code, synsets[code].name, " ".join(parents(code, synsets, codes)), synsets[code].lexname]
            for code in sorted(codes)
        ]
        write_atomic(options.categories_out, compressed_table(rows))
        hashes = categories.pack_folder_hashes({code: name for code, name, *_ in rows})
        write_atomic(options.categories_out.with_name(categories.FOLDER_HASHES), hashes)
        unmarked = (Category(code, name, folder="") for code, name, *_ in rows)
        write_atomic(options.ncodes_out, categories.to_csv(unmarked))
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
    flag("--wordnet", type=Path, default=Path("/usr/share/wordnet/data.noun"), help="the nouns of WordNet")
    flag("--wnids", type=Path, help="the synsets of Fall 2011, one per line (default: the list in timm)")
    flag(
        "--annotated",
        type=Path,
        help="synsets with bounding boxes (default: four that the list of timm lacks)",
    )
    flag("--categories_out", type=Path, default=PROJECT / "utils" / "data" / "categories.csv.gz")
    flag("--ncodes_out", type=Path, default=PROJECT / "ncodes.csv")
    return parser


def read_codes(options: argparse.Namespace) -> frozenset[str]:
    """Read the wnids of the categories."""
    wnids = (options.wnids or wnids_in_timm()).read_text(encoding="ascii").split()
    annotated = options.annotated.read_text(encoding="ascii").split() if options.annotated else ANNOTATED_ONLY
    return frozenset(wnids).union(annotated)


def wnids_in_timm() -> Path:
    """Return the path of the list in an installed timm, without importing timm, which needs torch."""
    spec = importlib.util.find_spec("timm")
    places = spec.submodule_search_locations if spec else None
    found = [Path(place) / WNIDS_IN_TIMM for place in places or ()]
    if not found:
        raise ValueError("timm is not installed; use --wnids FILE with one wnid per line")
    return found[0]


def read_synsets(path: Path) -> dict[str, Synset]:
    """Read the nouns of WordNet by wnid; lines that begin with two spaces are its licence."""
    with path.open(encoding="ascii") as lines:
        return {f"n{line[:8]}": parse_synset(line) for line in lines if not line.startswith("  ")}


def parse_synset(line: str) -> Synset:
    """Parse a line of `data.noun`, see wndb(5WN).

    Its fields are offset, file, type, number of words (hexadecimal), each word with its id, number of
    pointers, and each pointer with its symbol, target synset, part of speech and words.
    """
    fields = line.partition("|")[0].split()
    after_words = 4 + 2 * int(fields[3], 16)
    pointers = fields[after_words + 1 : after_words + 1 + 4 * int(fields[after_words])]
    links = zip(pointers[::4], pointers[1::4], strict=True)
    words = fields[4:after_words:2]
    lexname = LEXNAMES[fields[1]]
    if lexname == TOPS:  # the most general synsets, such as "animal": counted to the file that is named so
        lexname = next((word for word in words if word in LEXNAMES.values()), TOPS)
    return Synset(
        name=", ".join(words).replace("_", " "),
        lexname=lexname,
        hypernyms=tuple(f"n{offset}" for kind, offset in links if kind in HYPERNYM_POINTERS),
    )


def parents(code: str, synsets: Mapping[str, Synset], codes: Collection[str]) -> list[str]:
    """Return the nearest ancestors that are categories; hypernyms that are not are replaced by theirs."""
    nearest: dict[str, None] = {}
    for hypernym in synsets[code].hypernyms:
        nearest.update(dict.fromkeys([hypernym] if hypernym in codes else parents(hypernym, synsets, codes)))
    return list(nearest)


def compressed_table(rows: Iterable[Sequence[str]]) -> bytes:
    """Format the table that ships, compressed reproducibly."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["code", "name", "parents", "lexname"])
    writer.writerows(rows)
    compressed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=compressed, mtime=0) as file:
        file.write(text.getvalue().encode())
    return compressed.getvalue()


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    sys.exit(main())
