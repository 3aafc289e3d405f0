"""Fair between tenants, fair between jobs, and nobody waits for ever."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.state.work import WaitingJob
from services.gateway.worker.fairness import Turns


def job(name: str, waiting: int, *, tenant: str = "acme", priority: int = 5, in_flight: int = 0) -> WaitingJob:
    return WaitingJob(tenant=tenant, job_id=name, priority=priority, waiting=waiting, in_flight=in_flight)


def test_a_small_job_beside_a_huge_one_goes_every_other_time() -> None:
    chosen = Turns().choose([job("huge", 10_000), job("small", 5)], room=10)
    assert Counter(chosen) == {"huge": 5, "small": 5}
    assert "small" in chosen[:2]


def test_a_small_job_that_comes_later_goes_first_until_it_has_as_much_in_flight() -> None:
    chosen = Turns().choose([job("huge", 10_000, in_flight=16), job("small", 5)], room=6)
    assert chosen == ["small"] * 5 + ["huge"]


def test_a_tenant_with_many_jobs_gets_no_more_than_one_with_few() -> None:
    many = [job(f"many-{number}", 100) for number in range(9)]
    chosen = Turns().choose([*many, job("only", 100, tenant="beta")], room=20)
    assert Counter(chosen)["only"] == 10


def test_priorities_are_kept_within_a_tenant_and_mean_nothing_between_tenants() -> None:
    jobs = [job("late", 9, priority=9), job("urgent", 2, priority=1), job("other", 9, tenant="beta", priority=9)]
    chosen = Turns().choose(jobs, room=8)
    assert [name for name in chosen if name != "other"] == ["urgent", "urgent", "late", "late"]
    assert Counter(chosen)["other"] == 4


def test_who_waited_goes_before_a_stream_of_new_jobs() -> None:
    turns = Turns()
    served = [turns.choose([job("old", 100), job(f"new-{number}", 1)], room=1)[0] for number in range(10)]
    assert served.count("old") >= 5


def test_tenants_take_turns_although_what_they_have_in_flight_ends_at_once() -> None:
    turns = Turns()
    jobs = [job("a", 100, tenant="acme"), job("b", 100, tenant="beta"), job("c", 100, tenant="coda")]
    served = Counter(turns.choose(jobs, room=1)[0] for _ in range(30))
    assert served == {"a": 10, "b": 10, "c": 10}


def test_nothing_waiting_or_no_room_chooses_nothing() -> None:
    assert Turns().choose([], room=5) == []
    assert Turns().choose([job("a", 5)], room=0) == []
    assert Turns().choose([job("a", 5)], room=-3) == []


def test_a_tenant_gets_no_more_than_it_is_allowed_and_others_get_the_rest() -> None:
    chosen = Turns().choose(
        [job("a", 100, tenant="acme"), job("b", 100, tenant="beta")], room=10, allowances={"acme": 2}
    )
    assert Counter(chosen) == {"a": 2, "b": 8}
    assert Turns().choose([job("a", 100)], room=10, allowances={"acme": 0}) == []


JOBS = st.lists(
    st.builds(
        WaitingJob,
        tenant=st.sampled_from(["acme", "beta", "coda"]),
        job_id=st.uuids().map(str),
        priority=st.integers(1, 9),
        waiting=st.integers(0, 30),
        in_flight=st.integers(0, 10),
    ),
    max_size=8,
)


@given(JOBS, st.integers(0, 60))
def test_what_is_chosen_waits_and_fits(jobs: list[WaitingJob], room: int) -> None:
    chosen = Counter(Turns().choose(jobs, room))
    assert chosen.total() == min(room, sum(job.waiting for job in jobs))
    for each in jobs:
        assert chosen[each.job_id] <= each.waiting


@given(JOBS, st.integers(0, 60))
def test_no_tenant_that_still_waits_has_less_in_flight_than_one_that_was_served(
    jobs: list[WaitingJob], room: int
) -> None:
    chosen = Counter(Turns().choose(jobs, room))
    in_flight: Counter[str] = Counter()
    still_waits, was_served = set(), set()
    for each in jobs:
        in_flight[each.tenant] += each.in_flight + chosen[each.job_id]
        if chosen[each.job_id] < each.waiting:
            still_waits.add(each.tenant)
        if chosen[each.job_id]:
            was_served.add(each.tenant)
    for waiting in still_waits:
        for served in was_served - {waiting}:
            assert in_flight[served] <= in_flight[waiting] + 1


@given(JOBS, st.integers(1, 5))
def test_nobody_starves(jobs: list[WaitingJob], room: int) -> None:
    """Whatever is served ends before the next choice: everything has had its turn after as many choices as items."""
    turns = Turns()
    left = {each.job_id: each.waiting for each in jobs}
    for _ in range(sum(left.values())):
        for name in turns.choose(
            [WaitingJob(j.tenant, j.job_id, j.priority, left[j.job_id], 0) for j in jobs if left[j.job_id]], room
        ):
            left[name] -= 1
    assert not any(left.values())
