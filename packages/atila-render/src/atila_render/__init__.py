"""Responses for Atila: Jinja templates, and values as JSON."""

from atila import PROTOCOL, Layer
from atila_render import calls, templates
from atila_render.api import Payload, api, fault, respond, respond_payload
from atila_render.either import render_or_api
from atila_render.environment import environment_of
from atila_render.grpc.status import GrpcError
from atila_render.settings import DEFAULTS, compile_route

layer = Layer(
    name="render",
    protocol=PROTOCOL,
    methods={
        "API": api,
        "Fault": fault,
        "render": templates.render,
        "render_or_API": render_or_api,
    },
    app={
        "jinja_env": property(environment_of),
        "template_global": templates.template_global,
        "template_filter": templates.template_filter,
        "add_jinja_ext": templates.add_jinja_ext,
    },
    config={**DEFAULTS, **calls.DEFAULTS},
    compile=compile_route,
    calls=calls.finders,
    begin=calls.begin,
    responders={dict: respond, list: respond, Payload: respond_payload},
)

__all__ = ["GrpcError", "Payload", "layer"]
