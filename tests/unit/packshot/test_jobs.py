from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from packshot.client import JobPhoto, PackshotClient, PackshotError, UnavailableError
from packshot.v1 import jobs_pb2 as pb
from packshot.v1.packshot_pb2 import OUTPUT_TRANSPARENT_PNG, ProcessOptions
from tests.helpers.scripted_jobs import ScriptedJobs, serving_jobs

NO_JOB = "job_" + "0" * 32
PHOTOS = [JobPhoto(key, key.encode(), sku=key.upper()) for key in ("mug", "cup", "pot")]


@pytest.fixture
def gateway() -> ScriptedJobs:
    return ScriptedJobs()


@pytest.fixture
def client(gateway: ScriptedJobs) -> Iterator[PackshotClient]:
    with serving_jobs(gateway) as address, PackshotClient(address, timeout_s=20) as client:
        yield client


class TestCreate:
    def test_of_urls_with_options(self, client: PackshotClient, gateway: ScriptedJobs) -> None:
        item = JobPhoto("", "https://shop.example/mug.jpg", sku="MUG", category="toys", marketplaces=["amazon-de"])
        job = client.jobs.create(
            items=[item], outputs=["transparent_png"], label="spring", priority=2, webhook_url="https://shop.example/wh"
        )
        assert job.label == "spring"
        (request,) = gateway.requests
        assert request.items.items[0] == pb.JobItemSource(
            url="https://shop.example/mug.jpg", sku="MUG", category="toys", marketplaces=["amazon-de"]
        )
        assert request.options == ProcessOptions(outputs=[OUTPUT_TRANSPARENT_PNG])
        assert (request.priority, request.webhook_url) == (2, "https://shop.example/wh")

    def test_of_a_catalogue_and_of_its_url(self, client: PackshotClient, gateway: ScriptedJobs) -> None:
        client.jobs.create(catalogue=b"sku,image_url\nmug,https://shop.example/mug.jpg\n")
        client.jobs.create(catalogue_url="https://shop.example/export.csv")
        assert gateway.requests[0].catalogue.startswith(b"sku,")
        assert gateway.requests[1].catalogue_url == "https://shop.example/export.csv"

    def test_without_a_request_id_every_call_makes_a_job(self, client: PackshotClient) -> None:
        first, second = (client.jobs.create(catalogue=b"sku,image_url\n") for _ in range(2))
        assert first.job_id != second.job_id

    def test_the_same_request_id_gives_the_same_job(self, client: PackshotClient) -> None:
        first, second = (client.jobs.create(catalogue=b"sku,image_url\n", request_id="spring") for _ in range(2))
        assert first.job_id == second.job_id

    def test_exactly_one_source(self, client: PackshotClient) -> None:
        with pytest.raises(ValueError, match="exactly one"):
            client.jobs.create()
        with pytest.raises(ValueError, match="exactly one"):
            client.jobs.create(catalogue=b"sku", uploads=PHOTOS)


class TestUpload:
    def test_files_travel_in_chunks_and_complete_the_job(
        self, client: PackshotClient, gateway: ScriptedJobs, tmp_path: Path
    ) -> None:
        photo = bytes(300 * 2**10)
        (tmp_path / "mug.jpg").write_bytes(photo)
        job = client.jobs.create(uploads=[JobPhoto("mug", tmp_path / "mug.jpg", sku="MUG")])
        assert gateway.uploads == ["mug"]
        assert gateway.jobs[job.job_id].contents == {"mug": b"packshot of " + photo}
        assert job.state == pb.JOB_STATE_COMPLETED

    def test_a_broken_upload_sends_only_what_is_missing(self, client: PackshotClient, gateway: ScriptedJobs) -> None:
        gateway.break_upload_after = 1
        job = client.jobs.create(uploads=PHOTOS)
        assert gateway.uploads == ["mug", "cup", "pot"]
        assert job.counts.total == 3

    def test_an_empty_photo_is_an_item_all_the_same(self, client: PackshotClient, gateway: ScriptedJobs) -> None:
        client.jobs.create(uploads=[JobPhoto("nothing", b""), *PHOTOS])
        assert gateway.uploads == ["nothing", "mug", "cup", "pot"]

    def test_a_file_that_cannot_be_read_is_named_and_leaves_the_job_open(
        self, client: PackshotClient, gateway: ScriptedJobs, tmp_path: Path
    ) -> None:
        job = client.jobs.create(uploads=())
        gone = JobPhoto("gone", tmp_path / "gone.jpg")
        with pytest.raises(PackshotError, match=r"gone\.jpg: cannot be read"):
            client.jobs.upload(job.job_id, [PHOTOS[0], gone])
        assert gateway.uploads == ["mug"]
        assert client.jobs.get(job.job_id).state == pb.JOB_STATE_OPEN


class TestWatch:
    def test_every_event_once_although_the_connection_breaks(
        self, client: PackshotClient, gateway: ScriptedJobs
    ) -> None:
        gateway.break_watch_after = 2
        job = client.jobs.create(uploads=PHOTOS)
        events = list(client.jobs.watch(job.job_id))
        assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
        assert events[-1].type == pb.JOB_EVENT_TYPE_COMPLETED
        assert gateway.calls["WatchJob"] == 3

    def test_begins_after_a_sequence(self, client: PackshotClient) -> None:
        job = client.jobs.create(uploads=PHOTOS)
        assert [event.sequence for event in client.jobs.watch(job.job_id, after_sequence=3)] == [4, 5]

    def test_a_job_without_news_ends_it_at_once(self, client: PackshotClient, gateway: ScriptedJobs) -> None:
        job = client.jobs.create(uploads=PHOTOS)
        assert list(client.jobs.watch(job.job_id, after_sequence=5)) == []
        assert gateway.calls["WatchJob"] == 0

    def test_patience_ends(self, gateway: ScriptedJobs) -> None:
        gateway.held = True
        with serving_jobs(gateway) as address:
            client = PackshotClient(address)
            job = client.jobs.create(catalogue=b"sku,image_url\nmug,\n")
            watch = client.jobs.watch(job.job_id, patience_s=1.0)
            next(watch)
        with client, pytest.raises(UnavailableError):
            next(watch)

    def test_nobody_there_is_said_at_once(self) -> None:
        with PackshotClient("127.0.0.1:1") as client, pytest.raises(UnavailableError) as caught:
            next(client.jobs.watch(NO_JOB))
        assert caught.value.reason == "SERVER_UNREACHABLE"


class TestLists:
    def test_go_on_over_pages(self, client: PackshotClient, gateway: ScriptedJobs) -> None:
        job = client.jobs.create(uploads=PHOTOS)
        assert [item.item_key for item in client.jobs.items(job.job_id)] == ["mug", "cup", "pot"]
        assert gateway.calls["ListJobItems"] == 1 + 2  # the upload asked once, in vain

    def test_of_certain_states(self, client: PackshotClient) -> None:
        job = client.jobs.create(catalogue=b"sku,image_url\nmug,\nbad-row,\n")
        client.jobs.create(uploads=())
        assert [item.sku for item in client.jobs.items(job.job_id, states=["failed"])] == ["bad-row"]
        assert [found.job_id for found in client.jobs.list(states=["completed"])] == [job.job_id]
        assert len(list(client.jobs.list())) == 2

    def test_states_have_names(self, client: PackshotClient) -> None:
        with pytest.raises(ValueError, match="choose from open, reading, running"):
            list(client.jobs.list(states=["done"]))  # type: ignore[list-item]

    def test_dead_letters(self, client: PackshotClient, gateway: ScriptedJobs) -> None:
        gateway.dead_letters = [pb.DeadLetter(dead_letter_id=f"dl_{i}", job_id=NO_JOB) for i in range(3)]
        assert [letter.dead_letter_id for letter in client.jobs.dead_letters()] == ["dl_0", "dl_1", "dl_2"]
        assert client.jobs.requeue_dead_letters(["dl_1"]) == 1
        assert client.jobs.requeue_dead_letters() == 3


class TestResults:
    def test_tables(self, client: PackshotClient) -> None:
        job = client.jobs.create(uploads=PHOTOS[:2])
        assert b"".join(client.jobs.results(job.job_id)) == b"RESULTS_FORMAT_CSV\nMUG\nCUP\n"
        assert next(client.jobs.results(job.job_id, format="json_lines")) == b"RESULTS_FORMAT_JSON_LINES\n"

    def test_files_are_held_against_their_digest(self, client: PackshotClient, gateway: ScriptedJobs) -> None:
        for wrong in (False, True):
            gateway.wrong_digests = wrong
            job = client.jobs.create(uploads=PHOTOS[:1])
            (item,) = client.jobs.items(job.job_id)
            if not wrong:
                assert client.jobs.download(job.job_id, item.item_key, item.files[0]) == b"packshot of mug"
        with pytest.raises(PackshotError) as caught:
            client.jobs.download(job.job_id, item.item_key, item.files[0])
        assert caught.value.reason == "DIGEST_MISMATCH"


def test_cancel_and_retry(client: PackshotClient, gateway: ScriptedJobs) -> None:
    gateway.held = True
    job = client.jobs.create(catalogue=b"sku,image_url\nmug,\ncup,\n")
    gateway.work(1)
    assert client.jobs.cancel(job.job_id).counts.cancelled == 1
    assert client.jobs.retry(job.job_id).retried == 1


def test_unknown_jobs_are_not_found(client: PackshotClient) -> None:
    with pytest.raises(PackshotError) as caught:
        client.jobs.get(NO_JOB)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND
