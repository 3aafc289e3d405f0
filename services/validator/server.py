"""Composition root of the validator."""

import asyncio

import grpc

from packshot.v1 import validator_pb2_grpc
from services.common.decoder.isolated import create_decoder
from services.common.executor import BoundedExecutor
from services.common.server import Service, StartError
from services.validator.metrics import RULE_PACK_INFO
from services.validator.pack_loader import load_packs
from services.validator.service import ValidatorServicer
from services.validator.settings import ValidatorSettings
from services.validator.strict_yaml import PackError


def create(settings: ValidatorSettings) -> Service:
    """The validator with all packs of its rules folder.

    Raises:
        StartError: A rule pack cannot be used.
    """
    try:
        packs = load_packs(settings.rules_dir)
    except (PackError, OSError) as error:
        raise StartError(f"the rules in {settings.rules_dir} cannot be used (VALIDATOR_RULES_DIR): {error}") from error
    executor = BoundedExecutor(settings.workers, settings.queue_size)
    decoder = create_decoder(settings)
    servicer = ValidatorServicer(packs, executor, decoder.decode)
    for pack in packs:
        RULE_PACK_INFO.labels(pack.id, pack.version, pack.hash).set(1)

    def register(server: grpc.aio.Server) -> None:
        validator_pb2_grpc.add_ValidatorServiceServicer_to_server(servicer, server)

    async def ready() -> None:
        await asyncio.to_thread(decoder.start)

    async def close() -> None:
        await executor.close()
        await asyncio.to_thread(decoder.close)

    return Service("validator", ("packshot.v1.ValidatorService",), register, close, ready)
