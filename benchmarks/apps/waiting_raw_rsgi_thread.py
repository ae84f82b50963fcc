"""No framework: a bare function on RSGI that begins in a worker thread, waits for another site on
the loop, by aiohttp, and goes on in a thread, as a generator coroutine does.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp

from benchmarks.apps.waiting_raw_rsgi import JSON, UPSTREAM, clients

threads = ThreadPoolExecutor(4)


def begin(path: str) -> str:
    """What it wants of the other site."""
    return f"{UPSTREAM}/"


def go_on(protocol: Any, data: Any) -> None:
    protocol.response_str(200, JSON, json.dumps(data))


async def app(scope: Any, protocol: Any) -> None:
    if not clients:
        clients.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    loop = asyncio.get_running_loop()
    url = await loop.run_in_executor(threads, begin, scope.path)
    async with clients[0].get(url) as answer:
        data = await answer.json()
    await loop.run_in_executor(threads, go_on, protocol, data)
