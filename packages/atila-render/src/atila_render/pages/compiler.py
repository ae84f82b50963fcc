"""Compiles templates as Jinja does, with faster code for the most frequent expressions.

The pages are the same as those of Jinja alone; the tests compare them.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from types import CodeType
from typing import Any

from jinja2 import Environment, Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from markupsafe import Markup, escape


def _safe(text: str) -> str:
    return str(escape(text))


def _quickest() -> Callable[[str], str]:
    """MarkupSafe's own function for plain text, which makes no Markup, as the texts are joined
    anyway.

    It is not public, so it is taken only if it is there and does what the public one does.
    """
    probe = "<a href='x' title=\"y\">&amp; é ✓</a>"
    try:
        from markupsafe._speedups import _escape_inner

        found: Callable[[str], str] = _escape_inner
        if found(probe) == _safe(probe):
            return found
    except (ImportError, TypeError):
        pass
    return _safe


_escaped_text = _quickest()


def escaped(value: Any) -> str:
    """A printed value as it is joined to the page."""
    kind = type(value)
    if kind is str:
        return _escaped_text(value)
    if kind is int or kind is float:
        return repr(value)
    if kind is Markup:
        return value  # type: ignore[no-any-return]  # it is, by the line before
    return escape(value)


class PageCompiler(CodeGenerator):
    """Makes Python of templates."""

    def _output_child_pre(
        self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> None:
        context = frame.eval_ctx
        if context.autoescape and not context.volatile and finalize.src is None:
            self.write("escaped(")
        else:
            super()._output_child_pre(node, frame, finalize)

    def _output_child_to_const(
        self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> str:
        # Filters run when a template does, and not on constants when it is compiled: then a
        # compiled template that is kept would be wrong for another version of the filter.
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


class PageTemplate(Template):
    """A template that was compiled by `PageCompiler`."""

    @classmethod
    def from_code(
        cls,
        environment: Environment,
        code: CodeType,
        globals: MutableMapping[str, Any],
        uptodate: Callable[[], bool] | None = None,
    ) -> Template:
        """See jinja2.Template."""
        namespace = {
            "environment": environment,
            "__file__": code.co_filename,
            "escaped": escaped,
        }
        exec(code, namespace)  # noqa: S102 - as Jinja does: the code is made of the template
        template = cls._from_namespace(environment, namespace, globals)
        template._uptodate = uptodate
        return template


class PageEnvironment(Environment):
    """An environment with this way to compile."""

    code_generator_class = PageCompiler
    template_class = PageTemplate

    def getattr(self, obj: Any, attribute: str) -> Any:
        """See jinja2.Environment. In a dict nothing but its methods can be found by `getattr`."""
        if type(obj) is dict and attribute not in _OF_DICTS:
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


_OF_DICTS = frozenset(dir(dict))
