"""A headless Chromium, driven by its own protocol (Chrome DevTools Protocol)."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import websocket

from atila.testing.waits import PATIENCE, wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str | None:
    """The path of the browser; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page of the browser.

    Args:
        address: the WebSocket of the page.

    Attributes:
        complaints: what it has written to its console, and what its policy has kept from loading.
        requested: the URLs that it has asked for.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket = websocket.create_connection(address, timeout=PATIENCE, suppress_origin=True)
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        self.requested: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    @contextlib.contextmanager
    def another(self) -> Iterator[Page]:
        """A second window of the same browser, with the same cookies, which ends with the block:
        browsers open few connections to a host, and each window of an event stream keeps one.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        page = Page(f"{self._address.rpartition('/')[0]}/{target}")
        try:
            yield page
        finally:
            page.call("Page.close")
            page._socket.close()

    def call(self, method: str, **params: Any) -> Any:
        """The result of a command."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        params = message["params"]
        match message["method"]:
            case "Network.requestWillBeSent":
                self.requested.append(params["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url')}")
            case "Runtime.consoleAPICalled":
                self.complaints.append(str([arg.get("value") for arg in params["args"]]))
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))

    def evaluate(self, script: str) -> Any:
        """The value of a script."""
        done = self._evaluate(script)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def _evaluate(self, script: str) -> Any:
        return self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )

    def wait_for(self, script: str) -> Any:
        """The value of a script, once it is true. While a page is loaded, what it asks for may not
        be there yet, so that it raises.
        """
        done: dict[str, Any] = {}

        def is_true() -> bool:
            done.update({"exceptionDetails": None, **self._evaluate(script)})
            return not done["exceptionDetails"] and bool(done["result"].get("value"))

        wait_until(is_true, script, log=lambda: "\n".join((str(done), *self.complaints)))
        return done["result"]["value"]

    def click(self, selector: str) -> None:
        """Click an element, once it is there."""
        chosen = json.dumps(selector)
        self.wait_for(f"!!document.querySelector({chosen})")
        self.evaluate(f"document.querySelector({chosen}).click()")

    def fill(self, selector: str, text: str) -> None:
        """Write into a field, once it is there, as a user does."""
        chosen = json.dumps(selector)
        self.wait_for(f"!!document.querySelector({chosen})")
        self.evaluate(f"{{const e = document.querySelector({chosen}); e.focus(); e.select();}}")
        self.call("Input.insertText", text=text)

    def prefer(self, scheme: str) -> None:
        """Have the system prefer "light" or "dark" colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def open(self, url: str, width: int, height: int = 900) -> None:
        """Go to a URL, with a window of this size in CSS pixels."""
        self.resize(width, height)
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def resize(self, width: int, height: int = 900) -> None:
        """Give the window this size in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )


@contextlib.contextmanager
def browsing(path: str) -> Iterator[Page]:
    """A page of a browser of its own, which ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # As root, which tests in containers are, it does not start with its sandbox.
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options += ["--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={folder}"]
        options += ["--disable-background-networking", "--disable-component-update"]
        process = subprocess.Popen(
            [path, *options, "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            noted = Path(folder, "DevToolsActivePort")

            def is_up() -> bool:
                assert process.poll() is None, "the browser ended while it started"
                return noted.is_file() and noted.read_text().count("\n") >= 1

            wait_until(is_up, "the browser is up")
            port = noted.read_text().split()[0]
            pages = httpx.get(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE).json()
            yield Page(next(p["webSocketDebuggerUrl"] for p in pages if p["type"] == "page"))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
