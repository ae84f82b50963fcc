"""Access control for Atila: the layer "auth"."""

from atila import PROTOCOL, Layer
from atila_auth import policy
from atila_auth.cors import compile_route

layer = Layer(name="auth", protocol=PROTOCOL, options=policy.NAMES, compile=compile_route)

__all__ = ["layer"]
