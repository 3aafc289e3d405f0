"""Puts the schema of protovalidate's annotations into protobuf's descriptor pool.

The generated stubs need `buf/validate/validate.proto` there before they can be loaded. protovalidate carries the
schema inside itself, so it is taken from there instead of from a copy.
"""

import protovalidate
from google.protobuf import (
    descriptor_pb2,  # noqa: F401  the schema imports it
    descriptor_pool,
    duration_pb2,  # noqa: F401
    field_mask_pb2,  # noqa: F401
    timestamp_pb2,  # noqa: F401
)

_POOL = descriptor_pool.Default()

try:
    _POOL.FindFileByName("buf/validate/validate.proto")
except KeyError:
    _POOL.AddSerializedFile(protovalidate.ViolationPb.desc().file.proto.to_binary())
