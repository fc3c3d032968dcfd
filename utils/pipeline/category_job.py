"""One category in a run: selects the URLs to try, commits their images and records their outcomes.

`how_many` has two meanings. It counts URLs tried: each of the first N rows is considered once. Or it counts
images saved (`--fill`): further URLs are tried until N images are saved. For the latter more URLs than images
are missing are tried at once, and surplus images are deleted when they arrive, so that exactly N remain.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path

from ..annotations import geometry
from ..errors import FolderError, wrap_os_errors
from ..export import fingerprints
from ..export.fingerprints import ImageHash
from ..models.images import Annotation
from ..models.rows import Candidate, Category, UrlRow
from ..models.tasks import ImageTask, Outcome
from ..reasons import INTERRUPTED, Reason, Rejection, Status
from ..results import annotation_writer, reconcile
from ..results.image_list import ListedImage
from ..results.journal import Journal, no_checkpoint
from ..results.known_outcomes import is_final, not_needed, was_interrupted
from ..results.paths import FINGERPRINTS_NAME
from ..results.reconcile import CategoryStore
from ..scheduler.scheduled_task import TaskResult
from ..sources.base import Request
from ..sources.source_chain import SourceChain
from .context import RunContext

TRIES_PER_IMAGE = 2
"""URLs tried at once for each missing image, and as many more: about half of the URLs are dead."""
BATCH = 250


class Decision(Enum):
    """The decision of a job on a candidate."""

    TRY = "try"
    SAVED = "its image is saved"
    GIVE_UP = "a permanent failure"
    EXCLUDED = "excluded by the user"
    NOT_NEEDED = "not needed, as enough images are saved"


Record = Callable[[Category, Outcome], None]
"""Called with every outcome that is written to the journal."""


class CategoryJob:
    """One category in a run.

    Parameters
    ----------
    annotations
        Of the category's archive, by image code.
    again
        Whether the category was open before in this run: then only URLs that were not tried yet are tried.
    read_only
        Whether nothing is written; such a job can only `count_decisions`.
    on_notice
        Called with sentences about files that the job changes while it starts.
    checkpoint
        Called repeatedly while the job starts; it may raise an exception to stop.
    on_change
        Called with each saved image whose content has changed (see `CategoryStore`).
    """

    def __init__(
        self,
        category: Category,
        context: RunContext,
        record: Record,
        *,
        annotations: Mapping[str, Annotation],
        again: bool = False,
        read_only: bool = False,
        on_notice: Callable[[str], None] = lambda _notice: None,
        checkpoint: Callable[[], None] = no_checkpoint,
        on_change: Callable[[str], None] = lambda _file: None,
    ) -> None:
        self.category = category
        self._context = context
        self._record = record
        self._settings = context.settings
        self._again = again
        self._read_only = read_only
        self._annotations = annotations
        folder = context.folder_of(category)
        if read_only:
            folder.check()
        else:
            folder.make()
        journal = Journal(folder.journal, read_only=read_only)
        self._store = CategoryStore(
            folder,
            journal,
            dry=read_only,
            exclusions=context.exclusions,
            on_notice=on_notice,
            checkpoint=checkpoint,
            on_change=on_change,
        )
        if not again:
            journal.begin_run()
        with wrap_os_errors(self.folder):
            self._known = reconcile.reconcile(self._store, lambda codes: context.find_rows(category, codes))
        self._only = context.listed.codes(category.code)
        self._check_listed()
        if not read_only:
            self._write_missing_annotations()
        self._saved_codes = {outcome.row.image_code for outcome in self.saved_before()}
        self._saved = sum(self._counts(outcome) for outcome in self._known.values())
        self._active: dict[int, ImageTask] = {}
        self._held_back = 0
        self._interrupted = False

    @functools.cached_property
    def _request(self) -> Request:
        by_saved = self._context.counts_saved(self.category)
        return Request(
            self.category,
            self.folder,
            self._annotations,
            outcomes=self.outcomes,
            saved=self._saved_codes,
            excluded=self._context.exclusions.rejections.keys(),
            limit=-1 if by_saved else self.category.how_many,
            count_saved=by_saved,
            only=self._only,
            urls={one.image_code: one.url for one in self._listed.values() if one.url},
        )

    @property
    def _listed(self) -> Mapping[str, ListedImage]:
        return self._context.listed.of_category.get(self.category.code, {})

    @functools.cached_property
    def _source(self) -> SourceChain:
        return SourceChain(self._request, self._context.sources, is_idle=lambda: not self._active)

    @property
    def folder(self) -> Path:
        """The category's folder."""
        return self._store.folder.path

    @property
    def finished(self) -> bool:
        """Whether no task is in flight, and no further one is needed or available."""
        return not self._active and (self._source.exhausted or not self._wants_more())

    @property
    def problem(self) -> str:
        """Why a source failed, in a sentence; empty if none did."""
        return self._source.problem

    @property
    def is_full(self) -> bool:
        """Whether `how_many` images are saved, if images saved are counted."""
        return self._context.counts_saved(self.category) and self._saved >= self.category.how_many

    def saved_before(self) -> list[Outcome]:
        """List the images that were saved when the job started."""
        return [outcome for outcome in self._known.values() if outcome.status.is_saved]

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the last outcome of every URL, from the journal."""
        return self._store.journal.outcomes()

    def done_before(self) -> int:
        """Count images saved by earlier runs and, if URLs tried are counted, permanent failures."""
        by_saved = self._context.counts_saved(self.category)
        return sum(
            outcome.status.is_saved or (not by_saved and is_final(outcome, self._settings))
            for outcome in self._known.values()
            if self._only is None or outcome.row.image_code in self._only
        )

    @property
    def counts_saved(self) -> bool:
        """Whether `how_many` counts images saved."""
        return self._context.counts_saved(self.category)

    def next_tasks(self, limit: int, held_back: Collection[int] = ()) -> list[ImageTask]:
        """Return the next tasks, at most `limit`; fewer if there are no more at present.

        If images saved are counted, other URLs are tried in place of the tasks in `held_back`, which have to
        wait.
        """
        tasks: list[ImageTask] = []
        self._held_back = sum(number in held_back for number in self._active) if held_back else 0
        while len(tasks) < limit and (candidate := self._next_candidate()):
            annotation = candidate.annotation
            task = ImageTask(
                number=next(self._context.task_numbers),
                folder=self.category.folder,
                row=candidate.row,
                annotation=geometry.relabel(annotation, self._context.labels) if annotation else None,
                local_image=candidate.local_image,
                timed_out_before=self._timed_out_before(candidate.row),
            )
            self._active[task.number] = task
            tasks.append(task)
        return tasks

    def commit(self, results: Sequence[TaskResult]) -> None:
        """Commit the images of tasks that have ended, and record the outcomes."""
        outcomes: list[Outcome] = []
        for result in results:
            self._active.pop(result.task.number, None)
            outcome = result.outcome
            if outcome.staged and self.is_full:
                self._context.staging.discard(outcome)
                outcome = not_needed(outcome)
            elif outcome.staged:
                outcome = self._commit(outcome)
            self._saved += self._counts(outcome)
            outcomes.append(outcome)
        self._write(outcomes)

    def _commit(self, outcome: Outcome) -> Outcome:
        staging = self._context.staging
        if outcome.row.image_code in self._listed:
            checked = self._context.listed.check(self.category.code, outcome, staging.image_path(outcome))
            if checked is not outcome:
                staging.discard(outcome)
                return checked
        return staging.commit(outcome, self._store.folder)

    def count_decisions(self) -> tuple[int, Counter[Decision], int]:
        """Count what the job would do.

        Returns
        -------
        tuple
            The number of candidates, the decisions on those that a run would consider, and the number of
            saved images that belong to none of them.
        """
        everything = [
            candidate
            for source in self._context.sources
            if source.listable
            for candidate in iter(source.stream(replace(self._request, limit=-1)).next, None)
        ]
        limit = self._request.limit
        considered = everything if limit < 0 else everything[:limit]
        decisions = Counter(self._decide(candidate) for candidate in considered)
        if self.is_full:
            decisions[Decision.NOT_NEEDED] = decisions.pop(Decision.TRY, 0)
        of_candidates = {one.row.image_code for one in considered if not one.rejection}
        return len(everything), decisions, len(self._saved_codes - of_candidates)

    def pop_surplus(self) -> list[int]:
        """Remove the tasks in flight, which a full job does not need; returns their numbers."""
        numbers = list(self._active)
        self._active.clear()
        return numbers

    def record_unreached(self, has_time: Callable[[], bool]) -> bool:
        """Record the URLs that an interrupted run did not reach.

        Returns whether there was time for all of them.
        """
        self._interrupted = True
        if not self._source.stop() or self._context.counts_saved(self.category):
            return True  # it is not known which of the others would have been considered
        unreached = iter(self._next_candidate, None)
        while not self._source.exhausted:
            if not has_time():
                return False
            self._write(
                [
                    Outcome(one.row, *INTERRUPTED)
                    for one in itertools.islice(unreached, BATCH)
                    if not self._is_recorded_as_unreached(one)
                ]
            )
        return True

    def close(self) -> None:
        """End the job, and free its memory; all results are in the journal."""
        if self.is_full and not self._interrupted and any(map(was_interrupted, self._known.values())):
            self._write([not_needed(one) for one in self.outcomes() if was_interrupted(one)])
        if self._only and not self._interrupted:
            self._write(self._context.listed.missing(self.category.code, self.outcomes()))
        self._source.close(finished=not self._interrupted)
        self._known, self._annotations = {}, {}

    def abort(self) -> None:
        """End the job without records, because the category's folder cannot be used."""
        self._source.close(finished=False)

    def _wants_more(self) -> bool:
        if not self._context.counts_saved(self.category):
            return not self._source.exhausted
        missing = self.category.how_many - self._saved
        tries = missing if self._source.reliable else TRIES_PER_IMAGE * (missing + 1)
        return missing > 0 and len(self._active) - self._held_back < tries

    def _next_candidate(self) -> Candidate | None:
        while self._wants_more():
            candidate = self._source.next()
            decision = self._decide(candidate) if candidate else Decision.TRY
            if candidate is None or decision is Decision.TRY:
                return candidate
            rejection = self._context.exclusions.reject(candidate.row.image_code) or candidate.rejection
            if decision in (Decision.GIVE_UP, Decision.EXCLUDED) and rejection:
                self._record_rejection(candidate.row, rejection)
        return None

    def _decide(self, candidate: Candidate) -> Decision:
        if self._context.exclusions.reject(candidate.row.image_code):
            return Decision.EXCLUDED
        if candidate.row.image_code in self._saved_codes and (
            candidate.local_image or not candidate.rejection
        ):
            return Decision.SAVED  # whichever source its image came from
        known = self._known.get(candidate.row.key)
        if candidate.rejection or (
            known is not None
            and (is_final(known, self._settings) or (self._again and known.status is Status.FAILED))
        ):
            return Decision.GIVE_UP
        return Decision.TRY

    def _timed_out_before(self, row: UrlRow) -> bool:
        known = self._known.get(row.key)
        return known is not None and known.reason in (Reason.TIMEOUT, Reason.CONNECT_TIMEOUT)

    def _record_rejection(self, row: UrlRow, rejection: Rejection) -> None:
        """Record why a row cannot be tried, unless that is known."""
        known = self._known.get(row.key)
        if known is None or (not is_final(known, self._settings) and known.reason is not rejection.reason):
            self._write([Outcome(row, Status.FAILED, rejection.reason, rejection.sentence)])

    def _is_recorded_as_unreached(self, candidate: Candidate) -> bool:
        known = self._known.get(candidate.row.key)
        return known is not None and known.status is Status.NOT_ATTEMPTED

    def _write(self, outcomes: Sequence[Outcome]) -> None:
        self._store.journal.append_all(outcomes)
        hashes = {
            one.picture.sha256: ImageHash(one.picture.phash or None)
            for one in outcomes
            if one.status.is_saved and one.picture and one.picture.phash is not None
        }
        if hashes:
            with contextlib.suppress(FolderError):  # the manifest needs them later, and reports it
                fingerprints.append(self._context.folder / FINGERPRINTS_NAME, hashes)
        for outcome in outcomes:
            if outcome.status.is_saved:
                self._saved_codes.add(outcome.row.image_code)
            self._record(self.category, outcome)

    def _counts(self, outcome: Outcome) -> bool:
        if not outcome.status.is_saved or not self._settings.with_annotation:
            return outcome.status.is_saved
        will_get_boxes = self._read_only and outcome.row.image_code in self._annotations
        return outcome.boxes is not None or will_get_boxes

    def _check_listed(self) -> None:
        """Remove saved images that are not the listed ones."""
        for key, outcome in self._known.items():
            path = self.folder / outcome.file
            if outcome.status.is_saved and outcome.row.image_code in self._listed:
                checked = self._context.listed.check(self.category.code, outcome, path)
                if checked is not outcome:
                    self._store.remove_image(path, checked.description)
                    self._store.on_notice(f"{self.category.folder}/{outcome.file}: {checked.description}")
                    self._known[key] = self._store.write(checked)

    def _write_missing_annotations(self) -> None:
        """Write missing XML files: the archive may be newer than the image, or a run was killed."""
        for key, outcome in self._known.items():
            self._store.checkpoint()
            annotation = self._annotations.get(outcome.row.image_code)
            paired = annotation_writer.write_if_missing(
                self._store.folder, outcome, annotation, self._context.labels
            )
            if paired is not outcome:
                self._known[key] = self._store.write(paired)
