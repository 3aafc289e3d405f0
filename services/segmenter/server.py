"""Composition root of the segmenter."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import grpc
import structlog

from packshot.v1 import segmenter_pb2_grpc
from services.common.decoder.isolated import create_decoder
from services.common.executor import BoundedExecutor
from services.common.server import Service, StartError
from services.segmenter.classical import ClassicalProposer
from services.segmenter.description import describe
from services.segmenter.fallback import FallbackProposer, FallbackRefiner
from services.segmenter.learned import LearnedProposer
from services.segmenter.metrics import MODEL_INFO
from services.segmenter.model import ModelError
from services.segmenter.model_files import digest_of, weights_path
from services.segmenter.onnx_model import OnnxModel
from services.segmenter.proposal import Proposer, Refiner
from services.segmenter.registry import MODELS, ModelSpec
from services.segmenter.sam.checkpoints import is_published
from services.segmenter.sam.sam_model import DECODER, ENCODER, SamModel
from services.segmenter.sam.sam_proposer import SamProposer
from services.segmenter.service import SegmenterServicer
from services.segmenter.settings import SegmenterSettings

if TYPE_CHECKING:
    from services.segmenter.triton_model import Triton

log = structlog.get_logger()

_UNSTATED: Final = "unstated"


def create(settings: SegmenterSettings) -> Service:
    """The segmenter with its proposers, models loaded; with Triton, on the event loop it will serve on.

    Raises:
        StartError: A proposer is not known, a model's weights are missing or not the ones asked for, or what the
            backend needs is not installed.
    """
    names = [name for name in settings.proposers if name != SamProposer.name]
    with_sam = len(names) < len(settings.proposers)
    if not names:
        raise StartError(
            "sam in SEGMENTER_PROPOSERS refines what others propose; name at least one of them, e.g. classical,sam"
        )
    specs = {name: _spec(name) for name in names if name != ClassicalProposer.name}
    runs_here = settings.backend == "local" or settings.fallback == "local"
    local = {name: _local(spec, settings) for name, spec in specs.items()} if runs_here else {}
    local_sam = _local_sam(settings) if with_sam and runs_here else None
    triton = _triton(settings) if settings.backend == "triton" else None

    def proposer(name: str) -> Proposer:
        if name == ClassicalProposer.name:
            return ClassicalProposer()
        spec = specs[name]
        if triton is None:
            return LearnedProposer(spec, local[name])
        served = LearnedProposer(spec, triton.model(spec, settings.weights_sha256.get(name)))
        return FallbackProposer(served, LearnedProposer(spec, local[name])) if runs_here else served

    def refiner() -> Refiner | None:
        if triton is None or not with_sam:
            return SamProposer(local_sam) if local_sam is not None else None
        encoder, decoder = (
            triton.network(half.name, half.inputs, half.outputs, settings.weights_sha256.get(half.name))
            for half in (ENCODER, DECODER)
        )
        served = SamProposer(SamModel(encoder, decoder))
        return FallbackRefiner(served, SamProposer(local_sam)) if local_sam is not None else served

    proposers = [proposer(name) for name in names]
    executor = BoundedExecutor(settings.workers, settings.queue_size)
    decoder = create_decoder(settings)
    weights = {name: _weights(name, local, settings) for name in (*names, *((SamProposer.name,) if with_sam else ()))}
    description = describe(weights)
    for name, digest in weights.items():
        MODEL_INFO.labels(name, digest).set(1)
    servicer = SegmenterServicer(proposers, executor, description, refiner(), decoder.decode)

    def register(server: grpc.aio.Server) -> None:
        segmenter_pb2_grpc.add_SegmenterServiceServicer_to_server(servicer, server)

    async def ready() -> None:
        await asyncio.to_thread(decoder.start)
        # Not while they load: the log has no form before the service is made.
        for model in local.values():
            log.info("model loaded", model=model.name, sha256=model.weights_sha256, published=model.is_published)
        if local_sam is not None:
            digest = local_sam.checkpoint_sha256
            log.info("model loaded", model=SamProposer.name, checkpoint_sha256=digest, published=is_published(digest))

    async def close() -> None:
        await executor.close()
        await asyncio.to_thread(decoder.close)
        if triton is not None:
            await triton.close()

    healthy = triton.is_ready if triton is not None and settings.fallback == "none" else None
    return Service("segmenter", ("packshot.v1.SegmenterService",), register, close, ready, healthy=healthy)


def _spec(name: str) -> ModelSpec:
    spec = MODELS.get(name)
    if spec is None:
        known = ", ".join((ClassicalProposer.name, SamProposer.name, *sorted(MODELS)))
        raise StartError(f"unknown proposer {name!r} in SEGMENTER_PROPOSERS; known are {known}")
    return spec


def _weights(name: str, local: Mapping[str, OnnxModel], settings: SegmenterSettings) -> str:
    """Digests of what a proposer runs; "" for one without weights."""
    if name == ClassicalProposer.name:
        return ""
    parts = (ENCODER.name, DECODER.name) if name == SamProposer.name else (name,)
    if settings.backend == "triton":  # which checks those that settings name, and says nothing of others
        return "+".join(settings.weights_sha256.get(part, _UNSTATED).lower() for part in parts)
    if name == SamProposer.name:
        return "+".join(digest_of(settings.models_dir / half.file) for half in (ENCODER, DECODER))
    return local[name].weights_sha256


def _local(spec: ModelSpec, settings: SegmenterSettings) -> OnnxModel:
    weights = weights_path(spec, settings.models_dir)
    try:
        return OnnxModel(spec, weights, sha256=settings.weights_sha256.get(spec.name), threads=settings.onnx_threads)
    except ModelError as error:
        raise StartError(f"{error} (the folder is SEGMENTER_MODELS_DIR)") from error


def _local_sam(settings: SegmenterSettings) -> SamModel:
    try:
        return SamModel.load(settings.models_dir, settings.onnx_threads, settings.weights_sha256)
    except ModelError as error:
        raise StartError(f"{error} (the folder is SEGMENTER_MODELS_DIR)") from error


def _triton(settings: SegmenterSettings) -> Triton:
    try:
        from services.segmenter.triton_model import Triton
    except ImportError as error:
        raise StartError(
            f"SEGMENTER_BACKEND=triton needs what is not installed ({error}): pip install 'packshot[triton]'"
        ) from error
    return Triton(settings.triton_url, settings.triton_timeout_s)
