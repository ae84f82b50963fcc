"""Responses for Atila: Jinja templates, and values as JSON."""

from atila import PROTOCOL, Layer
from atila_render import calls, names
from atila_render.data.api import Payload, respond, respond_payload
from atila_render.grpc.status import GrpcError
from atila_render.settings import DEFAULTS, compile_route

layer = Layer(
    name="render",
    protocol=PROTOCOL,
    was=names.WasOfRender,
    app=names.AppOfRender,
    config={**DEFAULTS, **calls.DEFAULTS},
    responders={dict: respond, list: respond, Payload: respond_payload},
    compile=compile_route,
    mount=calls.mount,
)

__all__ = ["GrpcError", "Payload", "layer"]
