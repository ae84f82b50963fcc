"""`was.render`, and the names that an app adds to its templates."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from atila.runtime.loop import in_event_loop
from atila.runtime.offload import in_worker
from atila.typevars import Function
from atila_render.pages.environment import environment_of
from atila_render.pages.media import HTML, media_type_of
from atila_render.settings import settings_of

if TYPE_CHECKING:
    from atila import Atila, Was


RESERVED = frozenset({"app", "context", "request", "response", "was"})
"""Names that every template has, so that no variable can have them."""


class Context:
    """The variables that a template was given: `context.name` or `context["name"]`."""

    def __init__(self, variables: dict[str, Any]) -> None:
        # Attributes and nothing else, or `context.items` would be a method of this class.
        self.__dict__ = variables

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        # Without the values, which may be anybody's secret.
        return f"<Context: {', '.join(self.__dict__)}>"


def render(
    was: Was, template: str, variables: Mapping[str, Any] | None = None, /, **more: Any
) -> str | Rendering:
    """Renders a template; its variables are `context.name`, or just `name`.

    A task among the variables is left as it is: `context.task.fetch()` in the template waits for
    it. Where nothing may wait, in `async def` and after the first `yield` of a coroutine, a
    template that is given a task is rendered in a worker thread: see Returns.

    Args:
        was: the request.
        template: its path below the folder `templates` beside the app's module.
        variables: the variables.
        more: further ones, which win over the former.

    Returns:
        The text. On the task loop, if there are tasks among the variables, a `Rendering`, which
        can be returned as it is, or awaited or yielded for the text.
        The answer's Content-Type is set, if nothing else has set it, when the name of the template
        indicates another type than HTML.

    Raises:
        TypeError: a variable has a name that templates have a meaning for.
        jinja2.TemplateNotFound: there is no such template; its text has the folders searched.
        jinja2.TemplateSyntaxError: there is a mistake in it.
    """
    if variables:
        more = {**variables, **more}
    if not RESERVED.isdisjoint(more):
        clash = min(RESERVED.intersection(more))
        raise TypeError(f"{clash!r} means something else in templates: rename the variable")
    if in_event_loop() and any(map(_has_tasks, more.values())):
        return Rendering(was, template, more)
    return _render(was, template, more)


def _render(was: Was, template: str, variables: dict[str, Any]) -> str:
    app = was.app
    environment = environment_of(app)
    if app.debug:
        environment.auto_reload = True
    names = {
        **variables,
        "context": Context(variables),
        "was": was,
        "request": was.request,
        "response": was.response,
    }
    text = environment.get_template(template).render(names)
    media = media_type_of(template)
    if media == HTML:
        minify = settings_of(app).minify
        return text if minify is None else minify(text)
    response = was.response
    if response.get_header("content-type") is None:
        charset = "; charset=utf-8" if media.startswith("text/") else ""
        response.set_header("content-type", media + charset)
    return text


class Rendering:
    """A template that is rendered in a worker thread, where it may wait for tasks.

    Args:
        was: the request.
        template: its path.
        variables: its variables.
    """

    __slots__ = ("_template", "_variables", "_was")

    def __init__(self, was: Was, template: str, variables: dict[str, Any]) -> None:
        self._was = was
        self._template = template
        self._variables = variables

    def __await__(self) -> Generator[Any, None, str]:
        work = in_worker(self._was, _render, self._was, self._template, self._variables)
        return work.__await__()

    def __repr__(self) -> str:
        return f"<Rendering of {self._template}>"


def _has_tasks(value: Any) -> bool:
    """Whether a variable is a task of another layer, or has one directly in it."""
    if isinstance(value, list | tuple):
        return any(map(_is_task, value))
    if isinstance(value, dict):
        return any(map(_is_task, value.values()))
    return _is_task(value)


def _is_task(value: Any) -> bool:
    kind = type(value)
    return hasattr(kind, "fetch") and hasattr(kind, "__await__")


def template_global(app: Atila, name: str) -> Callable[[Function], Function]:
    """Make a function callable by a name in all templates: `@app.template_global("token")`."""

    def decorate(function: Function) -> Function:
        environment_of(app).globals[name] = function
        return function

    return decorate


def template_filter(app: Atila, name: str) -> Callable[[Function], Function]:
    """Make a function a filter of all templates: `@app.template_filter("reverse")`."""

    def decorate(function: Function) -> Function:
        environment_of(app).filters[name] = function
        return function

    return decorate


def add_jinja_ext(app: Atila, extension: str) -> None:
    """Add an extension of Jinja: `app.add_jinja_ext("jinja2.ext.i18n")`."""
    environment_of(app).add_extension(extension)
