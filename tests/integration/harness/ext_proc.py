"""An Envoy that a test speaks for: messages of ext_proc, by the gRPC of Python's grpcio."""

import queue
import subprocess
import sys
import tempfile
import pathlib

import grpc

from .wait import PATIENCE

PROTOS = pathlib.Path(__file__).parents[3] / "proxy" / "ext_proc" / "protos"
METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"


def _generate():
    """Envoy's messages as Python has them, from the program's own files."""
    place = tempfile.mkdtemp(prefix="onceproxy-messages-")
    files = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    subprocess.run(["protoc", f"--proto_path={PROTOS}", f"--python_out={place}", *files], check=True)
    sys.path.insert(0, place)
    from envoy.service.ext_proc.v3 import external_processor_pb2
    return external_processor_pb2


messages = _generate()
Request, Response = messages.ProcessingRequest, messages.ProcessingResponse


def connect(address, **options):
    """A channel to onceproxy's port for Envoy."""
    return grpc.insecure_channel(f"{address[0]}:{address[1]}", options=list(options.items()))


class Call:
    """One stream. What is said is bytes or a message; what is heard is a message."""

    def __init__(self, channel, **options):
        self._said = queue.SimpleQueue()
        stream = channel.stream_stream(METHOD, request_serializer=lambda data: data,
                                       response_deserializer=Response.FromString)
        self.answers = stream(iter(self._said.get, None), timeout=options.pop("timeout", PATIENCE), **options)

    def say(self, message):
        self._said.put(message if isinstance(message, bytes) else message.SerializeToString())
        return self

    def finish(self):
        """Nothing more is said."""
        self._said.put(None)
        return self

    def hear(self):
        return next(self.answers)

    def cancel(self):
        self.answers.cancel()
        self.finish()

    def status(self):
        """How the stream ended; nothing more may have been said on it."""
        try:
            for message in self.answers:
                raise AssertionError(f"unexpected: {message}")
        except grpc.RpcError as error:
            self.finish()
            return error.code()
        self.finish()
        return grpc.StatusCode.OK


def request_head(key="a", path="/orders", method="POST", end_of_stream=True, headers=(), **more):
    message = Request(**more)
    head = message.request_headers
    head.end_of_stream = end_of_stream
    fields = [(":method", method), (":path", path), (":authority", "shop.example"), (":scheme", "http"),
              ("idempotency-key", key), *headers]
    for name, value in fields:
        head.headers.headers.add(key=name, raw_value=value.encode())
    return message


def request_body(body=b"", end_of_stream=True):
    return Request(request_body=messages.HttpBody(body=body, end_of_stream=end_of_stream))


def response_head(status=200, end_of_stream=True, details="via_upstream"):
    message = Request()
    head = message.response_headers
    head.end_of_stream = end_of_stream
    head.headers.headers.add(key=":status", raw_value=str(status).encode())
    told = message.attributes.add(key="envoy.filters.http.ext_proc").value
    told.fields.add(key="response.code_details").value.string_value = details.encode()
    return message


def response_body(body=b"", end_of_stream=True):
    return Request(response_body=messages.HttpBody(body=body, end_of_stream=end_of_stream))
