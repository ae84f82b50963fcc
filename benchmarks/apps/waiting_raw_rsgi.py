"""No framework: a bare coroutine on RSGI that waits for another site, by aiohttp, for reference."""

import json
import os
from typing import Any

import aiohttp

UPSTREAM = os.environ["UPSTREAM"]
JSON = [("content-type", "application/json")]
clients: list[aiohttp.ClientSession] = []


async def app(scope: Any, protocol: Any) -> None:
    if not clients:
        clients.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    async with clients[0].get(f"{UPSTREAM}/") as answer:
        protocol.response_str(200, JSON, json.dumps(await answer.json()))
