"""A gateway on a real gRPC server whose answers a test writes down beforehand: for what needs no pixels."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, NoReturn

import grpc
from grpc_status import rpc_status

from packshot.v1 import packshot_pb2 as pb
from packshot.v1.packshot_pb2_grpc import PackshotServiceServicer, add_PackshotServiceServicer_to_server
from packshot.v1.report_pb2 import (
    RESOLUTION_MANUAL,
    RULE_STATUS_FAIL,
    RULE_STATUS_PASS,
    SEVERITY_ERROR,
    VERDICT_PUBLISH,
    Confidence,
    Report,
    RulePackVersion,
    RuleResult,
    Verdict,
)
from packshot.v1.rules_pb2 import GetRulePackRequest, GetRulePackResponse, ListRulePacksResponse, RulePack
from services.common.errors import ServiceError, invalid_argument

Outcome = Report | ServiceError | Callable[[], Report]
"""What a photo gets: a report, an error, or a report that is made when it is asked for."""

DEFAULT_MARKETPLACE = "amazon-us"


def make_report(
    verdict: "Verdict.ValueType" = VERDICT_PUBLISH, *, compliant: bool = True, confidence: float = 0.93
) -> Report:
    """A report with one rule that passes, or fails."""
    rule = RuleResult(
        rule_id="background-white",
        title="The background is pure white",
        severity=SEVERITY_ERROR,
        status=RULE_STATUS_PASS if compliant else RULE_STATUS_FAIL,
        measurement="background_purity",
        measured="0.9991" if compliant else "0.62",
        required="≥ 0.99",
        why="" if compliant else "38 % of the background is not white",
        action="" if compliant else "Cut the product out again",
    )
    if not compliant:
        rule.resolution = RESOLUTION_MANUAL
    return Report(
        marketplace=DEFAULT_MARKETPLACE,
        as_of_date="2026-11-20",
        pack=RulePackVersion(id=DEFAULT_MARKETPLACE, version="1.2.0", hash="sha256:00"),
        compliant=compliant,
        rules=[rule],
        verdict=verdict,
        confidence=Confidence(value=confidence),
    )


@dataclass
class ScriptedGateway(PackshotServiceServicer):
    """Answers every photo by its bytes; what it was asked is kept for the test to look at.

    Args:
        outcomes: By the photo's bytes; other photos get `make_report()`.
        api_key: Calls without it are refused; None lets everybody in.
        unavailable: How many calls are refused as UNAVAILABLE before the first is answered.
        answers_per_stream: A stream breaks as UNAVAILABLE after this many answers; None never breaks one.
        packs: The rule packs there are.
    """

    outcomes: Mapping[bytes, Outcome] = field(default_factory=dict)
    api_key: str | None = None
    unavailable: int = 0
    answers_per_stream: int | None = None
    packs: list[RulePack] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    streams: int = 0
    max_unanswered: int = 0
    ended_streams: "SimpleQueue[None]" = field(default_factory=SimpleQueue)

    def ProcessImage(self, request: pb.ProcessImageRequest, context: Any) -> pb.ProcessImageResponse:  # noqa: N802
        self._admit(request, context)
        try:
            return self._process(request.photo, request.options, request.request_id)
        except ServiceError as error:
            _abort(context, error)

    def ProcessImages(  # noqa: N802
        self, request_iterator: Iterator[pb.ProcessImagesRequest], context: Any
    ) -> Iterator[pb.ProcessImagesResponse]:
        self.streams += 1
        self._admit(None, context)
        context.add_callback(lambda: self.ended_streams.put(None))
        answers: SimpleQueue[pb.ProcessImagesResponse | None] = SimpleQueue()
        threading.Thread(target=self._read, args=(request_iterator, answers), daemon=True).start()
        sent = 0
        while (answer := answers.get()) is not None:
            yield answer
            sent += 1
            if sent == self.answers_per_stream:
                context.abort(grpc.StatusCode.UNAVAILABLE, "going away")

    def CheckImage(self, request: pb.CheckImageRequest, context: Any) -> pb.CheckImageResponse:  # noqa: N802
        self._admit(request, context)
        try:
            reports = self._reports(request.image, request.marketplaces)
        except ServiceError as error:
            _abort(context, error)
        return pb.CheckImageResponse(request_id=request.request_id, reports=reports)

    def CutOutImage(self, request: pb.CutOutImageRequest, context: Any) -> pb.CutOutImageResponse:  # noqa: N802
        self._admit(request, context)
        try:
            report = self._reports(request.photo, ())[0]
        except ServiceError as error:
            _abort(context, error)
        return pb.CutOutImageResponse(
            request_id=request.request_id,
            png=b"cutout of " + request.photo,
            confidence=report.confidence,
            findings=report.findings,
        )

    def ListRulePacks(self, request: Any, context: Any) -> ListRulePacksResponse:  # noqa: N802
        self._admit(request, context)
        return ListRulePacksResponse(packs=self.packs)

    def GetRulePack(self, request: GetRulePackRequest, context: Any) -> GetRulePackResponse:  # noqa: N802
        self._admit(request, context)
        found = [pack for pack in self.packs if pack.id == request.id]
        if not found:
            _abort(context, invalid_argument("id", "UNKNOWN_MARKETPLACE", f"no pack {request.id!r}"))
        return GetRulePackResponse(pack=found[0])

    def _admit(self, request: Any, context: Any) -> None:
        if request is not None:
            self.requests.append(request)
        if self.unavailable:
            self.unavailable -= 1
            _abort(context, ServiceError(grpc.StatusCode.UNAVAILABLE, "STOPPING", "this gateway stops"))
        keys = [value for name, value in context.invocation_metadata() if name == "x-api-key"]
        if self.api_key is not None and keys != [self.api_key]:
            error = ServiceError(grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID", "the API key is not known")
            _abort(context, error)

    def _read(
        self,
        requests: Iterator[pb.ProcessImagesRequest],
        answers: "SimpleQueue[pb.ProcessImagesResponse | None]",
    ) -> None:
        uploads: dict[str, tuple[pb.StreamItem, bytearray]] = {}
        unanswered: set[str] = set()

        def answer(item: pb.StreamItem, photo: bytes) -> None:
            try:
                result = self._process(photo, item.options, item.item_id)
                response = pb.ProcessImagesResponse(item_id=item.item_id, result=result)
            except ServiceError as error:
                response = pb.ProcessImagesResponse(item_id=item.item_id, error=error.to_status())
            unanswered.discard(item.item_id)
            answers.put(response)

        try:
            with ThreadPoolExecutor(16) as pool:
                for request in requests:
                    self.requests.append(request)
                    if request.WhichOneof("message") == "chunk":
                        item, photo = uploads[request.chunk.item_id]
                        photo += request.chunk.data
                        if not request.chunk.last:
                            continue
                    else:
                        item, photo = request.item, bytearray(request.item.photo)
                        unanswered.add(item.item_id)
                        self.max_unanswered = max(self.max_unanswered, len(unanswered))
                        if not photo:
                            uploads[item.item_id] = (item, photo)
                            continue
                    pool.submit(answer, item, bytes(photo))
        except grpc.RpcError:
            pass  # the caller has gone
        answers.put(None)

    def _process(self, photo: bytes, options: pb.ProcessOptions, request_id: str) -> pb.ProcessImageResponse:
        kinds = options.outputs or [pb.OUTPUT_JPEG]
        results = [
            pb.MarketplaceResult(
                marketplace=report.marketplace,
                images=[
                    pb.EncodedImage(output=kind, content=pb.Output.Name(kind).encode() + b" of " + photo[:64])
                    for kind in kinds
                ],
                report=report,
                debug_images=[
                    pb.DebugImage(name=name, png=name.encode() + b" of " + photo[:64])
                    for name in ("matte", "trimap", "foreground", "halo", "worst-edge")
                    if options.debug
                ],
            )
            for report in self._reports(photo, options.marketplaces)
        ]
        return pb.ProcessImageResponse(request_id=request_id, results=results)

    def _reports(self, photo: bytes, marketplaces: Any) -> list[Report]:
        outcome = self.outcomes.get(photo) or make_report()
        if isinstance(outcome, ServiceError):
            raise outcome
        report = outcome if isinstance(outcome, Report) else outcome()
        reports = []
        for marketplace in list(marketplaces) or [report.marketplace]:
            reports.append(Report())
            reports[-1].CopyFrom(report)
            reports[-1].marketplace = marketplace
        return reports


@contextmanager
def serving(gateway: ScriptedGateway, address: str = "127.0.0.1:0") -> Iterator[str]:
    """Serves on a free port of this machine, or at a unix socket's address; yields the address."""
    server = grpc.server(
        ThreadPoolExecutor(32),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    add_PackshotServiceServicer_to_server(gateway, server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def _abort(context: Any, error: ServiceError) -> NoReturn:
    context.abort_with_status(rpc_status.to_status(error.to_status()))
    raise AssertionError("abort raises")
