"""`@app.inspect`, seen through the in-process client."""

from __future__ import annotations

import re
import sys
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila import Atila, SetupError
from atila.testing import TestClient, TestResponse
from atila.validation.converters import KEYWORDS
from atila.validation.declaration import parse
from atila.validation.inspector import Place
from atila.validation.operators import OPERATORS

PHONE = re.compile("[0-9]{3}-[0-9]{3}-[0-9]{4}")


class Vowel:
    """An object with a search method that is no regular expression."""

    def search(self, text: str) -> bool:
        return any(letter in "aeiou" for letter in text)


def bare_app() -> Atila:
    # Whatever layers are installed beside, core is tested alone.
    return Atila(__name__, layers=dict.fromkeys(("auth", "render", "tasks", "ws")))


def client_of(*scope: str, **rules: Any) -> TestClient:
    """A client of an app that answers with the repr of the parameters, inspected by `rules`."""
    app = bare_app()

    @app.route("/")
    @app.inspect(*scope, **rules)
    def answer(was, **DATA):
        assert DATA == was.request.args == was.request.ARGS
        return repr(DATA)

    return app.test_client()


def detail(answer: TestResponse) -> str:
    assert answer.status_code == 400, answer.text
    return answer.json()["detail"]


# Keywords


@pytest.mark.parametrize(
    ("rules", "sent", "got"),
    [
        ({"ints": ["x"]}, "7", 7),
        ({"ints": ["x"]}, " -07 ", -7),
        ({"ints": "x y"}, "7", 7),
        ({"ints": ["x"]}, "9" * 300, int("9" * 300)),
        ({"x": int}, "7", 7),
        ({"floats": ["x"]}, "7", 7.0),
        ({"floats": ["x"]}, "-.5e1", -5.0),
        ({"x": float}, "1.5", 1.5),
        ({"strings": ["x"]}, "", ""),
        ({"x": str}, "7", "7"),
        *(({"booleans": ["x"]}, w, True) for w in ("True", "true", "yes", "y", "t")),
        *(({"x": bool}, w, False) for w in ("False", "false", "no", "n", "f")),
        ({"lists": ["x"]}, "a", ["a"]),
        ({"x": list}, "", []),
        ({"emails": ["x"]}, "Hans.Roh+a@GMail.com", "Hans.Roh+a@gmail.com"),
        ({"uuids": ["x"]}, "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
         "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        *(({"nones": ["x"]}, w, None) for w in ("", "  ", "0", "-0", "0.00", ".0")),
        ({"nones": ["x"]}, "-", "-"),
        ({"nones": ["x"], "ints": ["x"], "x__gte": 3}, "", None),
        ({"notags": ["x"]}, "a < b & c > d, i <3 u", "a < b & c > d, i <3 u"),
        ({"safes": ["x"]}, "<p class=x>a<br/><a href='/b?c=1&copy=2'>d</a>",
         "<p class=x>a<br/><a href='/b?c=1&copy=2'>d</a>"),
        ({"x": PHONE}, "010-123-4567", "010-123-4567"),
        ({"x": Vowel()}, "a", "a"),
    ],
)  # fmt: skip
def test_a_keyword_takes_and_converts(rules, sent, got) -> None:
    client = client_of(**rules)
    for answer in (client.get("/?" + urlencode({"x": sent})), client.post("/", data={"x": sent})):
        assert answer.text == repr({"x": got})


@pytest.mark.parametrize(
    ("rules", "sent", "problem"),
    [
        ({"ints": ["x"]}, "1.5", "must be a whole number, not '1.5' [ints]"),
        ({"ints": ["x"]}, "", "must be a whole number, not '' [ints]"),
        ({"ints": ["x"]}, "\u0667", "must be a whole number, not '\u0667' [ints]"),
        ({"ints": ["x"]}, "1_000", "must be a whole number, not '1_000' [ints]"),
        ({"ints": ["x"]}, "9" * 301, "must be a whole number, not a text of 301 characters [ints]"),
        ({"x": int}, "t", "must be a whole number, not 't' [x]"),
        ({"floats": ["x"]}, "nan", "must be a number, not 'nan' [floats]"),
        ({"floats": ["x"]}, "1e999", "must be a number, not '1e999' [floats]"),
        ({"booleans": ["x"]}, "1", "must be true or false, yes or no, y or n, t or f, not '1'"
         " [booleans]"),
        ({"dicts": ["x"]}, "{}", "must be an object, not '{}' [dicts]"),
        ({"emails": ["x"]}, "hans@", "must be an e-mail address, not 'hans@' [emails]"),
        ({"uuids": ["x"]}, "{f81d4fae}", "must be a UUID, not '{f81d4fae}' [uuids]"),
        ({"uuids": ["x"]}, "f81d4fae7dec11d0a76500a0c91e6bf6",
         "must be a UUID, not 'f81d4fae7dec11d0a76500a0c91e6bf6' [uuids]"),
        ({"x": PHONE}, "1", "must match [0-9]{3}-[0-9]{3}-[0-9]{4}, not '1' [x]"),
        ({"x": Vowel()}, "b", "must match, not 'b' [x]"),
    ],
)  # fmt: skip
def test_a_keyword_refuses(rules, sent, problem) -> None:
    client = client_of(**rules)
    assert detail(client.get("/?" + urlencode({"x": sent}))) == f"parameter 'x' {problem}"


@pytest.mark.parametrize(
    "sent",
    ["<b>", "a<b", "</p>", "<!-- x -->", "<?php", "<SCRIPT>", "<svg/onload=x>", "</ x>", "<img"],
)
def test_notags_refuses_every_tag(sent: str) -> None:
    assert "must not have HTML tags" in detail(client_of(notags=["x"]).post("/", json={"x": sent}))


@pytest.mark.parametrize(
    "sent",
    [
        "<script>x</script>", "<scr<script>ipt>", "<style>x</style>", "<form><input>",
        "<iframe src=x>", "<object>", "<base href=x>", "<meta http-equiv=refresh>", "<plaintext>",
        "<svg onload=x>", "<b/onclick=x>", "<img src=x onerror=alert(1)>", "<!-- x -->", "x <y",
        '<a href=" java\nscript:alert(1)">', '<a href="java&#115;cript:x">', "<a href=vbscript:x>",
        '<a href="data:text/html,x">', '<img src="javascript:x">', "<textarea><img onerror=x>",
        '<b title="</" onclick="x">', '<b title="</b>" onclick="x">', '<math><a xlink:href="x">',
        '<p style="position:fixed">', '<p style="color:red;behavior:url(x)">',
        '<noscript><p title="</noscript><img src=x onerror=x>">',
    ],
)  # fmt: skip
def test_safes_refuses_what_does_something(sent: str) -> None:
    assert "must not have scripts" in detail(client_of(safes=["x"]).post("/", json={"x": sent}))


@pytest.mark.parametrize(
    "sent",
    [
        "a < b & c", "javascript: is a <b>language</b>", "<P>x</P>\r\n<hr>", "<p>a<p>b", "<br />",
        '<a title="x" href="https://a.b/c?d=e&amp;f">x</a>', "<ul><li>a<li>b</ul>",
        "<table><tr><td>1</table>", '<p style="color: #FFF; text-align:center">&copy;&nbsp;x</p>',
        "<h1 lang=de>ä</h1>", '<img src="/a.png" alt="">', "&lt;script&gt;", "<i>&amp;lt;</i>",
    ],
)  # fmt: skip
def test_safes_allows_harmless_tags(sent: str) -> None:
    assert client_of(safes=["x"]).post("/", json={"x": sent}).text == repr({"x": sent})


@pytest.mark.parametrize(
    ("rules", "sent", "got"),
    [
        ({"ints": ["x"]}, 7.0, 7),
        ({"floats": ["x"]}, 7, 7.0),
        ({"booleans": ["x"]}, False, False),
        ({"lists": ["x"]}, [1], [1]),
        ({"dicts": ["x"]}, {"a": 1}, {"a": 1}),
        ({"nones": ["x"]}, 0, None),
        ({"nones": ["x"]}, [], None),
        ({"nones": ["x"]}, {}, None),
        ({"nones": ["x"]}, False, False),
        ({"ints": ["x"]}, None, None),
    ],
)
def test_a_keyword_takes_json(rules, sent, got) -> None:
    assert client_of(**rules).post("/", json={"x": sent}).text == repr({"x": got})


@pytest.mark.parametrize(
    ("keyword", "sent", "shown"),
    [
        ("ints", True, "true"),
        ("ints", 1.5, "1.5"),
        ("ints", 1e300, "a very big number"),
        ("ints", [1], "a list of 1"),
        ("ints", {}, "an object of 0"),
        ("floats", True, "true"),
        ("strings", 7, "7"),
        ("strings", ["a"], "a list of 1"),
        ("booleans", 1, "1"),
        ("lists", {}, "an object of 0"),
        ("dicts", [], "a list of 0"),
        ("emails", 7, "7"),
        ("uuids", 7, "7"),
        ("notags", 7, "7"),
        ("safes", [], "a list of 0"),
    ],
)
def test_a_keyword_refuses_other_json(keyword: str, sent: Any, shown: str) -> None:
    problem = detail(client_of(**{keyword: ["x"]}).post("/", json={"x": sent}))
    assert problem.startswith("parameter 'x' must be ")
    assert problem.endswith(f", not {shown} [{keyword}]")


def test_repeated_fields_are_a_list() -> None:
    client = client_of(lists=["tag"], tag__len__lte=2, tag__contains="a")
    assert client.get("/?tag=a&tag=b").text == "{'tag': ['a', 'b']}"
    assert client.get("/?tag=b").status_code == 400
    assert client.get("/?tag=a&tag=b&tag=c").status_code == 400
    assert "a list of 2" in detail(client_of(ints=["x"]).get("/?x=1&x=2"))


@pytest.mark.parametrize("keyword", ["oneof", "manyof"])
def test_one_or_more_of_some_are_required(keyword: str) -> None:
    client = client_of(**{keyword: ["email", "mobile"]}, nones=["email"])
    assert client.get("/?email=a").status_code == 200
    for url in ("/", "/?other=1", "/?email="):
        assert detail(client.get(url)) == (
            f"one of the parameters 'email', 'mobile' is required [{keyword}]"
        )


def test_one_and_no_more_of_some() -> None:
    client = client_of(oneof=["email", "mobile"], nones=["mobile"])
    assert client.get("/?email=a&mobile=").status_code == 200
    assert detail(client.get("/?email=a&mobile=b")) == (
        "only one of the parameters 'email', 'mobile' may be given [oneof]"
    )
    both = client_of(manyof=["email", "mobile"])
    assert both.get("/?email=a&mobile=b").status_code == 200


# Operators

OPERATIONS = [
    ("between", (3, 5), ["3", "4.5", 5], ["2", "x", "", True, [4]]),
    ("between", ("b", "d"), ["b", "cc"], ["a", "e", 7]),
    ("in", ["m", "f"], ["m"], ["x", "", 5, ["m"], {}]),
    ("in", [1, 2.5, True], ["1", 2.5, True, "yes", "1.0"], ["no", False, "3"]),
    ("in", range(3), ["0", 2], ["3", "0.5"]),
    ("notin", ("a", 1), ["b", "2", []], ["a", "1", 1.0]),
    ("eq", 7, ["7", 7, "7.0"], ["8", "x", [7]]),
    ("exact", "a", ["a"], ["A", "a "]),
    ("eq", False, [False, "no"], ["yes", "0", 0]),
    ("neq", "a", ["b", 7, []], ["a"]),
    ("lte", 7, ["7", "-1", 6.5], ["8", "x", "nan"]),
    ("lt", 7, ["6"], ["7"]),
    ("gte", 7, ["7"], ["6", "", {}]),
    ("gt", 7, ["7.1"], ["7"]),
    ("gte", "2024-01-01", ["2024-01-01", "2025"], ["2023-12-31", 7]),
    ("contains", "a", ["bac", ["a", 1]], ["b", ["b"], 7, {"a": 1}]),
    ("contains", 7, ["172", [7], ["7"]], ["12", [True]]),
    ("notcontain", "a", ["b", ["b"], []], ["bac", ["a"], 7]),
    ("startswith", "ab", ["abc", "ab"], ["a", 7, ["ab"]]),
    ("startswith", ("a", "b"), ["ax", "bx"], ["c"]),
    ("notstartwith", "a", ["b", ""], ["ab", 7]),
    ("endswith", "z", ["xyz"], ["zy", ""]),
    ("notendwith", "z", ["zy", ""], ["z", 7]),
    ("regex", "^a+$", ["aa"], ["b", "", 7]),
    ("regex", re.compile("b"), ["abc"], ["a"]),
    ("len__between", (2, 3), ["ab", "abc", [1, 2], {"a": 1, "b": 2}], ["a", 5, True]),
    ("len__in", [1, 3], ["a", "abc"], ["ab", ""]),
    ("len__notin", [1], ["", "ab"], ["a"]),
    ("len__eq", 1, ["a"], ["", "ab"]),
    ("len__exact", 0, ["", [], {}], ["a"]),
    ("len__neq", 1, [""], ["a"]),
    ("len__lte", 1, ["a"], ["ab", 7]),
    ("len__lt", 1, [""], ["a"]),
    ("len__gte", 1, ["a", [0]], ["", []]),
    ("len__gt", 1, ["ab"], ["a"]),
]


@pytest.mark.parametrize(("operator", "value", "passing", "failing"), OPERATIONS)
def test_operators(operator: str, value: Any, passing: list[Any], failing: list[Any]) -> None:
    client = client_of(**{f"x__{operator}": value})
    for sent in passing:
        assert client.post("/", json={"x": sent}).text == repr({"x": sent}), sent
    for sent in failing:
        problem = detail(client.post("/", json={"x": sent}))
        assert problem.startswith("parameter 'x' ")
        assert problem.endswith(f"[x__{operator}]")


SPECIFIED = """
    between in notin eq exact neq lte lt gte gt contains notcontain startswith notstartwith
    endswith notendwith regex
"""


def test_every_operator_of_the_specification_is_there() -> None:
    operators = {name.rpartition("__")[2] for name, *_ in OPERATIONS}
    assert operators == OPERATORS.keys() == set(SPECIFIED.split())


def test_a_message_names_rule_and_value_but_no_long_one() -> None:
    client = client_of(year__between=(1900, 2025), name__len__lte=3, name__notcontain="b" * 99)
    assert detail(client.get("/?year=1800")) == (
        "parameter 'year' must be between 1900 and 2025, not '1800' [year__between]"
    )
    assert detail(client.get("/?name=" + "a" * 5000)) == (
        "parameter 'name' has a length of 5000, which must be at most 3 [name__len__lte]"
    )


def test_what_is_compared_is_not_converted_by_that() -> None:
    assert client_of(x__gte=3).get("/?x=7").text == "{'x': '7'}"
    assert client_of(x__gte=3, ints=["x"]).get("/?x=7").text == "{'x': 7}"


# Places


@pytest.mark.parametrize(
    ("keyword", "place", "operator"),
    [
        ("a", Place("a"), ""),
        ("_a__gte", Place("_a"), "gte"),
        ("a___b", Place("a", ("b",)), ""),
        ("a___b__1__gte", Place("a", ("b", 1)), "gte"),
        ("a__0___len__len__gte", Place("a", (0, "len")), "len__gte"),
        ("a___gte___1", Place("a", ("gte", "1")), ""),
        ("a____b", Place("a", ("_b",)), ""),
    ],
)
def test_the_parts_of_a_keyword(keyword: str, place: Place, operator: str) -> None:
    assert parse(keyword) == (place, operator)


NESTED = {"a___b__1__gte": 3, "ints": ["a___b__1", "c__0"], "a___s__len__lte": 2}


def test_rules_reach_into_json() -> None:
    client = client_of(**NESTED)
    sent = {"a": {"b": ["x", "5"], "s": "ab"}, "c": ["1", "2"]}
    got = {"a": {"b": ["x", 5], "s": "ab"}, "c": [1, "2"]}
    assert client.post("/", json=sent).text == repr(got)
    assert client.get("/?c=1&c=2").text == "{'c': [1, '2']}"
    assert client.post("/", json={"a": None}).text == "{'a': None}"
    assert client.post("/", json={}).text == "{}"


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"a": {"b": [1, 2], "s": ""}}, "'a.b[1]' must be at least 3, not 2 [a___b__1__gte]"),
        ({"a": {"b": [1, "x"], "s": ""}}, "'a.b[1]' must be a whole number, not 'x' [ints]"),
        ({"a": {"b": [1], "s": ""}}, "'a.b[1]' is missing [ints]"),
        ({"a": {"b": {"1": 7}, "s": ""}}, "'a.b[1]' is missing [ints]"),
        ({"a": {"b": [1, None], "s": ""}}, "'a.b[1]' must not be null [ints]"),
        ({"a": {"b": [1, 7]}}, "'a.s' is missing [a___s__len__lte]"),
        ({"a": "text"}, "'a.b[1]' is missing [ints]"),
        ({"c": {}}, "'c[0]' is missing [ints]"),
    ],
)
def test_rules_refuse_what_is_in_json(sent: Any, problem: str) -> None:
    assert detail(client_of(**NESTED).post("/", json=sent)) == f"parameter {problem}"


def test_nones_lets_a_part_be_missing() -> None:
    client = client_of(nones=["a___b"], a___b__gte=3, a___b=int)
    for sent, got in [({}, {}), ({"b": ""}, {"b": None}), ({"b": None}, {"b": None})]:
        assert client.post("/", json={"a": sent}).text == repr({"a": got})
    assert client.post("/", json={"a": {"b": 2}}).status_code == 400


def test_what_came_is_not_changed_by_converting_a_part() -> None:
    app = bare_app()

    @app.route("/")
    @app.inspect(ints=["a___b"])
    def answer(was, a):
        return repr((a, was.request.JSON))

    sent = {"a": {"b": "1"}}
    assert app.test_client().post("/", json=sent).text == repr(({"b": 1}, sent))


# What is passed over


def test_words_in_the_place_of_a_number_are_passed_over() -> None:
    app = bare_app()

    @app.route("/profiles/<int:id>")
    @app.inspect(ints=["id"], booleans=["detail"], id__gte=1)
    def profile(was, id=None, detail=False):
        return repr((id, detail))

    client = app.test_client()
    for word in ("me", "notme", "new"):
        assert client.get(f"/profiles/{word}?detail=yes").text == repr((word, True))
    assert client.get("/profiles").text == "(None, False)"
    assert client.get("/profiles/7?detail=n").text == "(7, False)"
    assert client.get("/profiles/0").status_code == 400
    # Not so where they come from elsewhere: the body wins over the path.
    assert client.post("/profiles/7", json={"id": "me"}).status_code == 400
    assert client.get("/profiles?id=me").status_code == 400


def test_words_are_nothing_special_in_the_place_of_a_text() -> None:
    app = bare_app()
    app.route("/<name>")(app.inspect(name__len__gt=3)(lambda was, name: name))
    assert app.test_client().get("/me").status_code == 400


def test_null_needs_a_handler_that_can_do_without() -> None:
    app = bare_app()

    @app.route("/")
    @app.inspect(ints=["a", "b", "c"], d__neq=1, nones=["c"])
    def answer(was, a=None, b=1, c=1, d=1):
        return repr((a, b, c, d))

    client = app.test_client()
    assert client.post("/", json={"a": None, "c": None}).text == "(None, 1, None, 1)"
    assert detail(client.post("/", json={"b": None})) == "parameter 'b' must not be null [ints]"
    assert client.post("/", json={"d": None}).status_code == 400


# Scopes


def test_scopes() -> None:
    sent = {"x": "7"}
    for scope, url, form, json in [
        ("ARGS", "{'x': 7}", "{'x': 7}", "{'x': 7}"),
        ("URL", "{'x': 7}", 400, 400),
        ("FORM", "{'x': '7'}", "{'x': 7}", 400),
        ("JSON", "{'x': '7'}", 400, "{'x': 7}"),
        ("DATA", "{'x': '7'}", "{'x': 7}", "{'x': 7}"),
    ]:
        client = client_of(scope, ints=["x"])
        answers = client.get("/?x=7"), client.post("/", data=sent), client.post("/", json=sent)
        for answer, wanted in zip(answers, (url, form, json), strict=True):
            assert wanted in (answer.status_code, answer.text), (scope, answer.text)


def test_no_way_leads_around_the_rules_of_a_scope() -> None:
    client = client_of("URL", ints=["x"])
    assert detail(client.post("/?x=7", json={"x": "a"})) == "parameter 'x' must come in the URL"
    client = client_of("JSON", ints=["x"])
    for answer in (client.post("/?x=a"), client.post("/", data={"x": "a"})):
        assert detail(answer) == "parameter 'x' must come in a JSON body"
    body = b'{"x": "a"}'
    kind = {"Content-Type": "application/json"}
    assert client.request("DELETE", "/", data=body, headers=kind).status_code == 400
    client = client_of("JSON", oneof=["x", "y"])
    for answer in (client.post("/"), client.post("/", data={"z": "1"}), client.post("/?x=1")):
        assert answer.status_code == 400
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("scope", ["URL", "FORM", "JSON", "DATA", "ARGS"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_a_hook_gives_is_inspected_by_the_rules_of_all_scopes(scope: str, method: str) -> None:
    client = client_of(scope, ints=["x"])
    client.app.before_request(lambda was: was.request.args.update(x=was.request.args["y"]))
    assert client.request(method, "/?x=1&y=7").text == "{'x': 7, 'y': '7'}"
    assert client.request(method, "/?x=1&y=a").status_code == 400
    assert client.request(method, "/?y=a").status_code == 400


def test_each_kind_of_body_has_its_rules() -> None:
    app = bare_app()

    @app.route("/")
    @app.inspect("FORM", ints=["x"], oneof=["x"])
    @app.inspect("JSON", x=str, x__len__gte=2, oneof=["x"])
    @app.inspect("URL", floats=["y"])
    @app.inspect(y__gte=1)
    def answer(was, x=None, y=None):
        return repr((x, y))

    client = app.test_client()
    assert client.post("/", data={"x": "7"}).text == "(7, None)"
    assert client.post("/?y=2", json={"x": "77"}).text == "('77', 2.0)"
    assert client.post("/", json={"x": "7"}).status_code == 400
    assert client.post("/", json={}).status_code == 400
    assert client.post("/").status_code == 400
    assert client.get("/?y=2").text == "(None, 2.0)"
    assert client.get("/?y=0").status_code == 400


# The decorator


def test_above_below_and_under_its_other_name() -> None:
    app = bare_app()

    @app.inspect(a=int)
    @app.require(b=int)
    @app.route("/x", methods=["GET"])
    @app.inspect(c=int)
    def answer(was, a=0, b=0, c=0):
        return repr([a, b, c])

    app.route("/y")(answer)
    client = app.test_client()
    for path in ("/x", "/y"):
        assert client.get(path + "?a=1&b=2&c=3").text == "[1, 2, 3]"
        for name in "abc":
            assert client.get(f"{path}?{name}=x").status_code == 400
    assert client.options("/x?a=x").status_code == 204


def test_the_order_of_a_request() -> None:
    app = bare_app()
    seen = []
    app.before_request(lambda was: seen.append("hook"))

    @app.route("/")
    @app.inspect(a=int)
    def answer(was, a, b):
        seen.append("handler")

    client = app.test_client()
    assert "'a' must be a whole number" in detail(client.get("/?a=x&c=1"))
    assert detail(client.get("/?a=1")) == "parameter 'b' is required"
    assert "unknown parameter 'c'" in detail(client.get("/?a=1&b=2&c=3"))
    assert seen == ["hook"] * 3


def test_async_handlers_and_those_of_was_alone() -> None:
    app = bare_app()

    @app.route("/async")
    @app.inspect(ints=["a"])
    async def later(was, a=0):
        return repr(a)

    @app.route("/alone/<x>")
    @app.inspect(ints=["a", "x"])
    def alone(was, **_):
        return repr(was.request.args)

    @app.route("/only")
    @app.inspect(ints=["a"])
    def only(was):
        return repr(was.request.args)

    client = app.test_client()
    assert client.get("/async?a=7").text == "7"
    assert client.get("/alone/3").text == "{'x': 3}"
    assert client.get("/only?a=7").text == "{'a': 7}"
    assert client.get("/only?a=x").status_code == 400


def test_a_route_without_rules_has_no_step_for_them() -> None:
    app = bare_app()
    plain = app.route("/plain")(lambda was: "")
    app.route("/ruled")(app.inspect(a=int, oneof=["a", "b"])(lambda was, a=0, b=0: ""))
    assert app.test_client().get("/ruled?a=1").status_code == 200
    endpoint = app.router.match("/plain", "GET").endpoint
    assert (endpoint.inspector, endpoint._before) == (None, None)
    assert not hasattr(plain, "__atila_inspections__")
    inspector = app.router.match("/ruled", "GET").endpoint.inspector
    (rule,), (choice,) = inspector.rules, inspector.choices
    assert (rule.scope, rule.keyword, rule.place, rule.operator) == ("ARGS", "a", ("a", ()), "ints")
    assert (choice.keyword, choice.names) == ("oneof", ("a", "b"))


@pytest.mark.parametrize(
    ("scope", "rules", "problem"),
    [
        ((), {"a__betwen": (1, 2)}, "'betwen' is no operator"),
        ((), {"a__between": 7}, "lowest and the highest"),
        ((), {"a__between": (2, 1)}, "lowest and the highest"),
        ((), {"a__between": (1, "b")}, "lowest and the highest"),
        ((), {"a__in": "mf"}, "takes a list"),
        ((), {"a__in": []}, "something in it"),
        ((), {"a__in": [[1]]}, "a number or a text"),
        ((), {"a__gte": None}, "a number or a text"),
        ((), {"a__gte": True}, "a number or a text"),
        ((), {"a__eq": [1]}, "a number or a text"),
        ((), {"a__startswith": 7}, "takes a text"),
        ((), {"a__regex": "("}, "takes a regular expression"),
        ((), {"a__regex": 7}, "takes a regular expression"),
        ((), {"a": re.compile(b"x")}, "one of bytes"),
        ((), {"a__len__lte": "7"}, "a length is a number"),
        ((), {"a__len__contains": "7"}, "a length is a number"),
        ((), {"a__len": 7}, "'len' needs an operator: a__len__lte"),
        ((), {"a__gte__lte": 7}, "'lte' cannot follow 'gte'"),
        ((), {"a___": int}, "a name is missing"),
        ((), {"a": 7}, "takes a type"),
        ((), {"a": object}, "takes a type"),
        ((), {"required": ["a"]}, "does not take 'required'; it takes a, b"),
        ((), {"c": int}, "does not take 'c'"),
        ((), {"oneof": ["a", "c"]}, "does not take 'c'"),
        ((), {"oneof": []}, "there are none"),
        ((), {"oneof": ["a___b"]}, "takes names"),
        ((), {"ints": 7}, "takes a list of names"),
        ((), {"ints": [7]}, "takes a list of names; 7 is none"),
        ((), {"ints": ["a__gte"]}, "takes names of parameters"),
        ((), {"ints": ["a", "a"]}, "there twice for 'a'"),
        ((), {"ints": ["a"], "a": int}, "there twice for 'a'"),
        ((), {"ints": ["a"], "floats": ["a"]}, "'a' cannot be in ints as well"),
        ((), {"emails": ["a"], "lists": ["a"]}, "'a' cannot be in emails as well"),
        ((), {"a__eq": 1, "a__exact": 2}, "there twice for 'a'"),
        ((), {"ints": ["a"], "a__startswith": "x"}, "'a', which is int by ints"),
        ((), {"ints": ["a"], "a__len__gt": 1}, "'a', which is int by ints"),
        ((), {"a": int, "a__gte": "1"}, "'a', which is int by a"),
        ((), {"a": bool, "a__gte": 1}, "'a', which is bool by a"),
        ((), {"a": dict, "a__gte": 1}, "'a', which is dict by a"),
        (("BODY",), {"a": int}, "the part of the request"),
        (("URL", "FORM"), {"a": int}, "all rules are keyword arguments"),
        ((["a"],), {}, "all rules are keyword arguments"),
    ],
)
def test_mistakes_are_told_at_mount(scope, rules, problem) -> None:
    app = bare_app()

    @app.route("/")
    @app.inspect(*scope, **rules)
    def handler(was, a=None, b=None):
        pass

    with pytest.raises(SetupError) as caught:
        app.test_client().get("/")
    assert problem in str(caught.value)
    assert re.match(r".*test_inspection\.py:\d+: @app\.inspect\(", str(caught.value))


def test_twice_in_two_decorators() -> None:
    app = bare_app()
    app.route("/")(app.inspect(ints=["a"])(app.inspect(a=int)(lambda was, a: "")))
    with pytest.raises(SetupError, match="twice"):
        app.test_client().get("/")


def test_a_missing_library_is_told_at_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nh3", None)
    app = bare_app()
    app.route("/")(app.inspect(safes=["a"])(lambda was, a: ""))
    with pytest.raises(SetupError, match="pip install nh3"):
        app.test_client().get("/")


def test_too_late_for_its_route() -> None:
    app = bare_app()
    handler = app.route("/")(lambda was, a=0: "")
    app.test_client().get("/")
    with pytest.raises(SetupError, match=r"must stand under @app\.route"):
        app.inspect(a=int)(handler)


def test_over_a_function_that_no_route_has() -> None:
    from functools import wraps

    app = bare_app()
    handler = app.route("/")(lambda was, a=0: "")
    wrapper = wraps(handler)(lambda was, **args: handler(was, **args))
    with pytest.raises(SetupError, match=r"must stand under @app\.route"):
        app.inspect(a=int)(wrapper)
    with pytest.raises(SetupError, match="is for functions"):
        app.inspect(a=int)("".join)


# Whatever is sent


def everything_client() -> TestClient:
    """An app whose parameters are each inspected by another rule."""
    app = bare_app()
    for number, (operator, value, *_) in enumerate(OPERATIONS):
        rules = {f"x__{operator}": value, f"y___k__0__{operator}": value}
        app.route(f"/{number}")(app.inspect(**rules)(lambda was, **DATA: repr(DATA)))
    for number, keyword in enumerate((*KEYWORDS, "nones"), len(OPERATIONS)):
        rules = {keyword: ["x", "y___k__0"], "oneof": ["x", "y"]}
        app.route(f"/{number}")(app.inspect(**rules)(lambda was, **DATA: repr(DATA)))
    return app.test_client()


COUNT = len(OPERATIONS) + len(KEYWORDS) + 1
EVERYTHING = everything_client()
TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["0", "1e400", "-", "1" * 400, "<b", "</", "&#0;", "<!--", "a@b.c", "yes", "<svg></p><style>"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
NEAR = st.fixed_dictionaries(
    {}, optional={"x": JSON, "y": JSON | st.fixed_dictionaries({"k": st.lists(JSON, max_size=2)})}
)


@settings(deadline=None, max_examples=300)
@given(number=st.integers(0, COUNT - 1), body=NEAR | JSON)
def test_no_json_is_too_much(number: int, body: Any) -> None:
    headers = {"Content-Type": "application/json"}
    answer = EVERYTHING.post(f"/{number}", data=orjson.dumps(body), headers=headers)
    assert answer.status_code in (200, 400), (number, body, answer.text)


@settings(deadline=None, max_examples=150)
@given(number=st.integers(0, COUNT - 1), fields=st.lists(st.tuples(st.sampled_from("xyz"), TEXT)))
def test_no_query_or_form_is_too_much(number: int, fields: list[tuple[str, str]]) -> None:
    text = urlencode(fields)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    form = EVERYTHING.post(f"/{number}", data=text.encode(), headers=kind)
    for answer in (EVERYTHING.get(f"/{number}?{text}"), form):
        assert answer.status_code in (200, 400), (number, text, answer.text)
