"""A client cannot give what a call gives a handler by itself: its context, `self`, and the like."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest

from atila import PROTOCOL, Atila, Layer, SetupError, Steps
from atila.routing.signature import names_by_position

ALONE = {"render": None, "auth": None, "tasks": None, "ws": None}


class Shop:
    def show(self, was: Any, **data: Any) -> str:
        return json.dumps(data)

    def __call__(self, was: Any, **data: Any) -> str:
        return json.dumps(data)

    @staticmethod
    def static(was: Any, **data: Any) -> str:
        return json.dumps(data)

    @classmethod
    def of_class(cls, was: Any, **data: Any) -> str:
        return json.dumps(data)


def decorated(handler: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(handler)
    def around(context: Any, *args: Any, **named: Any) -> Any:
        return handler(context, *args, **named)

    return around


def with_limit(limit: int, was: Any, **data: Any) -> str:
    return json.dumps(data)


def plain(request: Any, **data: Any) -> str:
    return json.dumps(data)


HANDLERS = [
    (plain, {"request"}, {"was", "self"}),
    (Shop().show, {"self", "was"}, {"cls"}),
    (Shop(), {"self", "was"}, {"cls"}),
    (Shop.static, {"was"}, {"self"}),
    (Shop.of_class, {"cls", "was"}, {"self"}),
    (decorated(plain), {"context", "request"}, {"was", "handler", "args"}),
    (decorated(decorated(plain)), {"context", "request"}, {"was"}),
    (partial(with_limit, 5), {"limit", "was"}, {"self"}),
]


@pytest.mark.parametrize(("handler", "occupied", "free"), HANDLERS)
def test_names_that_are_refused_and_that_are_not(
    handler: Any, occupied: set[str], free: set[str]
) -> None:
    app = Atila("app_of_test", layers=ALONE)
    app.route("/")(handler)
    client = app.test_client()
    for name in occupied:
        assert client.get(f"/?{name}=1").status_code == 400
        assert client.get(f"/?a=1&{name}=1&{name}=2").status_code == 400
    for name in free:
        assert client.get(f"/?{name}=1").json() == {name: "1"}


def test_layer_that_takes_the_context_by_name_too() -> None:
    """Written by others, without the slash of ours."""

    def wrap(handler: Callable[..., Any]) -> Callable[..., Any]:
        def run(was: Any, **params: Any) -> Any:
            return handler(was, **params)

        return run

    layer = Layer(
        "wrapping", PROTOCOL, compile=lambda route, app: Steps(wrap=wrap), options=frozenset()
    )
    app = Atila("app_of_test", layers={**ALONE, "wrapping": layer})
    app.route("/")(plain)
    client = app.test_client()
    assert client.get("/?was=1").status_code == 400
    assert client.get("/?request=1").status_code == 400
    assert client.get("/?self=1").json() == {"self": "1"}


def test_handler_without_other_parameters_is_given_none() -> None:
    app = Atila("app_of_test", layers=ALONE)

    @app.route("/")
    def index(was: Any) -> str:
        return json.dumps(was.request.args)

    assert app.test_client().get("/?was=1").json() == {"was": "1"}


def test_rule_with_an_occupied_name_fails_at_once() -> None:
    app = Atila("app_of_test", layers=ALONE)
    app.route("/things/<was>")(Shop.static)
    with pytest.raises(SetupError, match=r"'/things/<was>' has <was>, the name of what static is"):
        _ = app.site


def test_options_and_unrouted_take_any_name() -> None:
    app = Atila("app_of_test", layers=ALONE)
    app.route("/a")(Shop.static)
    app.route("/b")(Shop.static)
    app.unroute("/b", 410)
    client = app.test_client()
    assert client.options("/a?was=1").status_code == 204
    assert client.get("/b?was=1").status_code == 410


def test_circles_of_decorators_come_to_an_end() -> None:
    def first(was: Any, **data: Any) -> None: ...

    first.__wrapped__ = first  # type: ignore[attr-defined]
    assert names_by_position(first) == {"was"}
