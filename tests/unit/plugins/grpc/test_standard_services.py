"""Health and reflection."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

WAIT = 10.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
VERSIONS = ["grpc.reflection.v1", "grpc.reflection.v1alpha"]


def check(served, service=""):
    stub = health_pb2_grpc.HealthStub(served.channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=WAIT).status


def reflect(served, version, **request):
    call = served.channel.stream_stream(
        f"/{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    (answer,) = call(iter([reflection_pb2.ServerReflectionRequest(**request)]), timeout=WAIT)
    return answer


def files(answer):
    return [FileDescriptorProto.FromString(data) for data in answer.file_descriptor_response.file_descriptor_proto]


def test_a_ready_gateway_is_serving(served):
    assert check(served) == SERVING


def test_a_gateway_that_was_never_ready_is_not_serving(gateway, serve):
    gateway.ready = False
    assert check(serve()) == NOT_SERVING


def test_watchers_see_readiness_come_and_go(gateway, serve):
    gateway.ready = False
    served = serve()
    watch = health_pb2_grpc.HealthStub(served.channel).Watch(health_pb2.HealthCheckRequest(), timeout=WAIT)
    seen = [next(watch).status]
    gateway.set_ready(True)
    seen.append(next(watch).status)
    gateway.set_ready(False)
    seen.append(next(watch).status)
    watch.cancel()
    assert seen == [NOT_SERVING, SERVING, NOT_SERVING]


def test_other_services_are_not_found(served):
    with pytest.raises(grpc.RpcError) as caught:
        check(served, "thanos.Store")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_health_list_has_the_overall_status(served):
    stub = health_pb2_grpc.HealthStub(served.channel)
    assert stub.List(health_pb2.HealthListRequest(), timeout=WAIT).statuses[""].status == SERVING


@pytest.mark.parametrize("version", VERSIONS)
def test_reflection_lists_every_service(served, version):
    answer = reflect(served, version, list_services="")
    assert [service.name for service in answer.list_services_response.service] == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "thanos.Store",
        "thanos.info.Info",
    ]


def test_reflection_describes_the_store_with_the_file_names_of_thanos(served):
    answer = reflect(served, VERSIONS[0], file_containing_symbol="thanos.Store")
    names = {file.name for file in files(answer)}
    assert names == {
        "store/storepb/rpc.proto",
        "store/storepb/types.proto",
        "store/labelpb/types.proto",
        "google/protobuf/any.proto",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_reflection_describes_itself(served, version):
    (file,) = files(reflect(served, version, file_containing_symbol=f"{version}.ServerReflection"))
    assert file.package == version


def test_reflection_says_when_a_symbol_is_unknown(served):
    answer = reflect(served, VERSIONS[1], file_containing_symbol="thanos.Nothing")
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
