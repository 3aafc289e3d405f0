"""The API's own rules, read off its descriptors."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from packshot.v1 import compositor_pb2, packshot_pb2, segmenter_pb2, validator_pb2

FILES = (packshot_pb2, segmenter_pb2, compositor_pb2, validator_pb2)


def methods() -> Iterator[MethodDescriptor]:
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def fields_of_requests() -> Iterator[FieldDescriptor]:
    for method in methods():
        yield from method.input_type.fields


@pytest.mark.parametrize("method", list(methods()), ids=lambda method: method.full_name)
def test_every_method_has_its_own_request_and_response(method: MethodDescriptor) -> None:
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"


@pytest.mark.parametrize("field", list(fields_of_requests()), ids=lambda field: field.full_name)
def test_whatever_a_caller_sends_is_bounded(field: FieldDescriptor) -> None:
    if field.type in (FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_STRING):
        assert field.GetOptions().SerializeToString(), f"{field.full_name} has no constraint"
