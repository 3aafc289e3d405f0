"""Whose item is next: fair between tenants, and within a tenant between a small and a huge job.

The tenant that has the least in flight comes first; of its jobs those of the best priority, and of these the one that
has the least in flight. Who is equal takes turns. So a job of 5 items beside one of 10,000 is served every other time,
and no tenant waits for longer than it takes all others to have one item more in flight than it has.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from services.gateway.state.work import WaitingJob


@dataclass(slots=True)
class _Waiting:
    """A job while its items are given out."""

    job: WaitingJob
    left: int
    in_flight: int


@dataclass(slots=True)
class Turns:
    """Remembers who had the last turn, so that those who are equal take turns from one choice to the next.

    Who is new counts as just served: a stream of new ones cannot keep out who waits.
    """

    _clock: int = 0
    _tenants: dict[str, int] = field(default_factory=dict)
    _jobs: dict[str, int] = field(default_factory=dict)

    def choose(
        self, jobs: Iterable[WaitingJob], room: int, allowances: Mapping[str, int] = MappingProxyType({})
    ) -> list[str]:
        """The ids of the jobs whose next items go, one id for each item, at most `room`, in the order they go.

        Args:
            allowances: How many items of a tenant may go at the most; those that are not in it have no such limit.
        """
        by_tenant: defaultdict[str, list[_Waiting]] = defaultdict(list)
        for job in jobs:
            by_tenant[job.tenant].append(_Waiting(job, job.waiting, job.in_flight))
        job_ids = [each.job.job_id for waiting in by_tenant.values() for each in waiting]
        self._tenants = {tenant: self._tenants.get(tenant, self._clock) for tenant in by_tenant}
        self._jobs = {job_id: self._jobs.get(job_id, self._clock) for job_id in job_ids}
        in_flight = {tenant: sum(each.in_flight for each in waiting) for tenant, waiting in by_tenant.items()}
        allowed = dict(allowances)
        chosen: list[str] = []
        while len(chosen) < room:
            able = [
                tenant
                for tenant, waiting in by_tenant.items()
                if any(each.left > 0 for each in waiting) and allowed.get(tenant, 1) > 0
            ]
            if not able:
                break
            tenant = min(able, key=lambda name: (in_flight[name], self._tenants[name], name))
            waiting = min((each for each in by_tenant[tenant] if each.left > 0), key=self._rank)
            waiting.left -= 1
            waiting.in_flight += 1
            in_flight[tenant] += 1
            if tenant in allowed:
                allowed[tenant] -= 1
            self._clock += 1
            self._tenants[tenant] = self._jobs[waiting.job.job_id] = self._clock
            chosen.append(waiting.job.job_id)
        return chosen

    def _rank(self, waiting: _Waiting) -> tuple[int, int, int, str]:
        job = waiting.job
        return job.priority, waiting.in_flight, self._jobs[job.job_id], job.job_id
