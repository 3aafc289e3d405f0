from io import StringIO

from rich.console import Console

from packshot.cli.bulk_progress import Progress, showing_progress
from packshot.v1.jobs_pb2 import JobCounts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_speed_and_time_left_are_those_of_this_run() -> None:
    clock, said = Clock(), list[str]()
    before = JobCounts(total=100, succeeded=40, publish=40)
    progress = Progress(before, lambda text, _: said.append(text), clock)
    clock.now = 30
    progress.show(JobCounts(total=100, succeeded=49, failed=1, publish=46, review=3))
    progress.fetched(9)
    assert said == [
        "50 of 100 done: 46 publish, 3 review, 1 failed; 20 a minute, about 2 min left",
        "50 of 100 done: 46 publish, 3 review, 1 failed; 20 a minute, about 2 min left; 9 files here",
    ]


def test_nothing_is_promised_before_there_is_a_speed() -> None:
    said = list[str]()
    progress = Progress(JobCounts(), lambda text, _: said.append(text), Clock())
    progress.show(JobCounts())
    progress.show(JobCounts(total=3))
    assert said == ["0 done", "0 of 3 done"]


def test_lines_where_nobody_watches_and_no_more_than_needed() -> None:
    written = StringIO()
    with showing_progress(JobCounts(total=9), Console(file=written, width=200)) as progress:
        for done in range(1, 10):
            progress.show(JobCounts(total=9, succeeded=done, publish=done))
    assert written.getvalue() == "1 of 9 done: 1 publish\n"


def test_a_bar_where_somebody_does() -> None:
    written = StringIO()
    console = Console(file=written, force_terminal=True, width=200)
    with showing_progress(JobCounts(total=9), console) as progress:
        progress.show(JobCounts(total=9, succeeded=4, publish=4))
    assert "4 of 9 done: 4 publish" in written.getvalue()
