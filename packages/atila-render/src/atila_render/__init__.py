"""Responses for Atila: Jinja templates, and values as JSON."""

from atila import PROTOCOL, Layer
from atila_render import templates
from atila_render.api import Payload, api, fault, respond, respond_payload
from atila_render.environment import environment_of

layer = Layer(
    name="render",
    protocol=PROTOCOL,
    methods={"API": api, "Fault": fault, "render": templates.render},
    app={
        "jinja_env": property(environment_of),
        "template_global": templates.template_global,
        "template_filter": templates.template_filter,
        "add_jinja_ext": templates.add_jinja_ext,
    },
    responders={dict: respond, list: respond, Payload: respond_payload},
)

__all__ = ["Payload", "layer"]
