"""`--images`: reads the list, finds its categories, and prints how many of the images are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..catalog import categories
from ..catalog.selection import Selection
from ..copies import ilsvrc
from ..errors import InputError
from ..models.rows import Category
from ..models.settings import Settings
from ..pipeline.context import RunContext
from ..pipeline.listed_images import ListedImages, Match, count
from ..reasons import RetryPolicy
from ..results import image_list, journal
from ..results.image_list import ImageList
from ..results.paths import MANIFEST_NAME, RESULT_FOLDER
from ..sources import copy_source
from ..sources.url_source import UrlSource
from ..text import format_table, join_names, pluralize
from ..urls import LISTED_CODE
from .console import Console
from .messages import warn

RETRIED = (RetryPolicy.TEMPORARY, RetryPolicy.NEXT_RUN)
OTHER_SOURCES = "--source urls archive, or --source urls copy --copy PATH"


def read(settings: Settings) -> ImageList | None:
    """Read the list of the settings; None without one.

    Raises
    ------
    InputError
        If it cannot be used.
    """
    if settings.images is None:
        return None
    if settings.images.resolve() == (settings.save_dir / RESULT_FOLDER / MANIFEST_NAME).resolve():
        raise InputError(
            f"--images {settings.images} is replaced by this run. Copy it to another place, and give that."
        )
    return image_list.read(settings.images)


def codes(listed: ImageList | None) -> set[str]:
    """Return the wnids of all categories that the images may belong to, and some others."""
    if listed is None:
        return set()
    training = {one.image_code[:9] for one in listed.images if LISTED_CODE.fullmatch(one.image_code)}
    folders = categories.codes_of_folders({one.category for one in listed.images})
    has_validation = not all(LISTED_CODE.fullmatch(one.image_code) for one in listed.images)
    return training.union(folders, ilsvrc.codes() if has_validation else ())


def by_category(
    listed: ImageList | None, settings: Settings, everything: Sequence[Category], *, console: Console
) -> ListedImages:
    """Find the categories of the images; without a list, nothing is listed.

    Raises
    ------
    InputError
        If images are of categories that are not known.
    """
    if listed is None:
        return ListedImages()
    groups, unknown = image_list.by_category(listed.images, everything, {})
    codes = {one.image_code for one in unknown}
    validation = {code for code in codes if not LISTED_CODE.fullmatch(code)}
    if others := sorted({code[:9] for code in codes - validation}):
        raise InputError(
            f"--images {settings.images} lists images of {join_names(others)}, which are neither "
            f"in ImageNet nor in {settings.ncode_data}. Correct the codes, or add rows for them."
        )
    if validation and settings.copy:
        labels = copy_source.labels_of(settings, validation, console.print)
        groups, unknown = image_list.by_category(listed.images, everything, labels)
    if not groups:
        raise InputError(
            f"--images {settings.images} lists only validation images, whose categories "
            + ("the copies do not tell." if settings.copy else "copies tell. Add --copy PATH.")
        )
    lost = tuple(sorted({one.image_code for one in unknown}))
    return ListedImages(groups, lost, listed.is_manifest, listed.digest)


def selected(listed: ListedImages, everything: Sequence[Category]) -> Selection:
    """Select the categories of the listed images."""
    chosen = [category for category in everything if category.code in listed.of_category]
    return Selection([replace(category, selected=True, how_many=-1) for category in chosen])


def text(listed: ListedImages, settings: Settings) -> str:
    """Describe the list in a line."""
    images = pluralize(sum(map(len, listed.of_category.values())) + len(listed.unknown), "image")
    return f"{images} of {pluralize(len(listed.of_category), 'category')}, as listed in {settings.images}"


def conclude(chosen: Sequence[Category], context: RunContext, console: Console) -> dict[str, int]:
    """Print how many of the listed images are there, and name others; returns the numbers by `Match`."""
    listed = context.listed
    matches = {(context.listed.digest, code): Match.MISSING for code in listed.unknown}
    temporary = 0
    for category in chosen:
        path = context.folder_of(category).journal
        outcomes = list(journal.read_outcomes(path)) if path.exists() else []
        found = listed.matches(category.code, outcomes)
        matches |= {(category.folder, code): match for code, match in found.items()}
        failed = {one.row.image_code for one in outcomes if one.retry_policy in RETRIED}
        temporary += sum(code in failed and match is Match.MISSING for code, match in found.items())
    counts = count(matches.values())
    if listed.is_manifest:
        rows = [["compared with the manifest", "images"], *([name, f"{n:,}"] for name, n in counts.items())]
        console.print("\n".join(format_table(rows)))
    lost = sorted(code for (_, code), match in matches.items() if match in (Match.DIFFERENT, Match.MISSING))
    there = len(matches) - len(lost)
    console.print(
        f"{there:,} of {pluralize(len(matches), 'listed image')} {'is' if there == 1 else 'are'} there."
    )
    if lost:
        verb = "is" if len(lost) == 1 else "are"
        again = f" Run it again to retry {pluralize(temporary, 'temporary failure')}." if temporary else ""
        is_url_only = context.settings.source == (UrlSource.name,)
        others = f" Other sources may have them: {OTHER_SOURCES}." if is_url_only else ""
        warn(
            f"{pluralize(len(lost), 'image')} {verb} missing or different; the reports say why: "
            f"{join_names(lost)}.{again}{others}"
        )
    if listed.unknown:
        warn(
            f"The category of {pluralize(len(listed.unknown), 'validation image')} is not known. Add a copy "
            "that has them: --copy PATH."
        )
    return counts
