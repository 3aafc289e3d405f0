from typing import Any

from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.helpers.gateway import running_gateway
from tests.helpers.stages import Stages


async def test_reflection_lists_every_service_that_callers_may_call(stages: Stages) -> None:
    async with running_gateway(stages, REFLECTION="true") as gateway:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(gateway.channel)  # type: ignore[arg-type]
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        names = {
            service.name
            async for response in stub.ServerReflectionInfo(iter([request]))
            for service in response.list_services_response.service
        }
    assert {"packshot.v1.PackshotService", "packshot.v1.JobService", "packshot.v1.ReviewService"} <= names
