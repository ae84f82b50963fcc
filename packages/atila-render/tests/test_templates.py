from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateNotFound

from atila import Atila, Was
from atila.runtime import server_run
from atila.testing import TestResponse
from atila_render.pages.media import is_markup, media_type_of
from atila_render.pages.templates import Rendering

Write = Callable[[str, str], Path]
Render = Callable[..., TestResponse]


@pytest.fixture
def render(app: Atila) -> Render:
    """Answers a request with a template."""

    def render(*args: Any, **variables: Any) -> TestResponse:
        path = f"/{len(app.routes)}"
        app.route(path)(lambda was: was.render(*args, **variables))
        return app.test_client().get(path)

    return render


def test_variables(write: Write, render: Render) -> None:
    write("hello.j2", "{{ context.name }} {{ name }} {{ context['name'] }} {{ context.age }}.")
    response = render("hello.j2", name="Hans Roh")
    assert response.text == "Hans Roh Hans Roh Hans Roh ."
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert render("hello.j2", {"name": "A", "age": 7}).text == "A A A 7."
    assert render("hello.j2", {"name": "A"}, name="B").text == "B B B ."


@pytest.mark.parametrize("name", ["items", "keys", "get", "pop", "name", "self"])
def test_any_name_of_a_variable(write: Write, render: Render, name: str) -> None:
    write("name.html", f"{{{{ context.{name} }}}}")
    assert render("name.html", {name: "given"}).text == "given"


@pytest.mark.parametrize("name", ["app", "context", "request", "response", "was"])
def test_reserved_names(
    write: Write, render: Render, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    write("x.html", "")
    assert render("x.html", {name: 1}).status_code == 500
    assert render("x.html", **{name: 1}).status_code == 500
    assert f"{name!r} means something else in templates" in caplog.text


def test_names_of_every_template(app: Atila, write: Write) -> None:
    app.config.TITLE = "Shop"
    write("base.html", "{{ app.config.TITLE }}|{% block body %}{% endblock %}")
    write(
        "names.html",
        '{% extends "base.html" %}{% block body %}{{ request.args.get("choice", "N/A") }}|'
        '{{ was.request.path }}|{{ response.status_code }}|{% include "part.html" %}{% endblock %}',
    )
    write("part.html", "{{ app.config.TITLE }} {{ request.method }} {{ context.a }}")

    @app.route("/names")
    def names(was: Was) -> str:
        was.response.set_status("202 Accepted")
        return was.render("names.html", a=1)

    response = app.test_client().get("/names?choice=2")
    assert response.text == "Shop|2|/names|202|Shop GET 1"
    assert response.status_code == 202


def test_names_in_imported_templates(app: Atila, write: Write) -> None:
    write(
        "tools.html", "{% macro link() %}{{ was.request.path }} {{ request.args.x }}{% endmacro %}"
    )
    write("page.html", '{% import "tools.html" as tools %}{{ tools.link() }}')

    @app.route("/<name>")
    def page(was: Was, name: str, x: str) -> Any:
        return was.render("page.html")

    @app.route("/async/<name>")
    async def page_async(was: Was, name: str, x: str) -> Any:
        return was.render("page.html")

    client = app.test_client()
    for path in ("/a", "/b", "/async/c"):
        assert client.get(f"{path}?x=<").text == f"{path} &lt;"


@pytest.mark.parametrize("name", ["a.html", "a.htm", "a.j2", "a.html.j2", "a.tpl", "a", "a.xml.j2"])
def test_markup_is_escaped(write: Write, render: Render, name: str) -> None:
    write(name, "{{ context.text }} {{ context.text | safe }}")
    response = render(name, text="<script>")
    assert response.text == "&lt;script&gt; <script>"
    expected = "application/xml" if "xml" in name else "text/html; charset=utf-8"
    assert response.headers["content-type"] == expected


@pytest.mark.parametrize(
    ("name", "media"),
    [
        ("robots.txt", "text/plain; charset=utf-8"),
        ("robots.txt.j2", "text/plain; charset=utf-8"),
        ("data.json", "application/json"),
        ("style.CSS.jinja", "text/css; charset=utf-8"),
    ],
)
def test_text_is_not_escaped_and_is_no_html(
    write: Write, render: Render, name: str, media: str
) -> None:
    write(name, "{{ context.text }}")
    response = render(name, text="<b>")
    assert response.text == "<b>"
    assert response.headers["content-type"] == media


def test_content_type_that_was_set_stays(app: Atila, write: Write) -> None:
    write("a.txt", "")

    @app.route("/")
    def handler(was: Was) -> str:
        was.response["Content-Type"] = "text/x-own"
        return was.render("a.txt")

    assert app.test_client().get("/").headers["content-type"] == "text/x-own"


def test_templates_out_of_strings_are_escaped(app: Atila) -> None:
    assert is_markup(None)
    assert app.jinja_env.from_string("{{ a }}").render(a="<") == "&lt;"


def test_media_types() -> None:
    assert media_type_of("x/y.svg") == "image/svg+xml"
    assert media_type_of("x.txt/y") == "text/html"


def test_extensions(write: Write, render: Render) -> None:
    write(
        "ext.html",
        "{% set l = [] %}{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}"
        "{% do l.append(i) %}{% endfor %}{{ l }}",
    )
    assert render("ext.html").text == "[0, 1]"


def test_customizing(app: Atila, write: Write, render: Render) -> None:
    @app.template_global("form_token")
    def generate_form_token() -> str:
        return "<token>"

    @app.template_filter("reverse_text")
    def reverse_filter(s: str) -> str:
        return s[::-1]

    app.add_jinja_ext("jinja2.ext.i18n")
    app.jinja_env.install_null_translations()
    app.jinja_env.globals["answer"] = 42
    write("c.html", '{{ form_token() }} {{ "abc" | reverse_text }} {{ _("hi") }} {{ answer }}')
    assert render("c.html").text == "&lt;token&gt; cba hi 42"
    assert generate_form_token() == "<token>"
    assert app.jinja_env is app.jinja_env


def test_environment_is_that_of_one_app(app: Atila) -> None:
    other = Atila("app_of_test", layers=dict(app._layers_choice))
    assert other.jinja_env is not app.jinja_env


def test_missing_template(
    app: Atila, write: Write, render: Render, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("extends.html", '{% extends "gone.html" %}')
    for name, absent in (("none.html", "none.html"), ("extends.html", "gone.html")):
        caplog.clear()
        response = render(name)
        assert response.status_code == 500
        assert str(tmp_path) not in response.text
        assert absent in caplog.text
        assert str(tmp_path / "templates") in caplog.text


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "a/../../secret.txt"])
def test_nothing_outside_of_the_folder(app: Atila, write: Write, tmp_path: Path, name: str) -> None:
    write("a/x.html", "")
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(TemplateNotFound):
        app.jinja_env.get_template(name)


def test_mistake_in_a_template(
    write: Write, render: Render, caplog: pytest.LogCaptureFixture
) -> None:
    path = write("broken.html", "\n{% if %}")
    assert render("broken.html").status_code == 500
    assert f'"{path}", line 2' in caplog.text


def test_changes_are_noticed_in_debugging_only(app: Atila, write: Write, render: Render) -> None:
    def change(text: str) -> None:
        path = write("a.html", text)
        change.time += 10
        os.utime(path, (change.time, change.time))

    change.time = 1e9
    change("one")
    assert render("a.html").text == "one"
    change("two")
    assert render("a.html").text == "one"
    app.debug = True
    assert render("a.html").text == "two"
    change("three")
    assert render("a.html").text == "three"


class FakeTask:
    """What a task of another layer looks like to a template."""

    fetched = 0

    def __await__(self) -> Any:
        raise AssertionError("nobody asked for it")

    def fetch(self) -> Any:
        self.fetched += 1
        return ["<a>", "b"]


def test_task_in_a_template(write: Write, render: Render) -> None:
    write(
        "task.html",
        "{% set rows = context.task1.fetch() %}{% for row in rows %}{{ row }},{% endfor %}",
    )
    task, unused = FakeTask(), FakeTask()
    assert render("task.html", task1=task, task2=unused).text == "&lt;a&gt;,b,"
    assert (task.fetched, unused.fetched) == (1, 0)


def test_error_page(app: Atila, write: Write) -> None:
    write("errors/404.j2", "<h1>{{ error.code }} {{ context.error.message }}</h1>{{ error.url }}")

    @app.error_handler(404)
    def not_found(was: Was, error: Any) -> str:
        return was.render("errors/404.j2", error=error)

    response = app.test_client().get("/%3Cb%3E", headers={"accept": "text/html"})
    assert response.status_code == 404
    assert response.text == "<h1>404 Not Found</h1>/&lt;b&gt;"


def test_async_def(app: Atila, write: Write) -> None:
    write("a.html", "{{ context.a }}")

    @app.route("/")
    async def handler(was: Was) -> str:
        return was.render("a.html", a=1)

    assert app.test_client().get("/").text == "1"


class SlowTask(FakeTask):
    """One that is not finished, so that waiting for it would block."""

    def fetch(self) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return super().fetch()
        raise AssertionError("it would block the task loop")


@pytest.mark.parametrize("given", [lambda t: t, lambda t: [t], lambda t: {"t": t}])
def test_task_in_a_template_of_async_def(app: Atila, write: Write, given: Any) -> None:
    write("a.html", "{% set t = x[0] or x.t or x %}{{ t.fetch()[0] }}")
    seen: list[Any] = []

    @app.route("/returned")
    async def returned(was: Was) -> Any:
        return was.render("a.html", x=given(SlowTask()))

    @app.route("/awaited")
    async def awaited(was: Was) -> Any:
        return "awaited " + await was.render("a.html", x=given(SlowTask()))

    @app.finish_request
    def look(was: Was, value: Any) -> None:
        seen.append(value)

    client = app.test_client()
    assert client.get("/returned").text == "&lt;a&gt;"
    assert client.get("/awaited").text == "awaited &lt;a&gt;"
    assert seen == ["&lt;a&gt;", "awaited &lt;a&gt;"]


def test_error_in_a_template_of_async_def(
    app: Atila, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("a.html", "{{ x.fetch() }}\n{{ 1 / 0 }}")

    @app.route("/")
    async def handler(was: Was) -> Any:
        return was.render("a.html", x=SlowTask())

    assert app.test_client().get("/").status_code == 500
    assert 'a.html", line 2' in caplog.text


def test_rendering_does_not_show_variables(app: Atila, write: Write) -> None:
    assert repr(Rendering(None, "a.html", {"x": "secret"})) == "<Rendering of a.html>"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{% include "endless.html" %}', "RecursionError"),
        ('{% extends "endless.html" %}', "RecursionError"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "RecursionError"),
        ("{{ nothing.at.all }}", "'nothing' is undefined"),
        ("{{ 1 / 0 }}", 'endless.html", line 1'),
    ],
)
def test_what_fails_in_a_template(
    write: Write, render: Render, text: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    write("endless.html", text)
    write("fine.html", "fine")
    assert render("endless.html").status_code == 500
    assert told in caplog.text
    assert render("fine.html").text == "fine"


def test_lone_surrogates_are_refused(
    write: Write, render: Render, caplog: pytest.LogCaptureFixture
) -> None:
    write("a.html", "{{ text }}")
    assert render("a.html", text="a\ud800").status_code == 500
    assert "surrogates not allowed" in caplog.text


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "\"><img src=x onerror='alert(1)'>",
        "' onmouseover='alert(1)",
        "</textarea><script>",
        "&lt;script&gt;",
    ],
)
def test_no_markup_out_of_values(write: Write, render: Render, attack: str) -> None:
    write(
        "a.html",
        "<p title=\"{{ a }}\" class='{{ a }}'>{{ a }}</p><textarea>{{ context.a }}</textarea>"
        "{% macro m(x) %}<i>{{ x }}</i>{% endmacro %}{{ m(a) }}{{ request.args.x or a }}",
    )
    text = render("a.html", a=attack).text
    rest = text
    for tag in ('<p title="', "\" class='", "'>", "</p><textarea>", "</textarea><i>", "</i>"):
        assert rest.count(tag) == 1
        rest = rest.replace(tag, "")
    assert not set(rest) & set("<>\"'")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The private folder of a server's run, as its workers see it."""
    folder = tmp_path / "run"
    monkeypatch.setenv(server_run.RUN, f"{os.getpid()}:{folder}")
    return folder


def test_workers_share_compiled_templates(
    app: Atila, write: Write, render: Render, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("a.html", "{{ 'x' | own }}")
    app.jinja_env.filters["own"] = lambda text: text + "1"
    assert render("a.html").text == "x1"
    (kept,) = (run / "templates").iterdir()
    assert stat.S_IMODE((run / "templates").stat().st_mode) == 0o700

    def worker(**layers: Any) -> Atila:
        other = Atila("app_of_test", layers=dict(app._layers_choice))
        other.jinja_env.filters["own"] = lambda text: text + "2"
        other.route("/")(lambda was: was.render("a.html"))
        return other

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("it is compiled already")

    with monkeypatch.context() as patched:
        patched.setattr("jinja2.environment.Environment._compile", refuse)
        assert worker().test_client().get("/").text == "x2"
    # Another text, another extension, another app: compiled anew.
    path.write_text("new {{ 'x' | own }}")
    assert worker().test_client().get("/").text == "new x2"
    extended = worker()
    extended.add_jinja_ext("jinja2.ext.i18n")
    extended.test_client().get("/")
    assert len(list((run / "templates").iterdir())) == 2
    kept.write_bytes(b"damaged")
    path.write_text("{{ 'x' | own }}")
    assert worker().test_client().get("/").text == "x2"


@pytest.mark.parametrize("why", ["setting", "debug", "alone", "not ours"])
def test_nothing_is_kept(
    app: Atila,
    write: Write,
    render: Render,
    run: Path,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write("a.html", "x")
    if why == "setting":
        app.config.TEMPLATE_CACHE = False
    elif why == "debug":
        app.debug = True
    elif why == "alone":
        monkeypatch.delenv(server_run.RUN)
    else:
        run.mkdir(mode=0o755)
    assert render("a.html").text == "x"
    assert not (run / "templates").exists()
    assert ("not theirs alone" in caplog.text) == (why == "not ours")
