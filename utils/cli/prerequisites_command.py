"""The command line of `download_imagenet_prerequisites.py`."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..fetch.certificates import Authorities
from ..fetch.file_download import DownloadOptions
from ..models.http_defaults import USER_AGENT
from ..prerequisites.prepare import Options, PrerequisiteName, prepare
from .arguments import PROJECT, Parser, Signals, run_script
from .console import Console
from .options import Option, address, path, switch, user_agent, value

DESCRIPTION = """\
Download what the extraction needs, once: ncodes.csv (all categories, to be marked), imageNetURLs.csv (the
URLs of the images) and annotation/ (their bounding boxes). Complete files are not downloaded again."""
EPILOG = """\
After an interruption run the same command again: it resumes the downloads."""

WORDS = [name.value for name in PrerequisiteName]
GROUPS: dict[str, tuple[Option, ...]] = {
    "what to download, and where to": (
        value("data_dir", "DIR", path, "folder for all three (default: beside the script)"),
        value("ncodes_dir", "DIR", path, "the same as --data_dir, which it overrides"),
        value(
            "only",
            "PIECE",
            str,
            f"only these: {', '.join(WORDS)} (default: all three)",
            nargs="+",
            choices=WORDS,
        ),
        switch("force", "download existing files again; marks in ncodes.csv are kept"),
    ),
    "where to download from": (
        value(
            "urls_source",
            "URL_OR_PATH",
            address,
            "zip, tgz, gz, txt or csv; repeatable, tried in order (default: known sources)",
            action="append",
        ),
        value(
            "annotations_source",
            "URL_OR_PATH",
            address,
            "tar.gz, or folder of archives (default: the known source)",
        ),
        value("user_agent", "TEXT", user_agent, "User-Agent of all requests (default: that of this project)"),
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    flags = parser().parse_args(arguments)
    options = Options(
        ncodes_dir=flags.ncodes_dir or flags.data_dir or PROJECT,
        only=frozenset(PrerequisiteName(word) for word in flags.only or WORDS),
        urls_source=tuple(flags.urls_source or ()),
        annotations_source=flags.annotations_source,
        force=flags.force,
    )

    def work() -> int:
        Authorities.from_environment(os.environ).check()
        prepare(options, Console(), DownloadOptions(user_agent=flags.user_agent or USER_AGENT))
        return 0

    return run_script(work, Signals())


def parser() -> Parser:
    """Return the parser."""
    return Parser("download_imagenet_prerequisites.py", GROUPS, description=DESCRIPTION, epilog=EPILOG)
