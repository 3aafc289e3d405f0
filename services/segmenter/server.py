"""Composition root of the segmenter."""

import grpc
import structlog

from packshot.v1 import segmenter_pb2_grpc
from services.common.executor import BoundedExecutor
from services.common.server import Service, StartError
from services.segmenter.classical import ClassicalProposer
from services.segmenter.onnx_model import ModelError, OnnxProposer
from services.segmenter.proposal import Proposer
from services.segmenter.registry import MODELS
from services.segmenter.service import SegmenterServicer
from services.segmenter.settings import SegmenterSettings

log = structlog.get_logger()


def create(settings: SegmenterSettings) -> Service:
    """The segmenter with its proposers, models loaded.

    Raises:
        StartError: A proposer is not known, or a model's weights are missing or not the published ones.
    """
    proposers = [_proposer(name, settings) for name in settings.proposers]
    executor = BoundedExecutor(settings.workers, settings.queue_size)
    servicer = SegmenterServicer(proposers, executor)

    def register(server: grpc.aio.Server) -> None:
        segmenter_pb2_grpc.add_SegmenterServiceServicer_to_server(servicer, server)

    async def ready() -> None:
        # Not while they load: the log has no form before the service is made.
        for model in proposers:
            if isinstance(model, OnnxProposer):
                log.info("model loaded", model=model.name, sha256=model.weights_sha256, published=model.is_published)

    return Service("packshot.v1.SegmenterService", register, executor.close, ready)


def _proposer(name: str, settings: SegmenterSettings) -> Proposer:
    if name == ClassicalProposer.name:
        return ClassicalProposer()
    spec = MODELS.get(name)
    if spec is None:
        known = ", ".join((ClassicalProposer.name, *sorted(MODELS)))
        raise StartError(f"unknown proposer {name!r} in SEGMENTER_PROPOSERS; known are {known}")
    weights = settings.models_dir / spec.weights_file
    try:
        return OnnxProposer(spec, weights, sha256=settings.weights_sha256.get(name), threads=settings.onnx_threads)
    except ModelError as error:
        raise StartError(f"{error} (the folder is SEGMENTER_MODELS_DIR)") from error
