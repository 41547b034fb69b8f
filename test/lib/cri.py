"""A client of the container runtime interface: what a kubelet asks of a runtime, over its Unix socket.

The messages come from cri.proto beside this file, compiled in memory by protoc. One client may be used by several
threads; after a restart of the runtime a new client is needed.
"""
import functools
import os
import subprocess

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cri.proto")
SECONDS = 60


@functools.cache
def _pool():
    """The descriptors of cri.proto."""
    done = subprocess.run(
        ["protoc", f"--proto_path={os.path.dirname(PROTO)}", "--descriptor_set_out=/dev/stdout", PROTO],
        check=True, capture_output=True)
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(done.stdout).file:
        pool.Add(file)
    return pool


@functools.cache
def _method(service, name):
    """The request and response classes of one method."""
    method = _pool().FindServiceByName(f"runtime.v1.{service}").FindMethodByName(name)
    factory = message_factory.MessageFactory(_pool())
    return factory.GetPrototype(method.input_type), factory.GetPrototype(method.output_type)


class Client:
    def __init__(self, socket):
        self._channel = grpc.insecure_channel(f"unix://{socket}")

    def close(self):
        self._channel.close()

    def runtime(self, method, **fields):
        """Call a method of the RuntimeService; fields are those of its request, messages as dictionaries.

        Errors: grpc.RpcError with the runtime's text.
        """
        return self._call("RuntimeService", method, fields)

    def image(self, method, **fields):
        """Call a method of the ImageService."""
        return self._call("ImageService", method, fields)

    def _call(self, service, method, fields):
        request, response = _method(service, method)
        call = self._channel.unary_unary(
            f"/runtime.v1.{service}/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString)
        return call(request(**fields), timeout=SECONDS)
