"""Writes the pages of reference of the documentation site, from docstrings and signatures."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import griffe

LAYERS = ("tasks", "auth", "render", "ws")
_TITLES = {
    "tasks": "Tasks",
    "auth": "Access control",
    "render": "Pages and calls",
    "ws": "WebSocket",
}
_HTTP = ("HTTPError", "Upload", "Event", "EventStream", "Body", "Query", "Header", "Cookie")
_FOR_LAYERS = ("Layer", "Parts", "Steps", "made", "kept", "current", "site_of", "Site", "Mount")


def pages() -> dict[str, str]:
    """The pages, by name of their file."""
    import atila
    import atila.http.request
    import atila.http.response
    import atila.testing
    import atila_tasks

    http = [atila.http.request.Request, atila.http.response.Response]
    tasks = [getattr(atila_tasks, name) for name in atila_tasks.__all__]
    found = {
        "was.md": _page(
            "was, the context of a request",
            "For authors of handlers. This page lists all that `was` has, by the distribution that"
            " brings it.",
            [_class(atila.Was, "was", 2), *_of_layers("Was", "was", atila.Was)],
        ),
        "app.md": _page(
            "Atila, the app",
            "For authors of apps. This page lists all that an app has, by the distribution that"
            " brings it.",
            [_class(atila.Atila, "app", 2), *_of_layers("App", "app", atila.Atila)],
        ),
        "http.md": _page(
            "Request and answer",
            "For authors of handlers. This page lists what `was.request` and `was.response` have,"
            " and the classes that handlers take and give.",
            [*(_class(cls, "", 2) for cls in http), *_members(atila, _HTTP)],
        ),
        "tasks.md": _page(
            "Tasks",
            "For authors of handlers that start tasks. This page lists the public names of"
            " `atila_tasks`; `was` makes most of them.",
            [_member(thing.__name__, thing) for thing in tasks if inspect.isclass(thing)],
        ),
        "testing.md": _page(
            "Test client",
            "For authors of tests. This page lists the public names of `atila.testing`.",
            list(_members(atila.testing, atila.testing.__all__)),
        ),
        "layers.md": _page(
            "Layers and sites",
            "For authors of layers and launch scripts. This page lists the names of `atila` that"
            " they use.",
            list(_members(atila, _FOR_LAYERS)),
        ),
    }
    rows = [
        f"| [{text.splitlines()[0].lstrip('# ')}]({name}) | {text.splitlines()[2]} |"
        for name, text in found.items()
    ]
    intro = (
        "For readers who know a name and want its parameters. A build writes these pages from the"
        " docstrings and signatures of the code."
    )
    table = ["| page | |", "|---|---|", *rows]
    found["index.md"] = _page("Reference", intro, ["\n".join(table)])
    return found


def _page(title: str, intro: str, parts: list[str]) -> str:
    return "\n\n".join([f"# {title}", intro, *parts]) + "\n"


def _members(module: Any, names: Any) -> Iterator[str]:
    for name in names:
        yield _member(name, getattr(module, name))


def _member(name: str, thing: Any) -> str:
    if inspect.isclass(thing):
        return _class(thing, "", 2, name)
    if callable(thing):
        return _function(name, thing, 2)
    return f"## {name}\n\n`{thing!r}`"


def _of_layers(kind: str, prefix: str, base: type) -> Iterator[str]:
    """What each layer adds to `was`, or to the app."""
    for layer in LAYERS:
        names = importlib.import_module(f"atila_{layer}.names")
        for name, cls in vars(names).items():
            if name.startswith(f"{kind}Of") and cls.__module__ == names.__name__:
                yield _class(cls, prefix, 2, f"{_TITLES[layer]}: atila-{layer}", brief=True)


def _class(cls: type, prefix: str, level: int, title: str = "", *, brief: bool = False) -> str:
    """A class: its text, its attributes and its public methods."""
    parts = [f"{'#' * level} {title or cls.__name__}"]
    if not brief:
        parts.append(_text(cls))
    documented = _attribute_texts(cls)
    for name in sorted({*_public(cls), *documented}, key=str.lower):
        shown = f"{prefix}.{name}" if prefix else name
        value = inspect.getattr_static(cls, name, None)
        value = getattr(value, "__func__", value)
        if isinstance(value, property):
            parts.append(f"{'#' * (level + 1)} {shown}\n\n{_text(value)}")
        elif inspect.isroutine(value):
            parts.append(_function(shown, value, level + 1, method=True))
        elif name in documented:
            parts.append(f"{'#' * (level + 1)} {shown}\n\n{documented[name]}")
    return "\n\n".join(part for part in parts if part)


def _public(cls: type) -> list[str]:
    own = [kind for kind in cls.__mro__ if kind.__module__.startswith("atila")]
    return [
        name
        for kind in own
        for name, value in vars(kind).items()
        if not name.startswith("_")
        if isinstance(value, property | staticmethod | classmethod) or inspect.isfunction(value)
    ]


def _attribute_texts(cls: type) -> dict[str, str]:
    """The texts that stand under attributes of a class, which Python forgets."""
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        return {}
    found = re.findall(
        r'^    (?!_)(\w+)(?:: [^\n]+| = [^\n]+)\n    """(.*?)"""', source, re.DOTALL | re.MULTILINE
    )
    return {name: inspect.cleandoc(text) for name, text in found}


def _function(name: str, function: Any, level: int, *, method: bool = False) -> str:
    try:
        signature = inspect.signature(function)
        parameters = [
            each.replace(annotation=_bare(each.annotation))
            for each in list(signature.parameters.values())[1 if method else 0 :]
        ]
        result = _bare(signature.return_annotation)
        said = str(signature.replace(parameters=parameters, return_annotation=result))
    except (TypeError, ValueError):
        said = "(…)"
    head = f"{'#' * level} {name}"
    code = f"```python\n{_wrapped(name + said)}\n```"
    return "\n\n".join(part for part in (head, code, _text(function)) if part)


class _Bare:
    """An annotation that was not evaluated, which a signature would show in quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _bare(annotation: Any) -> Any:
    return _Bare(annotation) if isinstance(annotation, str) else annotation


def _wrapped(signature: str) -> str:
    """A signature on one line, or with a line for each parameter."""
    if len(signature) <= 70:
        return signature
    found = re.fullmatch(r"([\w.]+)\((.*)\)( -> .+)?", signature, re.DOTALL)
    if not found:
        return signature
    depth, parts = 0, [""]
    for character in found[2]:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    lines = "".join(f"    {part.strip()},\n" for part in parts)
    return f"{found[1]}(\n{lines}){found[3] or ''}"


def _text(thing: Any) -> str:
    """A docstring as Markdown: its sections as lists."""
    raw = inspect.getdoc(thing)
    if not raw:
        return ""
    parts = []
    for section in griffe.Docstring(raw).parse("google", warnings=False):
        if section.kind is griffe.DocstringSectionKind.text:
            parts.append(section.value)
        elif section.kind is griffe.DocstringSectionKind.examples:
            parts += [
                text if kind is griffe.DocstringSectionKind.text else f"```pycon\n{text}\n```"
                for kind, text in section.value
            ]
        elif isinstance(section.value, list):
            parts.append(f"**{section.title or section.kind.value.capitalize()}**")
            parts.append("\n".join(_item(item) for item in section.value))
        elif isinstance(section.value, griffe.DocstringAdmonition):
            parts.append(f"**{section.title}** {section.value.description}")
    return "\n\n".join(parts)


def _item(item: Any) -> str:
    name = getattr(item, "name", "") or getattr(item, "annotation", "") or ""
    text = " ".join(item.description.split())
    return f"- `{name}`: {text}" if name else f"- {text}"
