"""The same requests to all engines: the same status and body, or a difference that is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from support.servers import Server
from support.wire import Answer, Broken

from trials.requests import Request

TABLE = Path(__file__).with_name("differences.md")
ROW = re.compile(r"^\| `([^`]+)` \| (\w+) \| ([\d ]+) \| ([^|]+) \|$", re.MULTILINE)
OWN = re.compile(rb"[0-9a-f]{32}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
"""The id of a request and its time, which error answers show."""


def known() -> list[tuple[re.Pattern[str], str, set[int]]]:
    """The table: what method and target look like, the engine, the statuses that it may give."""
    return [
        (re.compile(pattern), engine, {int(status) for status in statuses.split()})
        for pattern, engine, statuses, _ in ROW.findall(TABLE.read_text())
    ]


def ask(server: Server, request: Request) -> tuple[int, bytes]:
    """Status and body; 0 if the connection ended without an answer."""
    with server.connect() as connection:
        headers = [*request.headers, ("Connection", "close")]
        try:
            connection.ask(request.target, request.method, headers, request.body)
            answer: Answer = connection.read(request.method)
        except (Broken, OSError):
            return 0, b""
    return answer.status, OWN.sub(b"OWN", answer.body)


def difference(servers: Mapping[str, Server], request: Request) -> str:
    """What differs, in words; "" if nothing does, or if it is known."""
    answers = {name: ask(server, request) for name, server in servers.items()}
    line = f"{request.method} {request.target}"
    for pattern, engine, statuses in known():
        if engine in answers and pattern.search(line) and answers[engine][0] in statuses:
            del answers[engine]
    if any(status >= 500 or status == 0 for status, _ in answers.values()):
        return f"{request}: {answers}"
    return "" if len(set(answers.values())) <= 1 else f"{request}: {answers}"
