"""Rules and the router."""

from __future__ import annotations

import string
import sys
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atila.errors import SetupError
from atila.routing import router as routing
from atila.routing.router import Router, parse_rule


def router(*rules: str, methods: tuple[str, ...] = ("GET",)) -> Router:
    made = Router()
    for rule in rules:
        made.add(rule, rule, methods)
    return made


def found(made: Router, path: str, method: str = "GET") -> tuple[str, dict[str, object]] | None:
    match = made.match(path, method)
    return (match.endpoint, dict(zip(match.names, match.values, strict=True))) if match else None


@pytest.mark.parametrize(
    ("path", "rule", "params"),
    [
        ("/", "/", {}),
        ("/users", "/users", {}),
        ("/users/7", "/users/<int:id>", {"id": 7}),
        ("/users/-7", "/users/<int:id>", {"id": -7}),
        ("/users/me", "/users/<int:id>", {"id": "me"}),
        ("/users/notme", "/users/<int:id>", {"id": "notme"}),
        ("/users/new", "/users/<int:id>", {"id": "new"}),
        ("/users/hans", "/users/<name>", {"name": "hans"}),
        ("/users/1.5", "/users/<float:score>", {"score": 1.5}),
        ("/users/7/posts", "/users/<int:id>/posts", {"id": 7}),
        ("/users/hans/likes", "/users/<name>/likes", {"name": "hans"}),
        ("/files/a/b/c", "/files/<path:rest>", {"rest": "a/b/c"}),
        ("/files/", "/files/", {}),
    ],
)
def test_a_path_finds_its_most_particular_rule(path, rule, params) -> None:
    made = router(
        "/users/<name>/likes",
        "/users/<int:id>/posts",
        "/files/<path:rest>",
        "/users/<name>",
        "/users/<float:score>",
        "/users/<int:id>",
        "/users",
        "/files/",
        "/",
    )
    assert found(made, path) == (rule, params)


@pytest.mark.parametrize(
    "path",
    [
        "/user", "/users/", "/users/x", "/users/7/", "/users/７", "/users/1e3",
        "/users/" + "9" * 5000, "//", "", "users",
    ],
)  # fmt: skip
def test_other_paths_find_nothing(path: str) -> None:
    assert router("/users", "/users/<int:id>").match(path, "GET") is None


def test_a_path_parameter_is_never_empty() -> None:
    made = router("/files/<path:rest>", "/users/<name>")
    assert made.match("/files/", "GET") is None
    assert made.match("/users/", "GET") is None


def test_one_place_can_have_a_target_for_each_method_and_names_of_its_own() -> None:
    made = Router()
    made.add("/a/<x>", "get", ["GET"])
    made.add("/a/<y>", "post", ["POST"])
    assert found(made, "/a/1") == ("get", {"x": "1"})
    assert found(made, "/a/1", "POST") == ("post", {"y": "1"})
    assert made.allowed("/a/1") == ["GET", "POST"]
    assert made.allowed("/b") == []


def test_a_place_without_the_method_is_passed_over() -> None:
    made = Router()
    made.add("/users/me", "me", ["GET"])
    made.add("/users/<name>", "any", ["POST"])
    assert found(made, "/users/me", "POST") == ("any", {"name": "me"})
    assert made.allowed("/users/me") == ["GET", "POST"]


def test_parameters_at_the_end_may_be_left_out() -> None:
    made = Router()
    made.add("/a/<x>/<y>", "a", ["GET"], optional=2)
    assert [found(made, path) for path in ("/a/1/2", "/a/1", "/a")] == [
        ("a", {"x": "1", "y": "2"}),
        ("a", {"x": "1"}),
        ("a", {}),
    ]
    assert found(made, "/a/") is None
    made.add("/<path:rest>", "rest", ["GET"], optional=1)
    assert found(made, "/") == ("rest", {})
    made.add("/", "root", ["GET"])
    assert found(made, "/") == ("root", {})


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("users", "begin with a slash"),
        ("/<inf:id>", "unknown type 'inf'"),
        ("/<int:>", "no name"),
        ("/<int:a b>", "no name"),
        ("/x<id>", "between two slashes"),
        ("/<id", "between two slashes"),
        ("/<a>/<a>", "twice"),
        ("/<path:a>/b", "nothing can follow"),
    ],
)
def test_a_bad_rule_is_told_with_its_place(rule: str, words: str) -> None:
    with pytest.raises(SetupError, match=words) as caught:
        parse_rule(rule, "serve.py:7")
    assert str(caught.value).startswith("serve.py:7: ")


def test_two_routes_alike_are_told() -> None:
    made = router("/a/<x>")
    with pytest.raises(SetupError, match=r"GET /a/<y> leads to the same place"):
        made.add("/a/<y>", "again", ["GET"])


SEGMENT = st.text(st.sampled_from(string.ascii_letters + "-_~ü€ ."), min_size=1, max_size=8)
PARAMETER = {
    "int": st.integers(-(10**20), 10**20),
    "float": st.decimals(-1000, 1000, places=3).map(float),
    "str": SEGMENT,
    "path": st.lists(SEGMENT, min_size=1, max_size=3).map("/".join),
}


@st.composite
def rule_and_path(draw):
    """A rule, the path built of it with values, and these values by name."""
    rule, path, values = "", "", {}
    for number in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["", "int", "float", "str"]))
        if not kind:
            text = draw(SEGMENT)
            rule, path = f"{rule}/{text}", f"{path}/{text}"
            continue
        name, value = f"p{number}", draw(PARAMETER[kind])
        rule = f"{rule}/<{kind}:{name}>"
        path = f"{path}/{value:f}" if kind == "float" else f"{path}/{value}"
        values[name] = value
    if draw(st.booleans()):
        values["rest"] = draw(PARAMETER["path"])
        rule, path = f"{rule}/<path:rest>", f"{path}/{values['rest']}"
    return rule, path, values


@given(rule_and_path())
def test_a_path_built_of_a_rule_matches_it_with_the_same_values(made) -> None:
    rule, path, values = made
    assert found(router(rule), path) == (rule, values)


@given(st.text(max_size=40).map(unquote))
def test_no_path_breaks_the_router(path: str) -> None:
    made = router("/", "/a", "/a/<int:x>", "/a/<x>/b", "/c/<path:rest>")
    made.match(path, "GET")
    made.allowed(path)


def test_a_lookup_takes_the_same_steps_with_10_and_with_5000_routes() -> None:
    """Steps of the interpreter, which the machine's load does not change; `hatch run bench` has
    the times.
    """

    def made(count: int) -> Router:
        rules = [f"/static/page{n}" for n in range(count // 2)]
        rules += [f"/shop{n}/<int:id>/items/<name>" for n in range(count // 2)]
        return router(*rules)

    def steps(tried: Router, path: str) -> int:
        count = 0

        def trace(frame, event, argument):
            nonlocal count
            # The garbage collector may call anything in between.
            if frame.f_code.co_filename != routing.__file__:
                return None
            frame.f_trace_opcodes = True
            count += event == "opcode"
            return trace

        before = sys.gettrace()
        # Python 3.12 looks at this when it is given a function only.
        sys._getframe().f_trace_opcodes = True
        sys.settrace(trace)
        try:
            tried.match(path, "GET")
        finally:
            sys.settrace(before)
        return count

    few, many = made(10), made(5000)
    for path in ("/static/page3", "/shop3/17/items/hat", "/shop3/17/nothing", "/nothing"):
        assert steps(many, path) == steps(few, path) > 10


KINDS = ["a", "b", "7", "<int:x>", "<float:x>", "<x>", "<path:x>"]
"""Segments of rules, most particular first, but for the three texts."""


def _expected(rules: list[list[str]], parts: list[str]) -> list[str] | None:
    """The rule that a path leads to, by the words of the documentation: from segment to segment,
    literal text before int, float, str and path."""
    if not parts:
        return [] if [] in rules else None
    for kind in [parts[0], *KINDS[3:]]:
        below = [rule[1:] for rule in rules if rule and rule[0] == kind]
        if kind == "<path:x>":
            if below and "/".join(parts):
                return [kind]
        elif below and _fits(kind, parts[0]):
            found = _expected(below, parts[1:])
            if found is not None:
                return [kind, *found]
    return None


def _fits(kind: str, part: str) -> bool:
    if not kind.startswith("<"):
        return kind == part
    return routing.CONVERTERS[kind[1:-1].rpartition(":")[0] or "str"](part) is not None


@given(
    rules=st.lists(
        st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), max_size=6, unique_by=tuple
    ),
    parts=st.lists(st.sampled_from(["a", "b", "7", "1.5", "me", "x", ""]), min_size=1, max_size=4),
)
def test_any_rules_lead_where_the_documentation_says(
    rules: list[list[str]], parts: list[str]
) -> None:
    rules = [rule for rule in rules if "<path:x>" not in rule[:-1]]
    made = Router()
    for rule in rules:
        named = [part.replace("x>", f"x{at}>") for at, part in enumerate(rule)]
        made.add("/" + "/".join(named), rule, ["GET"])
    match = made.match("/" + "/".join(parts), "GET")
    literal = parts in rules
    assert (match and match.endpoint) == (parts if literal else _expected(rules, parts))
