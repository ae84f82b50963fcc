"""`was.render`, and what an app adds to its templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from atila_render.environment import environment_of
from atila_render.media import HTML, media_type_of

if TYPE_CHECKING:
    from atila import Atila, Was

Function = TypeVar("Function", bound=Callable[..., Any])

RESERVED = frozenset({"app", "context", "request", "response", "was"})
"""Names that every template has, so that no variable can have them."""


class Context:
    """The variables that a template was given: `context.name` or `context["name"]`."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        # Attributes and nothing else, or `context.items` would be a method of this class.
        self.__dict__.update(variables)

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
) -> str:
    """What a template makes of variables; in a template they are `context.name`, or just `name`.

    A task among the variables is left as it is: `context.task.fetch()` in the template waits for
    it. After the first `yield` of a coroutine, and in `async def`, it must be finished by then.

    Args:
        was: the request.
        template: its path below the folder `templates` beside the app's module.
        variables: the variables.
        more: further ones, which win over the former.

    Returns:
        The text. The answer's Content-Type is set, if nothing else has set it, when the name of
        the template tells of something else than HTML.

    Raises:
        TypeError: a variable has a name that templates have a meaning for.
        jinja2.TemplateNotFound: there is no such template; its text has the folders searched.
        jinja2.TemplateSyntaxError: there is a mistake in it.
    """
    given = {**(variables or {}), **more}
    if clash := RESERVED & given.keys():
        raise TypeError(f"{min(clash)!r} means something else in templates: rename the variable")
    environment = environment_of(was.app)
    if was.app.debug:
        environment.auto_reload = True
    names = {"was": was, "request": was.request, "response": was.response}
    text = environment.get_template(template).render(given, context=Context(given), **names)
    media = media_type_of(template)
    if media != HTML and was.response.get_header("content-type") is None:
        charset = "; charset=utf-8" if media.startswith("text/") else ""
        was.response.set_header("content-type", media + charset)
    return text


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
