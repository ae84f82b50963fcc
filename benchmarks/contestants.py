"""Who is measured: one entry per server and app. A new one is one more entry here."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["ours", "peer", "limit"]

RAW_LIMIT = "raw-wsgi"
"""The contestant without a framework: the most a Python framework could reach."""

BASES = ("falcon-granian", "fastapi-def", RAW_LIMIT)
"""Whom everybody is compared with, in the order of the table's columns."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One app on one server with one worker process.

    ``command`` starts it from the repository's root; ``{port}`` becomes the port. Its first word
    is a program of the running environment. ``packages`` are the distributions whose versions
    belong beside its figures. ``needs`` names a server beside it: "postgresql".
    """

    name: str
    label: str
    command: str
    packages: tuple[str, ...]
    kind: Kind = "peer"
    needs: str = ""


GRANIAN = "python -m granian --host 127.0.0.1 --port {port} --workers 1"
GRANIAN_WSGI = f"{GRANIAN} --interface wsgi --blocking-threads 1"
"""One thread, which is the fastest for these handlers: more of them only wait for each other."""
UVICORN = (
    "python -m uvicorn --host 127.0.0.1 --port {port} --workers 1"
    " --loop uvloop --http httptools --no-access-log --log-level warning"
)
GUNICORN = "python -m gunicorn --bind 127.0.0.1:{port} --workers 1"
ATILA_SERVE = "atila serve --host 127.0.0.1 --port {port} --workers 1"

GRANIAN_ASGI = f"{GRANIAN} --interface asgi"
SANIC = "sanic {app} --host=127.0.0.1 --port={{port}} --single-process --no-access-logs --no-motd"

OURS = ("atila-core", "atila-render")
ON_UVICORN = ("uvicorn", "uvloop", "httptools")

CONTESTANTS = (
    Contestant(
        "atila-granian",
        "Atila · granian",
        f"{ATILA_SERVE} --engine granian benchmarks.apps.atila_app:app",
        (*OURS, "granian"),
        "ours",
    ),
    Contestant(
        "atila-granian-wsgi",
        "Atila · granian WSGI",
        f"{ATILA_SERVE} --engine granian --interface wsgi --threads 1"
        " benchmarks.apps.atila_app:app",
        (*OURS, "granian"),
        "ours",
    ),
    Contestant(
        "atila-granian-async",
        "Atila async def · granian",
        f"{ATILA_SERVE} --engine granian benchmarks.apps.atila_async_app:app",
        (*OURS, "granian"),
        "ours",
    ),
    Contestant(
        "atila-granian-inline",
        "Atila blocking=False · granian",
        f"{ATILA_SERVE} --engine granian benchmarks.apps.atila_inline_app:app",
        (*OURS, "granian"),
        "ours",
    ),
    Contestant(
        "atila-skitai",
        "Atila · skitai",
        "python benchmarks/apps/atila_serve.py {port}",
        (*OURS, "skitai"),
        "ours",
    ),
    Contestant(
        "skitai-wsgi",
        "WSGI function · skitai",
        "python benchmarks/apps/skitai_serve.py {port}",
        ("skitai", "rs4"),
    ),
    Contestant(
        "falcon-granian",
        "Falcon · granian WSGI",
        f"{GRANIAN_WSGI} benchmarks.apps.falcon_app:app",
        ("falcon", "granian"),
    ),
    Contestant(
        "fastapi-def",
        "FastAPI def · uvicorn",
        f"{UVICORN} benchmarks.apps.fastapi_def_app:app",
        ("fastapi", *ON_UVICORN),
    ),
    Contestant(
        "fastapi-async",
        "FastAPI async def · uvicorn",
        f"{UVICORN} benchmarks.apps.fastapi_async_app:app",
        ("fastapi", *ON_UVICORN),
    ),
    Contestant(
        "flask-gunicorn",
        "Flask · gunicorn gthread 4",
        f"{GUNICORN} --worker-class gthread --threads 4 benchmarks.apps.flask_app:app",
        ("flask", "gunicorn"),
    ),
    Contestant(
        "django-gunicorn",
        "Django · gunicorn gthread 4",
        f"{GUNICORN} --worker-class gthread --threads 4 benchmarks.apps.django_app:app",
        ("django", "gunicorn"),
    ),
    Contestant(
        "litestar-uvicorn",
        "Litestar async def · uvicorn",
        f"{UVICORN} benchmarks.apps.litestar_app:app",
        ("litestar", *ON_UVICORN),
    ),
    Contestant(
        "starlette-uvicorn",
        "Starlette async def · uvicorn",
        f"{UVICORN} benchmarks.apps.starlette_app:app",
        ("starlette", *ON_UVICORN),
    ),
    Contestant(
        "fastapi-granian",
        "FastAPI async def · granian",
        f"{GRANIAN_ASGI} benchmarks.apps.fastapi_async_app:app",
        ("fastapi", "granian"),
    ),
    Contestant(
        "litestar-granian",
        "Litestar async def · granian",
        f"{GRANIAN_ASGI} benchmarks.apps.litestar_app:app",
        ("litestar", "granian"),
    ),
    Contestant(
        "starlette-granian",
        "Starlette async def · granian",
        f"{GRANIAN_ASGI} benchmarks.apps.starlette_app:app",
        ("starlette", "granian"),
    ),
    Contestant(
        "blacksheep-granian",
        "BlackSheep async def · granian",
        f"{GRANIAN_ASGI} benchmarks.apps.blacksheep_app:app",
        ("blacksheep", "granian"),
    ),
    Contestant(
        "emmett55-granian",
        "emmett55 async def · granian RSGI",
        f"{GRANIAN} --interface rsgi benchmarks.apps.emmett55_app:app",
        ("emmett55", "granian"),
    ),
    Contestant(
        "django-bolt",
        "django-bolt async def",
        "python -m django runbolt --settings benchmarks.apps.bolt.settings"
        " --host 127.0.0.1 --port {port} --processes 1 --no-admin",
        ("django-bolt", "django"),
    ),
    Contestant(
        "robyn",
        "Robyn async def",
        "python benchmarks/apps/robyn_app.py {port} --log-level ERROR --disable-openapi",
        ("robyn",),
    ),
    Contestant(
        "sanic",
        "Sanic async def",
        SANIC.format(app="benchmarks.apps.sanic_app:app"),
        ("sanic",),
    ),
    Contestant(
        RAW_LIMIT,
        "WSGI function · granian",
        f"{GRANIAN_WSGI} benchmarks.apps.raw_wsgi:app",
        ("granian",),
        "limit",
    ),
    Contestant(
        "raw-wsgi-duty",
        "WSGI function with a framework's duty · granian",
        f"{GRANIAN_WSGI} benchmarks.apps.raw_wsgi_duty:app",
        ("granian",),
        "limit",
    ),
    Contestant(
        "raw-rsgi",
        "RSGI coroutine · granian",
        f"{GRANIAN} --interface rsgi benchmarks.apps.raw_rsgi:app",
        ("granian",),
        "limit",
    ),
    Contestant(
        "raw-rsgi-duty",
        "RSGI coroutine with a framework's duty · granian",
        f"{GRANIAN} --interface rsgi benchmarks.apps.raw_rsgi_duty:app",
        ("granian",),
        "limit",
    ),
    Contestant(
        "raw-rsgi-thread",
        "RSGI function in a thread · granian",
        f"{GRANIAN} --interface rsgi benchmarks.apps.raw_rsgi_thread:app",
        ("granian",),
        "limit",
    ),
    Contestant(
        "atila-granian-db",
        "Atila · granian",
        f"{ATILA_SERVE} --engine granian benchmarks.apps.database.atila_app:app",
        (*OURS, "atila-tasks", "granian", "asyncpg"),
        "ours",
        "postgresql",
    ),
    Contestant(
        "atila-granian-async-db",
        "Atila async def · granian",
        f"{ATILA_SERVE} --engine granian benchmarks.apps.database.atila_async_app:app",
        (*OURS, "atila-tasks", "granian", "asyncpg"),
        "ours",
        "postgresql",
    ),
    Contestant(
        "fastapi-db",
        "FastAPI + asyncpg · uvicorn",
        f"{UVICORN} benchmarks.apps.database.fastapi_app:app",
        ("fastapi", *ON_UVICORN, "asyncpg"),
        needs="postgresql",
    ),
    Contestant(
        "fastapi-def-db",
        "FastAPI def + psycopg's pool · uvicorn",
        f"{UVICORN} benchmarks.apps.database.fastapi_def_app:app",
        ("fastapi", *ON_UVICORN, "psycopg"),
        needs="postgresql",
    ),
    Contestant(
        "sanic-db",
        "Sanic + asyncpg",
        SANIC.format(app="benchmarks.apps.database.sanic_app:app"),
        ("sanic", "asyncpg"),
        needs="postgresql",
    ),
    Contestant(
        "django-db",
        "Django + psycopg · gunicorn gthread 4",
        f"{GUNICORN} --worker-class gthread --threads 4 benchmarks.apps.database.django_app:app",
        ("django", "gunicorn", "psycopg"),
        needs="postgresql",
    ),
    Contestant(
        "raw-rsgi-db",
        "RSGI coroutine + asyncpg · granian",
        f"{GRANIAN} --interface rsgi benchmarks.apps.database.raw_rsgi:app",
        ("granian", "asyncpg"),
        "limit",
        "postgresql",
    ),
)

BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS}
