"""What a route that asks for nothing pays for this layer: nothing."""

import sys

import pytest

import atila_auth
from atila import Atila
from atila.testing.client_request import prepared


def made(layer, prepare=lambda app: None):
    """An app with a plain route, with this layer or without it."""
    app = Atila(__name__, layers={"auth": layer, "tasks": None, "render": None, "ws": None})
    app.route("/")(lambda was: "plain")
    prepare(app)
    return app


def everything(app):
    """All that this layer has, on another route."""
    app.securekey = "ds8fdsflksdjf9879dsf;?<>Asda"
    app.users = {"hansroh": "1234"}
    app.permission_handler(lambda was, perms: True)

    @app.route("/other", authenticate="digest", access_control_allow_origin=["*"])
    @app.permission_required(["staff"])
    @app.rate_limit(10, 60)
    def other(was):
        return "other"


def steps(app):
    """Instructions of the interpreter, and functions called, from the endpoint to the answer."""
    counted = {"opcodes": 0, "calls": 0}

    def trace(frame, event, argument):
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        counted["opcodes"] += event == "opcode"
        counted["calls"] += event == "call"
        return trace

    exchange = prepared("GET", "/").exchange()
    site = app.site
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        was = site.open(exchange)
        was.endpoint.run(was)
    finally:
        sys.settrace(before)
    assert exchange.answers.get_nowait().text == "plain"
    return counted


@pytest.mark.parametrize("prepare", [lambda app: None, everything], ids=["alone", "beside others"])
def test_a_plain_route_has_no_step_of_this_layer(prepare):
    app = made(atila_auth.layer, prepare)
    try:
        endpoint = next(e for e in (app.site and app.endpoints) if e.route.rule == "/")
        assert (endpoint._before, endpoint._after, endpoint.headers) == (None, None, ())
        assert endpoint._handler is endpoint.route.handler
        assert not endpoint.blocking or not endpoint._before
    finally:
        app.site.shutdown(5)


def test_an_app_without_cors_refuses_as_without_this_layer():
    app = made(atila_auth.layer)
    try:
        assert app.site.open(prepared("GET", "/no").exchange()).endpoint.headers == ()
    finally:
        app.site.shutdown(5)


@pytest.mark.parametrize("prepare", [lambda app: None, everything], ids=["alone", "beside others"])
def test_the_interpreter_does_not_one_step_more(prepare):
    counts = []
    for layer, equipped in ((None, lambda app: None), (atila_auth.layer, prepare)):
        app = made(layer, equipped)
        try:
            steps(app)
            counts.append(steps(app))
        finally:
            app.site.shutdown(5)
    without, with_layer = counts
    assert without == with_layer
    assert without["opcodes"] > 50


def test_a_route_with_a_step_is_seen_by_this_test():
    app = made(atila_auth.layer, lambda app: setattr(app, "access_control_allow_origin", ["*"]))
    bare = made(None)
    try:
        assert steps(app)["opcodes"] > steps(bare)["opcodes"]
    finally:
        app.site.shutdown(5)
        bare.site.shutdown(5)
