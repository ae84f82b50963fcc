"""An exchange is made of an engine's class and of mixins: none takes a name that another has."""

from __future__ import annotations

import inspect

import pytest

from atila.engines import asgi, rsgi, wsgi
from atila.http import observation, proxies
from atila.http.exchange import Exchange
from atila.serving import compression
from atila.testing.exchange import TestExchange

ENGINES = [
    asgi.ASGIExchange,
    rsgi.RSGIExchange,
    rsgi.RSGIHandshake,
    wsgi.WSGIExchange,
    TestExchange,
]
MIXINS = [observation.Observed, compression.Compressing, proxies._Forwarded]


def names_of(kind: type) -> set[str]:
    """Those that a class has beside the interface of all exchanges."""
    found = {*vars(kind), *inspect.get_annotations(kind)}
    interface = {*vars(Exchange), *inspect.get_annotations(Exchange)}
    return {name for name in found - interface if not name.startswith("__")}


@pytest.mark.parametrize("mixin", MIXINS)
@pytest.mark.parametrize("engine", ENGINES)
def test_engines_and_mixins_share_no_name(engine: type, mixin: type) -> None:
    assert not names_of(engine) & names_of(mixin)


def test_skitai_and_mixins_share_no_name() -> None:
    pytest.importorskip("skitai")
    from atila.skitai import base, http1, http2

    for engine in (base.SkitaiExchange, http1.Http1Exchange, http2.Http2Exchange):
        for mixin in MIXINS:
            assert not names_of(engine) & names_of(mixin)


def test_mixins_share_no_name() -> None:
    for mixin in MIXINS:
        for other in MIXINS:
            assert mixin is other or not names_of(mixin) & names_of(other)
