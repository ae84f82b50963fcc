"""Responses for Atila: Jinja templates, and values as JSON."""

from atila import PROTOCOL, Layer
from atila.layers import names_of
from atila_render import calls, names
from atila_render.data.api import Payload, respond, respond_payload
from atila_render.grpc.status import GrpcError
from atila_render.settings import DEFAULTS, compile_route

layer = Layer(
    name="render",
    protocol=PROTOCOL,
    methods=names_of(names.WasOfRender),
    app=names_of(names.AppOfRender),
    config={**DEFAULTS, **calls.DEFAULTS},
    compile=compile_route,
    calls=calls.finders,
    begin=calls.begin,
    responders={dict: respond, list: respond, Payload: respond_payload},
)

__all__ = ["GrpcError", "Payload", "layer"]
