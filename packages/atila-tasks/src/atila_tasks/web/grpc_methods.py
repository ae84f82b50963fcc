"""Methods of gRPC, as generated modules describe them, and channels to servers.

The types of a method's messages are looked up in the descriptor pool of protobuf, into which the
generated modules (`…_pb2`) put them when they are imported: no registration is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila.errors import caller
from atila_tasks.web.http_setup import ca_of

if TYPE_CHECKING:
    from atila_tasks.web.http import Http


@dataclass(frozen=True, slots=True)
class GrpcMethod:
    """A method, as its generated module describes it.

    Attributes:
        path: "/package.Service/Method".
        takes: the full name of the message that it takes.
        reply: makes a message of its answer's bytes.
        takes_stream: whether it takes several messages.
        gives_stream: whether it gives several.
    """

    path: str
    takes: str
    reply: Callable[[bytes], Any]
    takes_stream: bool
    gives_stream: bool

    @property
    def kind(self) -> str:
        """The channel's name for methods of this kind."""
        takes = "stream" if self.takes_stream else "unary"
        return f"{takes}_{'stream' if self.gives_stream else 'unary'}"

    def serialize(self, message: Any) -> bytes:
        """A message as bytes.

        Raises:
            TypeError: the method takes another type.
        """
        self.check(message)
        data: bytes = message.SerializeToString()
        return data

    def check(self, message: Any) -> None:
        """Refuse a message of another type.

        Raises:
            TypeError: it is of another type.
        """
        descriptor = getattr(message, "DESCRIPTOR", None)
        if getattr(descriptor, "full_name", None) != self.takes:
            raise TypeError(f"{self.path} takes {self.takes}, not {type(message).__name__}")


@lru_cache(1)
def prepare() -> None:
    """Import the libraries now, and not on the task loop.

    Raises:
        SetupError: a library is not installed.
    """
    try:
        import google.protobuf  # noqa: F401 - for its import
        import grpc.aio  # noqa: F401 - for its import
    except ImportError:
        raise SetupError(
            'was.grpc needs grpcio and protobuf: pip install "atila-tasks[grpc]"', caller(__name__)
        ) from None


def service(name: str) -> Any:
    """The description of a service: "package.Service".

    Raises:
        LookupError: no module that was imported has it.
    """
    from google.protobuf import descriptor_pool

    try:
        return descriptor_pool.Default().FindServiceByName(name)
    except KeyError:
        raise LookupError(
            f"no imported module describes the service {name!r}: import its generated one, …_pb2"
        ) from None


@lru_cache(1024)
def method(of_service: str, name: str) -> GrpcMethod | None:
    """The method of a service by its name; None if there is none."""
    from google.protobuf.message_factory import GetMessageClass

    found = service(of_service).methods_by_name.get(name)
    if found is None:
        return None
    return GrpcMethod(
        f"/{of_service}/{name}",
        found.input_type.full_name,
        GetMessageClass(found.output_type).FromString,
        found.client_streaming,
        found.server_streaming,
    )


def channel(http: Http) -> Any:
    """A channel to a server, with the options of its alias. On the task loop."""
    import grpc.aio

    size = http.options["max_response"]
    options = [("grpc.max_receive_message_length", size), ("grpc.enable_http_proxy", 0)]
    host = f"[{http.member.host}]" if ":" in http.member.host else http.member.host
    target = f"{host}:{http.member.port or (443 if http.scheme == 'https' else 80)}"
    if http.scheme == "http":
        return grpc.aio.insecure_channel(target, options=options)
    roots = None
    if (ca := ca_of(http.alias)) is not None:
        with open(ca, "rb") as file:
            roots = file.read()
    credentials = grpc.ssl_channel_credentials(root_certificates=roots)
    return grpc.aio.secure_channel(target, credentials, options=options)
