"""FastAPI: an ``async def`` that waits for another site, by aiohttp."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from fastapi import FastAPI

UPSTREAM = os.environ["UPSTREAM"]
clients: list[aiohttp.ClientSession] = []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        clients.append(client)
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/late")
async def late() -> dict[str, Any]:
    async with clients[0].get(f"{UPSTREAM}/") as answer:
        found: dict[str, Any] = await answer.json()
        return found
