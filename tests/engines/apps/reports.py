"""Upstreams and databases that fail, each in a way of its own."""

import json
import os
import ssl

import skitai

from atila import Atila

app = Atila(__name__)
AT = json.loads(os.environ["ATILA_UPSTREAMS"])
HERE = "127.0.0.1"

with skitai.preference() as pref:
    full = f"postgres:{AT['pg_password']}@{HERE}:{AT['pg']}/test"
    wrong = f"postgres:hunter2@{HERE}:{AT['pg']}/test"
    skitai.alias("@pg-away", skitai.DB_PGSQL, [f"postgres:hunter2@{HERE}:1/test"])
    skitai.alias("@pg-wrong", skitai.DB_PGSQL, [wrong])
    skitai.alias("@pg-nowhere", skitai.DB_PGSQL, [full.replace("/test", "/nowhere")])
    skitai.alias("@pg-full", skitai.DB_PGSQL, [full])
    tls = ssl.create_default_context()
    skitai.alias("@pg-tls", skitai.DB_PGSQL, [wrong], ssl=tls)
    skitai.alias("@redis-away", skitai.DB_REDIS, [f":hunter2@{HERE}:1/0"])
    skitai.alias("@redis-wrong", skitai.DB_REDIS, [f":hunter2@{HERE}:{AT['redis']}/0"])
    skitai.alias("@redis-full", skitai.DB_REDIS, [f"{HERE}:{AT['redis_full']}/0"])
    skitai.alias("@redis-memory", skitai.DB_REDIS, [f":s3cret@{HERE}:{AT['redis']}/0"])
    skitai.alias("@mongo-away", skitai.DB_MONGODB, [f"{HERE}:1/test/a"], connect_timeout=0.2)
    skitai.alias("@lite-away", skitai.DB_SQLITE3, [AT["no_file"]])
    skitai.alias("@http-away", skitai.PROTO_HTTP, [f"robert:hunter2@{HERE}:1"])
    skitai.alias("@https-away", skitai.PROTO_HTTPS, [f"{HERE}:{AT['faults']}"])
    skitai.alias("@faults", skitai.PROTO_HTTP, [f"{HERE}:{AT['faults']}"], max_response=100_000)
    skitai.alias("@words", skitai.PROTO_HTTP, [f"robert:hunter2@{HERE}:{AT['words']}"])


@app.route("/")
def index(was):
    return "ready"


@app.route("/ask")
def ask(was, what, path=""):
    kind = what.partition("-")[0].removeprefix("@")
    if kind == "pg" or kind == "lite":
        return was.db(what).execute("SELECT 1 AS a").fetch()
    if what == "@redis-memory":
        return was.db(what).set("a", "a").fetch()
    if kind == "redis":
        return was.db(what).get("a").fetch()
    if kind == "mongo":
        return was.db(what).find({}).fetch()
    return was.get(f"{what}{path}", timeout=20).fetch()


@app.route("/coroutine", coroutine=True)
def coroutine(was, what, path=""):
    task = yield was.get(f"{what}{path}", timeout=20)
    return task.fetch()


@app.route("/streamed", coroutine=True)
def streamed(was):
    yield "begun"
    task = yield was.get("@words/refused")
    yield task.fetch()


@app.route("/pass/<what>/<path:path>")
def pass_on(was, what, path=""):
    return was.ProxyPass(what, path, timeout=20)


@app.route("/late")
def late(was):
    return was.get("@faults/hang", timeout=0.2).fetch()


@app.route("/call")
def call(was, protocol):
    stub = was.xmlrpc("@words/xmlrpc") if protocol == "xml" else was.jsonrpc("@words/jsonrpc")
    return stub.secret(1).fetch()


@app.route("/grpc")
def grpc(was):
    from support.route_guide import SERVICE, Point

    with was.grpc(f"@http-away/{SERVICE}") as stub:
        return stub.GetFeature(Point(latitude=1), 10.0).fetch().name


@app.route("/own")
def own(was):
    raise was.Error(502, "the printer is out of paper", report="tray 3 of printer hunter2")


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="reports")
