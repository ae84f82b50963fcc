"""Our way to compile templates makes the same pages as Jinja's own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup, escape

from atila_render.pages import compiler
from atila_render.pages.compiler import PageEnvironment, escaped

TEMPLATES = [
    "{{ a }}|{{ b.name }}|{{ b['name'] }}|{{ c[0] }}|{{ nothing }}|{{ b.nothing }}"
    "|{{ 1 }}{{ '<' }}",
    "{% for x in c %}{{ loop.index }}{{ x }}{% if x == a %}{% continue %}{% endif %},{% endfor %}",
    "{% macro m(x) %}<b>{{ x }}{{ caller() if caller else '' }}</b>{% endmacro %}{{ m(a) }}"
    "{% call m(b.name) %}{{ a }}{% endcall %}",
    "{% set t %}<i>{{ a }}</i>{% endset %}{{ t }}{{ t|length }}",
    "{% filter upper %}{{ a }}<x>{% endfilter %}",
    "{% autoescape false %}{{ a }}{{ b.name }}{% endautoescape %}{{ a|safe }}{{ a|e }}{{ a|e|e }}",
    "{% extends 'base' %}{% block body %}{{ super() }}{{ a }}{% endblock %}",
    "{{ a ~ b.name }}{{ '%s<'|format(a) }}{{ [a, b.name]|join('<') }}{{ b|tojson }}",
    "{% for k, v in b.items() %}{{ k }}={{ v }};{% endfor %}{{ b.keys()|list }}{{ b.get('name') }}",
    "{{ o.name }}{{ o['name'] }}{{ o.nothing }}{{ a.upper() }}{{ a|replace('<', a) }}"
    "{{ c|length }}",
    '<a title="{{ a }}" href=\'{{ b.name }}\'>{% include "part" %}</a>',
    "{% trans x=a %}Hello <b>{{ x }}</b>{% endtrans %}{{ gettext('a') }}",
    "{{ 'x'|upper }}{{ 3|string }}{{ '<b>'|striptags }}{{ 2 ** 3 }}{{ 'a' 'b' }}",
]
PARTS = {"base": "[{% block body %}{{ a }}{% endblock %}]", "part": "{{ a }}{{ c }}"}


@dataclass
class Thing:
    name: Any


class Html:
    def __html__(self) -> str:
        return "<html>"


def rendered(kind: type[jinja2.Environment], source: str, variables: dict[str, Any]) -> str:
    environment = kind(
        autoescape=True,
        loader=jinja2.DictLoader(PARTS),
        extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols", "jinja2.ext.i18n"],
    )
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    return environment.from_string(source).render(variables)


values = st.one_of(
    st.text(),
    st.text("<>&\"'x"),
    st.text().map(Markup),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.just(Html()),
    st.binary(max_size=5),
)


@pytest.mark.parametrize("source", TEMPLATES)
@settings(max_examples=25, deadline=None)
@given(st.text("<>&\"'xé✓") | st.text().map(Markup), values, st.lists(values, min_size=1))
def test_same_pages(source: str, a: Any, name: Any, c: list[Any]) -> None:
    variables = {"a": a, "b": {"name": name}, "c": c, "o": Thing(name)}
    outcomes = []
    for kind in (jinja2.Environment, PageEnvironment):
        try:
            outcomes.append(rendered(kind, source, variables))
        except Exception as error:
            outcomes.append(f"{type(error).__name__}: {error}")
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("source", TEMPLATES)
def test_the_templates_are_right(source: str) -> None:
    variables = {"a": "<a>", "b": {"name": "n"}, "c": ["x", "<a>"], "o": Thing("t")}
    assert "&lt;a&gt;" in rendered(PageEnvironment, source + "{{ a }}", variables)


@settings(deadline=None)
@given(values)
def test_escaped(value: Any) -> None:
    assert escaped(value) == escape(value)


class Text(str):
    def __html__(self) -> str:
        return "own"


class Count(int):
    def __str__(self) -> str:
        return "<many>"


def test_subclasses_decide_themselves() -> None:
    assert escaped(Text("<")) == "own"
    assert escaped(Count(7)) == "&lt;many&gt;"
    assert escaped(jinja2.Undefined(name="x")) == ""


def test_without_the_function_that_is_not_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "markupsafe._speedups", None)
    assert compiler._quickest() is compiler._safe
    wrong = ModuleType("markupsafe._speedups")
    wrong._escape_inner = lambda text: text  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "markupsafe._speedups", wrong)
    assert compiler._quickest() is compiler._safe
    assert compiler._safe("<'>") == "&lt;&#39;&gt;"
    assert type(compiler._safe("<")) is str


def test_strict_undefined_is_still_told() -> None:
    environment = PageEnvironment(undefined=jinja2.StrictUndefined)
    with pytest.raises(jinja2.UndefinedError, match="has no attribute 'y'"):
        environment.from_string("{{ x.y }}").render(x={})


def test_filters_do_not_run_when_a_template_is_compiled() -> None:
    environment = PageEnvironment(autoescape=True, optimized=False)
    environment.filters["twice"] = lambda text: text * 2
    template = environment.from_string("{{ 'a<' | twice }}")
    environment.filters["twice"] = lambda text: text * 3
    assert template.render() == "a&lt;a&lt;a&lt;"
