"""Settings of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .http_defaults import USER_AGENT


@dataclass(frozen=True)
class Settings:
    """Settings of a run; the fields have the names of the flags.

    Attributes
    ----------
    batch_size
        The maximum of images in flight; None to choose it automatically.
    fill
        True: `how_many` counts images saved. False: it counts URLs tried.
    timeout
        Seconds for one attempt.
    retries
        Further attempts after a temporary failure.
    patience
        Minutes for which a run waits for hosts that refuse requests when nothing else is left to do.
    user_agent
        The User-Agent of all requests.
    min_side
        In pixels; smaller images are rejected.
    source
        The sources of images, in order.
    copy
        The paths of copies of ImageNet.
    archive_url
        The address of the tars of whole categories.
    images
        A list of image codes, or a manifest: exactly these images are downloaded.
    list_digest
        Changes with the list; empty without one.
    find
        Words to search names for, instead of a download; empty for all categories, None for no search.
    all_matches
        Whether `find` also lists what fits less well than the best matches.
    below
        A category or a lexicographer file of WordNet: `find` lists only categories below it.
    boxed
        Whether `find` lists only categories with bounding boxes.
    format
        The format of the list of categories found; None for a table that fits the screen.
    mark, unmark
        Whether the categories found or named are marked (with `how_many`, if given) or unmarked.
    class_name
        The class to write for marked categories; None to leave the column alone.
    gallery
        Whether the gallery is written.
    export
        The formats of the export after the run.
    val_fraction
        The fraction of images for validation.
    seed
        Of the random split.
    labels
        The names of classes in exports: "name" for folder names, "short" for first synonyms, "code" for
        wnids.
    other_classes
        Whether exports contain the boxes of categories that are not selected.
    export_unannotated
        Whether box formats contain images without boxes.
    per_class
        The maximum of images of each class in exports; None for all.
    near_duplicates
        Whether exports contain all images of a group of near-duplicates, or only the largest.
    not_like
        Folders of images; exports leave out what looks like one of them.
    max_side
        The maximum of width and height of exported images, in pixels; None for no limit.
    export_dir
        The folder for exports; None for the folder of the result folder.
    scheduler
        The address of a Dask scheduler, or "local"; None for a run without Dask.
    command
        The arguments of the command line, which may contain secrets.
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
    images: Path | None = None
    list_digest: str = ""
    how_many: int | None = None
    fill: bool = False
    retry_failed: bool = False
    timeout: float = 10.0
    retries: int = 2
    patience: float = 15
    min_side: int = 16
    speed_test: bool = True
    honour_opt_out: bool = True
    user_agent: str = USER_AGENT
    dry_run: bool = False
    verify: bool = False
    with_subcategories: bool = False
    source: tuple[str, ...] = ("urls",)
    copy: tuple[str, ...] = ()
    archive_url: str = ""
    accept_imagenet_terms: bool = False
    find: tuple[str, ...] | None = None
    all_matches: bool = False
    below: str | None = None
    boxed: bool = False
    format: str | None = None
    mark: bool = False
    unmark: bool = False
    class_name: str | None = None
    gallery: bool = True
    export: tuple[str, ...] = ()
    val_fraction: float = 0.1
    seed: int = 0
    labels: str = "name"
    other_classes: bool = False
    export_unannotated: bool = False
    per_class: int | None = None
    near_duplicates: bool = True
    not_like: tuple[Path, ...] = ()
    max_side: int | None = None
    export_dir: Path | None = None
    scheduler: str | None = None
    command: tuple[str, ...] = field(default=(), repr=False)
