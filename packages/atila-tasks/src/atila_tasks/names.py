"""The names that this layer adds to `was` and to the app.

Functions stand here as they are, and are the methods of `was` and of the app.
"""

from __future__ import annotations

from atila.layers import fresh
from atila_tasks.core.group import tasks
from atila_tasks.core.mapping import map, mapped, render_or_map, render_or_mapped
from atila_tasks.core.mask import mask
from atila_tasks.core.task import Task as TaskClass
from atila_tasks.databases.django import django_model
from atila_tasks.local.process import process
from atila_tasks.local.queues import queue
from atila_tasks.local.subprocesses import subprocess
from atila_tasks.local.threads import thread, thread_pass
from atila_tasks.upstream.access import Database
from atila_tasks.upstream.aliases import alias, app_alias
from atila_tasks.upstream.interfaces import (
    DB_MONGODB,
    DB_PGSQL,
    DB_POSTGRESQL,
    DB_REDIS,
    DB_SQLITE3,
    add_database_interface,
)
from atila_tasks.web.grpc_stubs import Grpc
from atila_tasks.web.http import PROTO_HTTP, PROTO_HTTPS
from atila_tasks.web.proxy import proxy_pass
from atila_tasks.web.rpc import JsonRpc, XmlRpc
from atila_tasks.web.stubs import Stubs, shortcut


class WasOfTasks:
    """Names of `was`."""

    Map = map
    Mapped = mapped
    Mask = mask
    Process = process
    ProxyPass = proxy_pass
    Queue = queue
    Subprocess = subprocess
    Tasks = tasks
    Thread = thread
    ThreadPass = thread_pass
    render_or_Map = render_or_map
    render_or_Mapped = render_or_mapped

    Task = TaskClass
    """The class of tasks."""
    db = fresh(Database)
    """Databases: `was.db("@mypg")`."""
    grpc = fresh(Grpc)
    """Services of gRPC: `was.grpc("@myapi/package.Service")`."""
    jsonrpc = fresh(JsonRpc)
    """Methods of JSON-RPC: `was.jsonrpc("@myapi/rpc")`."""
    xmlrpc = fresh(XmlRpc)
    """Methods of XML-RPC: `was.xmlrpc("@myapi/rpc2")`."""
    stub = fresh(Stubs)
    """Servers of HTTP: `was.stub("@myapi/api")`."""
    get = fresh(shortcut("get"))
    """One GET: `was.get("@myapi/profiles/{}", 100)`."""
    post = fresh(shortcut("post"))
    """One POST: `was.post("@myapi/profiles", {"name": "Hans"})`."""
    put = fresh(shortcut("put"))
    """One PUT: `was.put("@myapi/profiles/{}", 100, {"name": "Hans"})`."""
    patch = fresh(shortcut("patch"))
    """One PATCH: `was.patch("@myapi/profiles/{}", 100, {"name": "Hans"})`."""
    delete = fresh(shortcut("delete"))
    """One DELETE: `was.delete("@myapi/profiles/{}", 100)`."""
    options = fresh(shortcut("options"))
    """One OPTIONS: `was.options("@myapi/profiles")`."""
    upload = fresh(shortcut("upload"))
    """One POST of a form with files: `was.upload("@myapi/files", {"file": path})`."""


class AppOfTasks:
    """Names of the app."""

    alias = app_alias


# Core's stub imports all that stands here: the classes, and what Layer.exports has.
__all__ = [
    "DB_MONGODB",
    "DB_PGSQL",
    "DB_POSTGRESQL",
    "DB_REDIS",
    "DB_SQLITE3",
    "PROTO_HTTP",
    "PROTO_HTTPS",
    "AppOfTasks",
    "WasOfTasks",
    "add_database_interface",
    "alias",
    "django_model",
]
