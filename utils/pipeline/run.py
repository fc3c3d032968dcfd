"""A whole run: opens category jobs, submits their tasks, commits the results, closes the jobs.

When all categories are finished, pictures that a host sent for many URLs are removed as placeholders, and the
categories that need other images are opened again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from ..errors import DatasetError, ProxyError
from ..results.progress import Progress
from ..results.staging import StagingFolder
from ..scheduler.scheduled_task import TaskResult
from .category_job import CategoryJob
from .category_manager import CategoryManager, Screen
from .executor import Executor, TaskEvents

CLOSING_TIME = 0.6
"""Seconds that an interrupted run takes to record the URLs that it did not reach."""


@dataclass
class Run:
    """One run over the selected categories.

    Parameters
    ----------
    stopped
        Whether the run was interrupted; called repeatedly.
    """

    manager: CategoryManager
    executor: Executor
    staging: StagingFolder
    progress: Progress
    screen: Screen
    stopped: Callable[[], bool]
    _jobs: dict[int, CategoryJob] = field(default_factory=dict)  # by task number

    def work(self) -> None:
        """Do the run until it is finished or interrupted; reports are written in both cases.

        Raises
        ------
        DatasetError
            If an error stops the run; the reports are written before.
        """
        try:
            while not (self.manager.fatal or self.stopped()):
                self._submit_more()
                if self.executor.idle and self.manager.all_done:
                    self.manager.remove_placeholders(reopen=True)
                    if self.manager.all_done:
                        break
                self._handle(self.executor.poll())
                self._show()
        except DatasetError as error:
            self.manager.fatal = self.manager.fatal or error
        finally:
            self._finish()
        if self.manager.fatal:
            raise self.manager.fatal

    def _submit_more(self) -> None:
        """Submit tasks of the open categories; open further ones while the executor has too little to do."""
        capacity = self.executor.capacity
        is_complete = False
        while not is_complete:
            before = capacity
            for job in list(self.manager.open.values()):
                capacity -= self._submit_from(job, capacity)
            is_complete = capacity == before or not self.manager.is_ordered
        while capacity > 0:
            opened = self.manager.open_next()
            if opened is None:
                return
            capacity -= self._submit_from(opened, capacity)
            if self.executor.has_enough:
                return

    def _submit_from(self, job: CategoryJob, capacity: int) -> int:
        submitted = 0
        with self.manager.isolate_errors(job.category):
            tasks = job.next_tasks(capacity, self.executor.held_back() if job.counts_saved else ())
            submitted = len(tasks)
            for task in tasks:
                self._jobs[task.number] = job
            self._commit(self.executor.submit(tasks))
            if job.finished:
                self.manager.close(job)
        return submitted

    def _handle(self, events: TaskEvents) -> None:
        if events.proxy_error and not self.progress.saved:
            self.manager.fatal = ProxyError(
                "The proxy in http_proxy, https_proxy or all_proxy cannot be used. "
                f"{events.proxy_error} Correct or unset it, and run again."
            )
        for outcome in events.unused:
            self.staging.discard(outcome)
        for job in self._commit(events.results):
            if job.is_full:
                self._cancel(job, job.pop_surplus())
            if job.finished:
                self.manager.close(job)

    def _commit(self, results: Sequence[TaskResult]) -> Collection[CategoryJob]:
        """Commit results to the jobs of their tasks; returns these jobs."""
        by_job: dict[CategoryJob, list[TaskResult]] = {}
        for result in results:
            by_job.setdefault(self._jobs.pop(result.task.number), []).append(result)
        for job, some in by_job.items():
            with self.manager.isolate_errors(job.category):
                job.commit(some)
        return by_job

    def _cancel(self, job: CategoryJob, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        with self.manager.isolate_errors(job.category):
            job.commit(self.executor.cancel(numbers))
        for number in numbers:
            self._jobs.pop(number, None)

    def _show(self) -> None:
        for notice in self.executor.notices():
            self.screen.print(notice)
        self.progress.in_flight = self.executor.in_flight
        self.screen.update(self.progress)

    def _finish(self) -> None:
        """Stop the work, and record the state of all categories."""
        deadline = time.monotonic() + CLOSING_TIME
        self._commit(self.executor.close().results)
        self.manager.close_all(lambda: time.monotonic() < deadline)
        self.manager.remove_placeholders(reopen=False)
        self._show()
