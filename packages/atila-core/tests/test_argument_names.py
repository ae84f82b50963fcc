"""A client's parameters with the names of arguments that a call gives by position."""

import functools

import pytest

from atila import Atila, SetupError
from atila.testing import TestClient


def logged(handler):
    """A user's decorator, which calls the context something else."""

    @functools.wraps(handler)
    def run(context, *args, **kwargs):
        return handler(context, *args, **kwargs)

    return run


class Shop:
    def find(self, was, **data):
        return repr(data)

    def __call__(self, was, **data):
        return repr(data)


def find(was, **data):
    return repr(data)


def with_prefix(prefix, was, **data):
    return prefix + repr(data)


async def later(was, **data):
    return repr(data)


def streamed(was, **data):
    yield repr(data)


def renamed(c, a=0, **data):
    return repr(data)


def typed(was, a: int = 0, **data):
    return repr(data)


def positional(was, /, **data):
    return repr(data)


HANDLERS = {
    "plain": (find, ["was"]),
    "async": (later, ["was"]),
    "generator": (streamed, ["was"]),
    "typed": (typed, ["was"]),
    "renamed": (renamed, ["c"]),
    "decorated": (logged(find), ["was", "context"]),
    "method": (Shop().find, ["was", "self"]),
    "object": (Shop(), ["was", "self"]),
    "partial": (functools.partial(with_prefix, ""), ["was", "prefix"]),
}
CASES = [(kind, name) for kind, (_, names) in HANDLERS.items() for name in names]
SENDING = {
    "query": lambda client, name: client.request("GET", f"/f?{name}=1&b=2"),
    "query-of-post": lambda client, name: client.request("POST", f"/f?{name}=1&b=2"),
    "form": lambda client, name: client.request("POST", "/f", data={name: "1", "b": "2"}),
    "json": lambda client, name: client.request("POST", "/f", json={name: 1, "b": 2}),
}


def client_of(handler) -> TestClient:
    app = Atila("app_of_test")
    app.route("/f", methods=["GET", "POST"])(handler)
    return app.test_client()


@pytest.mark.parametrize("way", SENDING)
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_name_of_the_context_is_refused(kind, name, way):
    with client_of(HANDLERS[kind][0]) as client:
        answer = SENDING[way](client, name)
        assert answer.status_code == 400
        assert f"unknown parameter '{name}'" in answer.text
        free = SENDING[way](client, "free")
        assert free.status_code == 200
        assert "'free'" in free.text


@pytest.mark.parametrize("way", SENDING)
def test_positional_only_context_leaves_its_name_free(way):
    with client_of(positional) as client:
        answer = SENDING[way](client, "was")
        assert answer.status_code == 200
        assert "'was'" in answer.text


def test_handler_without_more_parameters_is_called_whatever_there_is():
    with client_of(lambda was: str(was.request.args)) as client:
        assert client.request("GET", "/f?was=1").text == "{'was': '1'}"


def test_options_answer_whatever_the_query_says():
    with client_of(find) as client:
        assert client.request("OPTIONS", "/f?was=1").status_code == 204


def test_rule_cannot_have_the_name_of_the_context():
    app = Atila("app_of_test")
    app.route("/f/<was>")(find)
    with pytest.raises(SetupError, match="'was' of find has the name of the context"):
        app.test_client().request("GET", "/f/1")


def test_decorator_cannot_call_the_context_like_a_parameter():
    app = Atila("app_of_test")

    @app.route("/f")
    @logged
    def f(was, context=1):
        return ""

    with pytest.raises(SetupError, match="'context' of f has the name of the context"):
        app.test_client().request("GET", "/f")


def test_piped_call_with_the_name_is_the_mistake_of_the_program():
    app = Atila("app_of_test")
    app.route("/f")(find)

    @app.route("/pipe")
    def pipe(was):
        with pytest.raises(TypeError, match="find is called wrongly: unknown parameter 'was'"):
            was.pipe("find", was=2)
        return "raised"

    with app.test_client() as client:
        assert client.request("GET", "/pipe").text == "raised"
