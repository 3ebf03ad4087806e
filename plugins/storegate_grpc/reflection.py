"""Server reflection, versions v1 and v1alpha: what `grpcurl list` and `describe` ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from storegate_proto.info.infopb import rpc_pb2 as info_pb2
from storegate_proto.store.hintspb import hints_pb2
from storegate_proto.store.storepb import rpc_pb2

V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
OWN_ROOT = "storegate_proto/"  # clients know the files by the names that Thanos gives them, without it


def reflection_servicer(services: Iterable[str]) -> Any:
    """Answers for `services`. Its descriptors are a copy of their own: file names as in Thanos, and reflection v1.

    grpcio-reflection knows v1alpha only; v1 has the same messages under another package name.
    """
    pool = DescriptorPool()
    known: set[str] = set()
    for module in (rpc_pb2, info_pb2, hints_pb2, health_pb2, reflection_pb2):
        _add(pool, module.DESCRIPTOR, known)
    pool.Add(_reflection_v1())
    return aio.ReflectionServicer(services, pool=pool)


def _add(pool: DescriptorPool, file: FileDescriptor, known: set[str]) -> None:
    if file.name in known:
        return
    known.add(file.name)
    for dependency in file.dependencies:
        _add(pool, dependency, known)
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    proto.name = proto.name.removeprefix(OWN_ROOT)
    for position, name in enumerate(proto.dependency):
        proto.dependency[position] = name.removeprefix(OWN_ROOT)
    pool.Add(proto)


def _reflection_v1() -> FileDescriptorProto:
    proto = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    proto.name = "grpc/reflection/v1/reflection.proto"
    old, new = f".{proto.package}.", ".grpc.reflection.v1."
    proto.package = "grpc.reflection.v1"
    for message in proto.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(old, new)
    for method in proto.service[0].method:
        method.input_type = method.input_type.replace(old, new)
        method.output_type = method.output_type.replace(old, new)
    return proto
