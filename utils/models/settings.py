"""What the user asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What the user asked of a run; the fields carry the names of the flags.

    Attributes
    ----------
    batch_size
        Images in flight at once, at most; None lets the tool choose.
    fill
        True: `how_many` counts images saved. False: it counts URLs tried.
    timeout
        Seconds that one try may take.
    retries
        Further tries after a passing failure.
    min_side
        In pixels; smaller images are refused.
    source
        The sources of images, in the order in which they are asked.
    archive_url
        Where the tars of whole categories lie, for the sources that are archives.
    find
        Words of names that are looked for; nothing is downloaded then.
    format
        How what was found is listed; None for what fits the screen.
    mark, unmark
        Whether what was found or named is marked, with `how_many` if that is given, or not any more.
    gallery
        Whether a page is left that shows the images.
    export
        The formats that the images are exported in after the run.
    val_fraction
        The part of them that is for validation.
    seed
        Of the split; another one gives another split.
    labels
        What classes are called in exports: "name" as their folders, "code" by their wnids.
    export_unannotated
        Whether formats that are about boxes hold images without any.
    scheduler
        The address of a Dask scheduler, or "local"; None for a run on this machine alone.
    command
        The arguments of the command line, as they were given; they may hold secrets.
    """

    save_dir: Path
    annotations_dir: Path
    url_data: Path
    ncode_data: Path
    with_annotation: bool = False
    parallel: bool = True
    verbose: bool = True
    batch_size: int | None = None
    categories: tuple[str, ...] = field(default=())
    how_many: int | None = None
    fill: bool = False
    retry_failed: bool = False
    timeout: float = 10.0
    retries: int = 2
    min_side: int = 16
    speed_test: bool = True
    honour_opt_out: bool = True
    dry_run: bool = False
    verify: bool = False
    with_subcategories: bool = False
    source: tuple[str, ...] = ("urls",)
    archive_url: str = ""
    accept_imagenet_terms: bool = False
    find: tuple[str, ...] = ()
    format: str | None = None
    mark: bool = False
    unmark: bool = False
    gallery: bool = True
    export: tuple[str, ...] = ()
    val_fraction: float = 0.1
    seed: int = 0
    labels: str = "name"
    export_unannotated: bool = True
    scheduler: str | None = None
    command: tuple[str, ...] = field(default=(), repr=False)
