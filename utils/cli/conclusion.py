"""What a run prints at its end: its numbers, its errors, and why categories have too few images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..models.rows import Category
from ..pipeline.category_manager import CategoryManager
from ..pipeline.context import RunContext
from ..reasons import Status
from ..results import statistics
from ..results.exclusions import EXCLUDED_NAME
from ..results.paths import RUN_NAME
from ..results.statistics import MOST_CATEGORIES, Summary
from ..sources.base import Request
from ..text import join_names, pluralize
from .console import Console
from .messages import warn


@dataclass(frozen=True)
class Conclusion:
    """The end of a run of the `selected` categories."""

    selected: Sequence[Category]
    manager: CategoryManager
    context: RunContext
    console: Console

    def print_totals(self, failed: int) -> None:
        """Print the numbers of the categories; `failed` are the failures of this run alone."""
        manager, folder, print_line = self.manager, self.context.folder, self.console.print
        written = manager.reports.summaries
        summaries = [written[category.code] for category in self.selected if category.code in written]
        if not summaries:
            return
        total = statistics.total(summaries)
        places = f"Images, annotations and reports are in {folder}"
        if not (manager.has_new or total.statuses[Status.DOWNLOADED]):
            counts = total.counts.removeprefix("0 saved, ")
            print_line("\n".join([f"Nothing new: {counts}. {places}", *total.left_out()]))
            return
        print_line("\n".join([statistics.table(summaries, self.console.width), *total.details()]))
        if total.statuses[Status.FAILED] > failed:
            print_line("Failures include those of earlier runs.")
        if len(summaries) > MOST_CATEGORIES:
            print_line(
                f"These are the {MOST_CATEGORIES} with the most failures; all {len(summaries):,} are in "
                f"{folder / RUN_NAME}"
            )
        if manager.without_boxes:
            print_line(without_boxes_text(manager.without_boxes))
        print_line(places)

    def print_problems(self, *, interrupted: bool) -> int:
        """Print what could not be done, and why; returns the exit code, unless the run was interrupted."""
        manager = self.manager
        unwritten = [f"{sentence} Fix this, and run again." for sentence in manager.unwritten_sentences()]
        for sentence in [*manager.faults, *unwritten]:
            warn(sentence)
        if interrupted:
            written = "Not all reports" if manager.unreported else "The reports"
            warn(f"Interrupted. {written} are written; run the same command again to continue.")
            return 0  # replaced by the exit code of the signal
        if unused := self._unused_exclusions():
            lines, name = ("lines", "name") if unused > 1 else ("line", "names")
            self.console.print(
                f"{EXCLUDED_NAME}: {unused:,} {lines} {name} no image of the selected categories."
            )
        for sentence in _first(self._incomplete()):
            self.console.print(sentence)
        for sentence in _first(self._without_images()):
            warn(sentence)
        return 1 if manager.without_images or manager.faults or unwritten else 0

    def _unused_exclusions(self) -> int:
        """Count the images in `excluded.txt` that neither the run met nor the URL table lists."""
        codes, excluded = {category.code for category in self.selected}, self.context.exclusions
        unmet = excluded.rejections.keys() - excluded.found
        of_selected = [image_code for image_code in unmet if image_code[:9] in codes]
        listed = {row.image_code for row in self.context.table.rows_of(of_selected)}
        return len(unmet - listed) + len(excluded.own - excluded.found)

    def _incomplete(self) -> Iterator[str]:
        """Yield a sentence for each category with too few images."""
        kind = "images with boxes" if self.context.settings.with_annotation else "images"
        for category in self.manager.incomplete:
            if not self._is_unwritten(category):
                number = f"{self.manager.images_of(category)} of {category.how_many} {kind}"
                yield f"{category.folder}: {number}; no more were found."

    def _without_images(self) -> Iterator[str]:
        """Yield why categories have no images, those with the same reason together.

        Categories that another message explains are left out.
        """
        kind = "image with boxes" if self.context.settings.with_annotation else "image"
        names: dict[str, list[str]] = {}
        for category in self.manager.without_images:
            is_faulty = any(fault.startswith(f"{category.folder}: ") for fault in self.manager.faults)
            if is_faulty or self._is_unwritten(category):
                continue
            summary = self.manager.reports.summaries.get(category.code, Summary(category.folder))
            others = f"; {pluralize(summary.images, 'image')} without boxes kept" if summary.images else ""
            name = f"{category.folder} ({category.code}){others}"
            names.setdefault(self._reason(category, summary), []).append(name)
        for reason, same in names.items():
            yield f"There is no {kind} of {join_names(same)}. {reason}"

    def _is_unwritten(self, category: Category) -> bool:
        return any(category.folder in folders for folders in self.manager.unwritten.values())

    def _reason(self, category: Category, summary: Summary) -> str:
        settings = self.context.settings
        if settings.with_annotation and not self._has_boxes(category):
            folder = settings.annotations_dir
            return f"No available image has boxes in {folder}: try without --with_annotation."
        if summary.statuses:
            return f"See its report for the reasons: {self.context.folder_of(category).report}"
        return " ".join(source.nothing_found() for source in self.context.sources)

    def _has_boxes(self, category: Category) -> bool:
        """Whether any candidate has boxes, as far as known without downloading."""
        annotations = self.context.read_annotations(category).annotations
        folder = self.context.folder_of(category).path
        request = Request(category, folder, annotations, outcomes=tuple, saved=())
        return any(
            source.stream(request).next() is not None if source.listable else bool(annotations)
            for source in self.context.sources
        )


def without_boxes_text(folders: Sequence[str]) -> str:
    """Name the categories for which there are no boxes."""
    return f"{pluralize(len(folders), 'category')} without bounding boxes: {join_names(folders)}."


def _first(sentences: Iterable[str]) -> Iterator[str]:
    """Yield the first sentences about single categories, and how many more there are."""
    everything = list(sentences)
    yield from everything[:MOST_CATEGORIES]
    if len(everything) > MOST_CATEGORIES:
        yield f"The same goes for {len(everything) - MOST_CATEGORIES:,} more categories; see {RUN_NAME}."
