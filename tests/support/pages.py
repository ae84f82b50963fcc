"""Pages of documentation, run as they stand: their blocks of code, in order, in one namespace.

What a page may have:

- A block of `python` is run. What stands outside of functions and uses `was`, or returns, awaits or
  yields, is the body of a handler; `answer` is then what the client got.
- A block of `python` that begins with "# serve.py" is that file, and must have been imported by the
  end of the page. After a `serve.py`, `client` is a client of all that it mounts.
- A block of `html` that begins with "<!-- templates/x.html -->", or of `jinja` that begins with
  "{# templates/x.j2 #}", is that file.
- A block of `pycon` is run, and its answers compared, as by `doctest`. `client` is a client of
  `app`, made anew for each such block.
- A comment `<!-- run … -->` is a block that readers do not see: what the next block takes for
  granted, or what makes sure of the last one.
- A comment `<!-- not run: why -->` goes before a block that cannot be run here.

Each function that a page defines must have been called by the end of the page.
"""

from __future__ import annotations

import ast
import doctest
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from atila import Atila, HTTPError
from atila.testing import TestClient
from support.blocks import Block, blocks_of

ROOT = Path(__file__).resolve().parents[2]
RAN = "ATILA_DOCS_RAN"
"""The environment variable that names the folder in which functions note that they were called."""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_OF_HANDLERS = (ast.Return, ast.Await, ast.Yield, ast.AsyncWith)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Run:
    """The run of one page.

    Args:
        page: the page.
        folder: where its files are, and where it runs.
        replaced: texts that stand for something else while it is run: addresses of servers.
    """

    def __init__(self, page: Path, folder: Path, replaced: dict[str, str]) -> None:
        self.page = page
        self.folder = folder
        self.replaced = replaced
        self.blocks = blocks_of(page)
        self.defined: set[str] = set()
        self.names: dict[str, Any] = {}
        self.scripted = False
        # Tracebacks show its lines; files that its code asks for are looked for beside it.
        self.copy = shutil.copy(page, folder)

    def run(self) -> None:
        """Run all blocks.

        Raises:
            Exception: what a block raises; AssertionError if one gives another answer than it
                shows, or a function of the page was never called.
        """
        ran = self.folder / ".ran"
        ran.mkdir()
        with _at_home(self.folder, ran, "page_" + re.sub(r"\W", "_", self.page.stem)) as module:
            self.names = module.__dict__
            self.names["app"] = Atila(module.__name__)
            for block in self.blocks:
                if not block.skipped:
                    self._run(block)
            called = {path.name for path in ran.iterdir()}
        idle = sorted(self.defined - called)
        assert not idle, f"{self.page.relative_to(ROOT)}: never called: {', '.join(idle)}"

    def _run(self, block: Block) -> None:
        code = block.code
        for text, real in self.replaced.items():
            code = code.replace(text, real)
        if block.file:
            self._write(block, code)
        elif block.language == "pycon":
            with self._client():
                self._compare(block, code)
        elif block.language == "python":
            self._execute(block, code)

    def _write(self, block: Block, code: str) -> None:
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".py":
            tree = self._noting(block, ast.parse(code))
            if tree.body:
                self._note(tree, block.file)
            code = ast.unparse(tree)
            self.scripted |= path.name == "serve.py"
        path.write_text(code)

    def _noting(self, block: Block, tree: ast.Module) -> ast.Module:
        """The code with a note at the beginning of each function that it was called."""
        ast.increment_lineno(tree, block.line - 1)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._note(node, node.name)
        return tree

    def _note(self, node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> None:
        """Have a function, or a file, note that it was called."""
        key = f"line {node.body[0].lineno if isinstance(node, ast.Module) else node.lineno} {name}"
        key = key.replace("/", ".")
        self.defined.add(key)
        note = f'__import__("pathlib").Path(__import__("os").environ[{RAN!r}], {key!r})'
        first = ast.parse(f"{note}.touch()").body[0]
        ast.copy_location(first, node.body[0])
        ast.fix_missing_locations(first)
        node.body.insert(1 if ast.get_docstring(node) else 0, first)

    @contextmanager
    def _client(self) -> Iterator[None]:
        """A client of the app as it is now; for a launch script, of all that it mounts.

        The app is not mounted in between, so that later blocks may add to it.
        """
        if self.scripted:
            _forget_modules(self.folder)
            client = TestClient.of("serve.py")
        elif not isinstance(self.names["app"], Atila):
            # Of another framework, which a page compares with.
            yield
            return
        else:
            client = TestClient(self.names["app"])
        self.names["client"] = client
        try:
            yield
        finally:
            # Closing one that was never asked would mount its app.
            if client.app._site is not None:
                client.close()

    def _compare(self, block: Block, code: str) -> None:
        parser = doctest.DocTestParser()
        name = str(self.page.relative_to(ROOT))
        test = parser.get_doctest(code, self.names, name, str(self.page), block.line - 1)
        assert test.examples, f"{name}:{block.line}: nothing to compare"
        test.globs = self.names
        said: list[str] = []
        doctest.DocTestRunner(optionflags=_FLAGS, verbose=False).run(
            test, out=said.append, clear_globs=False
        )
        assert not said, "".join(said)

    def _execute(self, block: Block, code: str) -> None:
        tree = ast.parse(code)
        outer = list(_outer(tree))
        if any(isinstance(node, _OF_HANDLERS) or _names(node, "was", ast.Load) for node in outer):
            self._serve(block, tree, outer)
        elif block.hidden and any(_names(node, "client", ast.Load) for node in ast.walk(tree)):
            with self._client():
                self._exec(self._noting(block, tree))
        else:
            self._exec(self._noting(block, tree))

    def _exec(self, tree: ast.Module) -> None:
        if any(_names(node, "app", ast.Store) for node in ast.walk(tree)):
            self.scripted = False
        # Without our own `from __future__`.
        exec(compile(tree, str(self.copy), "exec", dont_inherit=True), self.names)

    def _serve(self, block: Block, tree: ast.Module, outer: list[ast.AST]) -> None:
        """Run a block as the body of a handler, and keep the client's answer."""
        self._noting(block, tree)
        is_async = any(isinstance(node, ast.Await | ast.AsyncWith) for node in outer)
        head = ast.parse(f"{'async ' if is_async else ''}def body(was): pass").body[0]
        assert isinstance(head, ast.FunctionDef | ast.AsyncFunctionDef)
        stored = {n.id for n in outer if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        head.body = [*([ast.Global(sorted(stored))] if stored else []), *tree.body]
        self._exec(ast.fix_missing_locations(ast.Module([head], [])))
        failed: list[BaseException] = []
        options = {}
        if any(isinstance(node, ast.Yield) for node in outer):
            options["coroutine"] = True
        app: Atila = self.names["app"]
        app.route("/block", **options)(_catching(self.names.pop("body"), failed))
        try:
            with self._client():
                self.names["answer"] = self.names["client"].get("/block")
        finally:
            app.routes.pop()
        raises = any(isinstance(node, ast.Raise) for node in outer)
        if failed and not (raises and isinstance(failed[0], HTTPError)):
            raise failed[0]


def _names(node: ast.AST, name: str, context: type[ast.expr_context]) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, context)


def _outer(tree: ast.AST) -> Iterator[ast.AST]:
    """What stands outside of functions and classes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _SCOPES):
            for outside in (*getattr(node, "decorator_list", ()), *getattr(node, "bases", ())):
                yield from (outside, *_outer(outside))
        else:
            yield node
            yield from _outer(node)


def _catching(body: Callable[..., Any], failed: list[BaseException]) -> Callable[..., Any]:
    """The same handler, which keeps what it raises."""
    source = (
        "async def kept(was):\n    try:\n        return await body(was)\n"
        if body.__code__.co_flags & 0x80
        else "def kept(was):\n    try:\n        return (yield from body(was))\n"
        if body.__code__.co_flags & 0x20
        else "def kept(was):\n    try:\n        return body(was)\n"
    )
    source += "    except Exception as error:\n        failed.append(error)\n        raise\n"
    names: dict[str, Any] = {"body": body, "failed": failed}
    exec(source, names)
    kept: Callable[..., Any] = names["kept"]
    return kept


@contextmanager
def _at_home(folder: Path, ran: Path, name: str) -> Iterator[ModuleType]:
    """A module in a folder that is the working directory meanwhile."""
    module = ModuleType(name)
    module.__file__ = str(folder / f"{name}.py")
    before, path, argv, environment = os.getcwd(), sys.path[:], sys.argv, dict(os.environ)
    sys.modules[name] = module
    sys.path.insert(0, str(folder))
    sys.argv = [str(folder / "serve.py")]
    os.environ[RAN] = str(ran)
    os.chdir(folder)
    try:
        yield module
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv, sys.path[:] = argv, path
        del sys.modules[name]
        _forget_modules(folder)


def _forget_modules(folder: Path) -> None:
    """Have the modules of a page imported anew."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(f"{folder}{os.sep}") and not name.startswith("page_"):
            del sys.modules[name]
    for cache in folder.rglob("__pycache__"):
        with suppress(OSError):
            shutil.rmtree(cache)
