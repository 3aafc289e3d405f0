import datetime
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from packshot.client import (
    DeadlineExceededError,
    InvalidArgumentError,
    PackshotClient,
    PackshotError,
    Photo,
    Region,
    UnauthenticatedError,
    UnavailableError,
)
from packshot.v1.image_pb2 import BoundingBox
from packshot.v1.packshot_pb2 import (
    OUTPUT_JPEG,
    OUTPUT_TRANSPARENT_PNG,
    CanvasOptions,
    LayoutOptions,
    ProcessImageResponse,
    ProcessOptions,
)
from packshot.v1.report_pb2 import VERDICT_REVIEW, Report
from packshot.v1.rules_pb2 import RulePack
from services.common.errors import ServiceError, invalid_argument
from tests.helpers.scripted_gateway import ScriptedGateway, make_report, serving

NOT_AN_IMAGE = invalid_argument("photo", "PHOTO_NOT_AN_IMAGE", "the bytes are no image")
OVERLOADED = ServiceError(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "try later", retry_after_s=1.5)


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway(outcomes={b"notes": NOT_AN_IMAGE, b"busy": OVERLOADED})


@pytest.fixture
def client(gateway: ScriptedGateway) -> Iterator[PackshotClient]:
    with serving(gateway) as address, PackshotClient(address, timeout_s=20) as client:
        yield client


@pytest.fixture
def mug(tmp_path: Path) -> Path:
    path = tmp_path / "mug.jpg"
    path.write_bytes(b"mug")
    return path


class TestProcess:
    def test_a_photo_comes_back_with_its_report(self, client: PackshotClient, mug: Path) -> None:
        answer = client.process(mug, request_id="order-7")
        assert answer.request_id == "order-7"
        assert answer.results[0].images[0].content == b"OUTPUT_JPEG of mug"
        assert answer.results[0].report.compliant

    def test_arguments_become_options(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        client.process(
            b"mug",
            marketplaces=["amazon-us", "amazon-de"],
            category="home-kitchen",
            outputs=["jpeg", "transparent_png"],
            region_of_interest=Region(10, 20, 300, 400),
            margin=0.05,
            canvas_px=(1600, 1200),
            jpeg_quality=90,
            as_of=datetime.date(2026, 11, 20),
        )
        assert gateway.requests[0].options == ProcessOptions(
            marketplaces=["amazon-us", "amazon-de"],
            category="home-kitchen",
            outputs=[OUTPUT_JPEG, OUTPUT_TRANSPARENT_PNG],
            region_of_interest=BoundingBox(x=10, y=20, width=300, height=400),
            layout=LayoutOptions(margin=0.05),
            canvas=CanvasOptions(width_px=1600, height_px=1200, jpeg_quality=90),
            as_of_date="2026-11-20",
        )

    def test_without_arguments_everything_is_up_to_the_pack(
        self, client: PackshotClient, gateway: ScriptedGateway
    ) -> None:
        client.process(b"mug")
        assert gateway.requests[0].options == ProcessOptions()

    def test_fill_and_margin_contradict_each_other(self, client: PackshotClient) -> None:
        with pytest.raises(ValueError, match="not both"):
            client.process(b"mug", fill_ratio=0.9, margin=0.05)

    def test_a_photo_above_20_mib_travels_in_chunks(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        photo = b"tall" * (5 * 2**20) + b"!"
        gateway.outcomes = {photo: make_report(VERDICT_REVIEW)}
        answer = client.process(photo, request_id="big-one")
        assert answer.results[0].report.verdict == VERDICT_REVIEW  # known by its bytes: all arrived, in order
        first, *chunks = gateway.requests
        assert first.item.item_id == "big-one"
        assert max(len(request.chunk.data) for request in chunks) == 128 * 2**10

    def test_a_photo_of_exactly_20_mib_travels_at_once(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        client.process(bytes(20 * 2**20))
        assert gateway.streams == 0

    def test_an_error_of_a_chunked_photo_is_raised(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        photo = bytes(20 * 2**20 + 1)
        gateway.outcomes = {photo: NOT_AN_IMAGE}
        with pytest.raises(InvalidArgumentError, match="no image"):
            client.process(photo)


class TestErrors:
    def test_name_reason_field_and_file(self, client: PackshotClient, tmp_path: Path) -> None:
        notes = tmp_path / "notes.jpg"
        notes.write_bytes(b"notes")
        with pytest.raises(InvalidArgumentError) as caught:
            client.process(notes)
        error = caught.value
        assert error.reason == "PHOTO_NOT_AN_IMAGE"
        assert [violation.field for violation in error.field_violations] == ["photo"]
        assert error.file == str(notes)
        assert str(error).startswith(f"{notes}: ")

    def test_say_when_to_try_again(self, client: PackshotClient) -> None:
        with pytest.raises(PackshotError) as caught:
            client.process(b"busy", timeout_s=1)  # too short to do so
        assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert caught.value.retry_after_s == 1.5

    def test_a_file_that_is_not_there(self, client: PackshotClient, tmp_path: Path) -> None:
        with pytest.raises(InvalidArgumentError, match=r"missing\.jpg: cannot be read: no such file") as caught:
            client.process(tmp_path / "missing.jpg")
        assert caught.value.reason == "PHOTO_UNREADABLE"

    def test_a_photo_without_bytes(self, client: PackshotClient) -> None:
        with pytest.raises(InvalidArgumentError, match="the photo holds no bytes"):
            client.process(b"")

    @pytest.mark.parametrize("method", ["check", "cut_out"])
    def test_too_large_for_a_method_without_stream(self, client: PackshotClient, method: str) -> None:
        with pytest.raises(InvalidArgumentError, match=r"20\.0 MiB large, the limit here is 20 MiB"):
            getattr(client, method)(bytes(20 * 2**20 + 1))

    def test_nobody_there(self) -> None:
        with PackshotClient("127.0.0.1:1") as client, pytest.raises(UnavailableError) as caught:
            client.process(b"mug")
        assert caught.value.reason == "SERVER_UNREACHABLE"
        assert "127.0.0.1:1" in caught.value.message

    def test_deadline(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        gateway.outcomes = {b"slow": _slow(2)}
        with pytest.raises(DeadlineExceededError):
            client.process(b"slow", timeout_s=0.1)

    def test_api_key(self, gateway: ScriptedGateway) -> None:
        gateway.api_key = "secret"
        with serving(gateway) as address:
            with PackshotClient(address, api_key="secret") as client:
                client.process(b"mug")
            with PackshotClient(address, api_key="wrong") as client, pytest.raises(UnauthenticatedError) as caught:
                client.process(b"mug")
        assert caught.value.reason == "API_KEY_INVALID"

    @pytest.mark.parametrize("key", ["", "secret\n", "pass word", "schlüssel"])
    def test_what_cannot_be_a_key_is_refused_at_once(self, key: str) -> None:
        with pytest.raises(ValueError, match="api_key"):
            PackshotClient("127.0.0.1:1", api_key=key)

    def test_a_call_is_repeated_while_the_gateway_is_replaced(
        self, client: PackshotClient, gateway: ScriptedGateway
    ) -> None:
        gateway.unavailable = 2
        client.process(bytes(5 * 2**20))  # larger than gRPC repeats by default
        assert len(gateway.requests) == 3

    def test_a_gateway_that_is_full_is_asked_again_when_it_wants(self, gateway: ScriptedGateway) -> None:
        full = ServiceError(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "try later", retry_after_s=0.2)
        answers: list[ServiceError | Report] = [full, full, make_report()]

        def next_answer() -> Report:
            answer = answers.pop(0)
            if isinstance(answer, ServiceError):
                raise answer
            return answer

        gateway.outcomes = {b"mug": next_answer}
        with serving(gateway) as address, PackshotClient(address) as client:
            started = time.monotonic()
            assert client.process(b"mug").results
            assert time.monotonic() - started >= 0.4

    def test_a_gateway_that_answered_is_waited_for_while_it_restarts(self, tmp_path: Path) -> None:
        address = f"unix:{tmp_path}/gateway"
        with PackshotClient(address) as client:
            with serving(ScriptedGateway(), address):
                client.process(b"mug")
            with ThreadPoolExecutor() as callers:
                photo = callers.submit(client.process, b"mug")
                with pytest.raises(TimeoutError):
                    photo.result(3)  # gRPC's own tries end before
                with serving(ScriptedGateway(), address):
                    assert photo.result(20).results


class TestProcessMany:
    def test_answers_come_as_they_finish(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        second_is_out = threading.Event()

        def first() -> Report:
            second_is_out.wait(10)
            return make_report()

        gateway.outcomes = {b"first": first}
        order = []
        for item_id, _ in client.process_many([("a", b"first"), ("b", b"second")]):
            order.append(item_id)
            second_is_out.set()
        assert order == ["b", "a"]

    def test_one_bad_photo_does_not_stop_the_others(self, client: PackshotClient, mug: Path, tmp_path: Path) -> None:
        notes = tmp_path / "notes.jpg"
        notes.write_bytes(b"notes")
        photos: list[tuple[str, Photo]] = [
            ("notes", notes),
            ("missing", tmp_path / "missing.jpg"),
            ("empty", b""),
            ("mug", mug),
        ]
        outcomes = dict(client.process_many(photos))
        reasons = {key: value.reason for key, value in outcomes.items() if isinstance(value, PackshotError)}
        assert reasons == {
            "notes": "PHOTO_NOT_AN_IMAGE",
            "missing": "PHOTO_UNREADABLE",
            "empty": "PHOTO_EMPTY",
        }
        assert isinstance(outcomes["notes"], InvalidArgumentError)
        assert outcomes["notes"].file == str(notes)
        assert isinstance(outcomes["mug"], ProcessImageResponse)

    def test_no_more_than_concurrency_are_unanswered(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        taken = 0

        def photos() -> Iterator[tuple[str, bytes]]:
            nonlocal taken
            for taken in range(1, 13):
                yield str(taken), b"mug"

        answered = 0
        for _ in client.process_many(photos(), concurrency=3):
            answered += 1
            assert taken - answered < 3
        assert answered == 12
        assert gateway.max_unanswered <= 3

    def test_large_and_small_photos_share_a_stream(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        large = bytes(20 * 2**20 + 1)
        gateway.outcomes = {large: make_report(VERDICT_REVIEW)}
        outcomes = dict(client.process_many([("large", large), ("small", b"mug")]))
        assert isinstance(outcomes["large"], ProcessImageResponse)
        assert outcomes["large"].results[0].report.verdict == VERDICT_REVIEW
        assert gateway.streams == 1

    def test_a_broken_stream_is_taken_up_again(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        gateway.answers_per_stream = 2
        outcomes = dict(client.process_many([(str(i), b"mug") for i in range(5)], concurrency=2))
        assert sorted(outcomes) == ["0", "1", "2", "3", "4"]
        assert all(isinstance(outcome, ProcessImageResponse) for outcome in outcomes.values())
        assert gateway.streams == 3

    def test_a_gateway_that_is_being_replaced_is_waited_for(
        self, client: PackshotClient, gateway: ScriptedGateway
    ) -> None:
        gateway.unavailable = 5  # one more than gRPC itself tries
        ((_, outcome),) = client.process_many([("mug", b"mug")])
        assert isinstance(outcome, ProcessImageResponse)

    def test_a_stream_that_never_works_is_given_up(self) -> None:
        with PackshotClient("127.0.0.1:1") as client, pytest.raises(UnavailableError) as caught:
            list(client.process_many([("mug", b"mug")]))
        assert caught.value.reason == "SERVER_UNREACHABLE"

    def test_a_wrong_key_ends_it_at_once(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        gateway.api_key = "secret"
        with pytest.raises(UnauthenticatedError):
            list(client.process_many([("mug", b"mug")]))
        assert gateway.streams == 1

    def test_silence_ends_it(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        gateway.outcomes = {b"slow": _slow(2)}
        with pytest.raises(DeadlineExceededError):
            list(client.process_many([("slow", b"slow")], timeout_s=0.2))

    def test_leaving_early_ends_the_call(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        answers = client.process_many([(str(i), b"mug") for i in range(100)], concurrency=2)
        next(answers)
        answers.close()  # type: ignore[attr-defined]  # a generator
        gateway.ended_streams.get(timeout=30)

    def test_nothing_in_nothing_out(self, client: PackshotClient) -> None:
        assert list(client.process_many([])) == []

    def test_ids_must_be_unique(self, client: PackshotClient) -> None:
        with pytest.raises(ValueError, match="unique"):
            list(client.process_many([("mug", b"one"), ("mug", b"two")]))

    def test_concurrency_must_be_positive(self, client: PackshotClient) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            client.process_many([], concurrency=0)


class TestOtherMethods:
    def test_check(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        answer = client.check(
            b"mug", marketplaces=["amazon-us", "amazon-jp"], as_of=datetime.date(2026, 1, 2), request_id="r"
        )
        assert [report.marketplace for report in answer.reports] == ["amazon-us", "amazon-jp"]
        assert gateway.requests[0].as_of_date == "2026-01-02"

    def test_cut_out(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        answer = client.cut_out(b"mug", region_of_interest=Region(1, 2, 3, 4), keep_background=True)
        assert answer.png == b"cutout of mug"
        assert gateway.requests[0].keep_background
        assert gateway.requests[0].region_of_interest == BoundingBox(x=1, y=2, width=3, height=4)

    def test_rule_packs(self, client: PackshotClient, gateway: ScriptedGateway) -> None:
        gateway.packs = [RulePack(id="amazon-us"), RulePack(id="amazon-de", title="Amazon Germany")]
        assert [pack.id for pack in client.list_rule_packs()] == ["amazon-us", "amazon-de"]
        assert client.get_rule_pack("amazon-de").title == "Amazon Germany"
        with pytest.raises(InvalidArgumentError, match="amazon-xx"):
            client.get_rule_pack("amazon-xx")


def _slow(seconds: float) -> Callable[[], Report]:
    def report() -> Report:
        time.sleep(seconds)
        return make_report()

    return report
