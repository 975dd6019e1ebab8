"""Running jobs in a worker: one at a time, behind people's turns, each in a process that ends with it."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from parlour.engines.protocol import Request
from parlour.skills.errors import SkillError, SkillFailed
from parlour.skills.jobs import LEASE, JobBook, JobClaim
from parlour.skills.model import Ask
from parlour.skills.process import Run  # noqa: TC001 (an annotation like the others)
from parlour.skills.room import SkillRoom
from parlour.store.errors import StoreError
from parlour.store.ids import JobId

log = structlog.get_logger(__name__)

# The request that a job's questions to the model are made of.
RequestOf = Callable[[JobClaim], Request]


class JobRunner:
    """Does what is due. Safe to call from many threads: one of them works, the others find it busy and go."""

    def __init__(self, *, jobs: JobBook, room: SkillRoom, ask: Ask, request_of: RequestOf) -> None:
        self._jobs = jobs
        self._room = room
        self._ask = ask
        self._request_of = request_of
        self._place = threading.Lock()
        self._closing = threading.Event()
        self._run: Run | None = None

    def run(self, job_id: JobId) -> None:
        """Do this job if it is free, then whatever else is due. Safe to call any number of times."""
        if self._closing.is_set() or not self._place.acquire(blocking=False):
            return
        try:
            claim = self._jobs.claim(job_id)
            while claim is not None:
                self._do(claim)
                claim = None if self._closing.is_set() else self._jobs.claim()
        finally:
            self._place.release()

    def close(self, *, timeout_s: float = 10.0) -> None:
        """End what runs; it is begun anew elsewhere."""
        self._closing.set()
        if self._run is not None:
            self._run.cancel()
        if self._place.acquire(timeout=timeout_s):
            self._place.release()

    def _do(self, claim: JobClaim) -> None:
        log.info("job_started", skill=claim.skill.name, job=claim.name, job_id=str(claim.job_id))
        is_over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(claim, is_over), name="job-lease", daemon=True)
        keeper.start()
        try:
            outcome, error = self._outcome(claim)
        finally:
            is_over.set()
            keeper.join()
        if self._closing.is_set():
            self._jobs.hand_back(claim)
        elif not self._jobs.finish(claim, outcome, error):
            log.warning("late_job_refused", job_id=str(claim.job_id), fence=claim.fence)
        else:
            log.info("job_finished", skill=claim.skill.name, job=claim.name, outcome=outcome, error=error)

    def _outcome(self, claim: JobClaim) -> tuple[str, str | None]:
        """How it went, and what went wrong: a class and a place, no content."""
        try:
            if claim.is_telling:
                self._tell(claim)
            else:
                self._call(claim, {})
        except SkillFailed as error:
            return "failed", f"{error.error} at {error.place}"
        except SkillError as error:
            return "failed", type(error).__name__
        except Exception as error:  # a task begins here: whatever goes wrong, the job must be due again
            log.exception("job_broke", job_id=str(claim.job_id))
            return "failed", type(error).__name__
        finally:
            self._run = None
        return "done", None

    def _tell(self, claim: JobClaim) -> None:
        """Tell the skill who was erased, one after the other, each by the name that it knows them by.

        One that it fails on keeps none of the others. Raises the first failure at the end: it is told of those again.
        """
        failure = None
        for user_id in self._jobs.untold(claim):
            try:
                self._call(claim, {"user": self._room.name_of(claim.skill, user_id)})
            except SkillError as error:
                failure = failure or error
                self._jobs.not_told(claim, user_id)
                # Ended because another worker has the job, perhaps.
                if self._closing.is_set() or not self._jobs.renew(claim):
                    break
                continue
            if self._closing.is_set():
                return
            self._jobs.told(claim, user_id)
        if failure is not None:
            raise failure

    def _call(self, claim: JobClaim, arguments: Mapping[str, Any]) -> None:
        with self._room.job(claim, arguments, self._ask, self._request_of(claim)) as run:
            self._run = run
            for _ in run:
                pass  # nobody asked: what it says is for no one, see Notify

    def _keep(self, claim: JobClaim, is_over: threading.Event) -> None:
        """Renew the lease; a job that was taken over by another worker is ended here."""
        while not is_over.wait(LEASE.total_seconds() / 3):
            try:
                is_ours = self._jobs.renew(claim)
            except StoreError as error:
                log.warning("job_lease_not_renewed", job_id=str(claim.job_id), reason=type(error).__name__)
                continue
            if not is_ours:
                run = self._run
                if run is not None:
                    run.cancel()
                return
