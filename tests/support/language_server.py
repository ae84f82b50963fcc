"""A language server as an editor uses it (Language Server Protocol 3.17)."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from atila.testing.waits import patience


class LanguageServer:
    """The server of basedpyright with one open file.

    Args:
        path: the file, which need not exist.
        text: what stands in it.
        python: the interpreter whose packages it knows.
    """

    def __init__(self, path: Path, text: str, python: str = sys.executable) -> None:
        self._uri = path.as_uri()
        self._text = text
        self._python = python
        self._count = 0
        # Not the script of that name, which may be in a folder that is not in PATH.
        code = "from basedpyright.langserver import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._watch = threading.Timer(patience(), self._process.kill)
        self._watch.start()
        folder = {"uri": path.parent.as_uri(), "name": path.parent.name}
        document = {"completion": {"completionItem": {"documentationFormat": ["plaintext"]}}}
        abilities = {"workspace": {"configuration": True}, "textDocument": document}
        self.ask(
            "initialize",
            {"processId": None, "workspaceFolders": [folder], "capabilities": abilities},
        )
        self._send({"method": "initialized", "params": {}})
        opened = {"uri": self._uri, "languageId": "python", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": opened}})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watch.cancel()
        self._process.kill()
        self._process.communicate()

    def offered(self, after: str) -> dict[str, Any]:
        """What an editor offers after a text of the file, by name."""
        found = self.ask("textDocument/completion", self._place(after))
        return {item["label"]: item for item in found["items"]}

    def described(self, item: Any) -> str:
        """What an editor shows beside something that it offers: signature and docstring."""
        return str(self.ask("completionItem/resolve", item)["documentation"]["value"])

    def signature(self, after: str) -> str:
        """What an editor shows while the arguments of a call are written."""
        found = self.ask("textDocument/signatureHelp", self._place(after))
        return str(found["signatures"][0]["label"])

    def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        """Send a request, and give what is answered.

        Raises:
            RuntimeError: the server refuses it, or has ended.
        """
        self._count += 1
        self._send({"id": self._count, "method": method, "params": params})
        while True:
            message = self._receive()
            if "method" in message:
                self._answer(message)
            elif message["id"] == self._count:
                if "error" in message:
                    raise RuntimeError(str(message["error"]))
                return message["result"]

    def _answer(self, message: Mapping[str, Any]) -> None:
        """What the server asks of an editor; `id` is not in what it only tells."""
        if "id" not in message:
            return
        result: list[Any] | None = None
        if message["method"] == "workspace/configuration":
            settings = {"python": {"pythonPath": self._python}}
            result = [settings.get(item["section"], {}) for item in message["params"]["items"]]
        self._send({"id": message["id"], "result": result})

    def _place(self, after: str) -> dict[str, Any]:
        before = self._text[: self._text.index(after) + len(after)]
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        position = {"line": line, "character": column}
        return {"textDocument": {"uri": self._uri}, "position": position}

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        pipe = cast(IO[bytes], self._process.stdin)
        pipe.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        pipe.flush()

    def _receive(self) -> dict[str, Any]:
        pipe = cast(IO[bytes], self._process.stdout)
        length = 0
        while line := pipe.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            raise RuntimeError("the language server has ended")
        return cast(dict[str, Any], json.loads(pipe.read(length)))
