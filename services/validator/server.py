"""Composition root of the validator."""

import grpc

from packshot.v1 import validator_pb2_grpc
from services.common.executor import BoundedExecutor
from services.common.server import Service, StartError
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
    servicer = ValidatorServicer(packs, executor)

    def register(server: grpc.aio.Server) -> None:
        validator_pb2_grpc.add_ValidatorServiceServicer_to_server(servicer, server)

    return Service("validator", ("packshot.v1.ValidatorService",), register, close=executor.close)
