"""The command line of `download_imagenet_prerequisites.py`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..fetch.certificates import Authorities
from ..fetch.file_download import DownloadOptions
from ..models.http_defaults import USER_AGENT
from ..prerequisites.prepare import Options, PrerequisiteName, prepare
from .arguments import Parser, Signals, address, path, run_script, user_agent
from .console import Console

PROJECT = Path(__file__).resolve().parents[2]
DESCRIPTION = """\
Download what the extraction needs, once: ncodes.csv (all categories, to be marked), imageNetURLs.csv (the
URLs of the images) and annotation/ (their bounding boxes). Complete files are not downloaded again."""
EPILOG = """\
After an interruption run the same command again: it resumes the downloads."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    flags = parser().parse_args(arguments)
    options = Options(
        ncodes_dir=flags.ncodes_dir or flags.data_dir or PROJECT,
        only=frozenset(PrerequisiteName(word) for word in flags.only),
        urls_source=tuple(flags.urls_source),
        annotations_source=flags.annotations_source,
        force=flags.force,
    )

    def work() -> int:
        Authorities.from_environment(os.environ).check()
        prepare(options, Console(), DownloadOptions(user_agent=flags.user_agent))
        return 0

    return run_script(work, Signals())


def parser() -> Parser:
    """Return the parser."""
    result = Parser("download_imagenet_prerequisites.py", description=DESCRIPTION, epilog=EPILOG)
    words = [name.value for name in PrerequisiteName]
    what = result.add_argument_group("what to download, and where to")
    what.add_argument(
        "--data_dir", type=path, metavar="DIR", help="folder for all three (default: beside the script)"
    )
    what.add_argument(
        "--ncodes_dir", type=path, metavar="DIR", help="the same as --data_dir, which it overrides"
    )
    what.add_argument(
        "--only",
        nargs="+",
        choices=words,
        default=words,
        metavar="PIECE",
        help=f"only these: {', '.join(words)} (default: all three)",
    )
    what.add_argument(
        "--force", action="store_true", help="download existing files again; marks in ncodes.csv are kept"
    )
    sources = result.add_argument_group("where to download from")
    sources.add_argument(
        "--urls_source",
        type=address,
        action="append",
        default=[],
        metavar="URL_OR_PATH",
        help="zip, tgz, gz, txt or csv; repeatable, tried in order (default: known sources)",
    )
    sources.add_argument(
        "--annotations_source",
        type=address,
        metavar="URL_OR_PATH",
        help="tar.gz, or folder of archives (default: the known source)",
    )
    sources.add_argument(
        "--user_agent",
        type=user_agent,
        metavar="TEXT",
        default=USER_AGENT,
        help="User-Agent of all requests (default: that of this project)",
    )
    result.add_common_flags()
    return result
