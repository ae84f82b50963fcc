"""Calls of other servers, as the specification writes them."""

import asyncio
import os
import threading
from pathlib import Path

import skitai
from support.route_guide import SERVICE, Point

from atila import Atila
from atila_tasks import batch

app = Atila(__name__)
app.config.MAX_BODY_SIZE = 64 * 1024 * 1024

PORTS = dict(pair.split("=") for pair in os.environ["ATILA_PORTS"].split())
HERE = "127.0.0.1"

with skitai.preference() as pref:
    skitai.alias("@myapi", skitai.PROTO_HTTP, [f"{HERE}:{PORTS['upstream']}"])
    skitai.alias("@xml", skitai.PROTO_HTTP, [f"{HERE}:{PORTS['xml']}"])
    skitai.alias("@guide", skitai.PROTO_HTTP, [f"{HERE}:{PORTS['grpc']}"])
    skitai.alias(
        "@faults",
        skitai.PROTO_HTTP,
        [f"robert:hunter2@{HERE}:{PORTS['faults']}/faults"],
        max_response=1_000_000,
        idle_timeout=0.2,
        headers={"X-Api-Key": "sesame"},
    )
    skitai.alias("@myupstream", skitai.PROTO_HTTP, [f"{HERE}:{PORTS['upstream']}"])
    skitai.alias("@slow", skitai.PROTO_HTTP, [f"{HERE}:{PORTS['faults']}"])
    skitai.alias("@pair", skitai.PROTO_HTTP, [f"{HERE}:1", f"{HERE}:{PORTS['upstream']}"])


@app.route("/")
def index(was):
    return "ready"


@app.route("/stub")
def stub(was):
    with was.stub("@myapi/api") as stub:
        task1 = stub.get("/profiles/{}?limit={}", 100, 10)
        payload = dict(name="Hans Roh")  # noqa: C408 - as it stands in the specification
        task2 = stub.put("/profiles/{}", 100, payload)
    with was.xmlrpc("@xml/rpc2") as stub:
        task3 = stub.add(156, 952)
    upload = was.upload("@myapi/form", {"name": "Hans", "file": Path(__file__)})
    binary = was.post("@myapi/echo", bytes(range(256)))
    tasks = [task1.fetch(), task2.fetch(), task3.fetch(), upload.fetch()]
    return was.API(data=tasks, binary=list(binary.fetch()))


@app.route("/rpc")
def rpc(was):
    with was.jsonrpc("@myapi/rpc2") as stub:
        tasks = [stub.add(156, 952), stub.add(a=1, b=2), batch(stub, ("add", 3, 4), ("add", 5, 6))]
        missing = stub.no.such.method(1)
    with was.xmlrpc("@myapi/rpc2") as stub:
        tasks.append(stub.add("x", "y"))
        failing = stub.add(1)
    faults = [type(task.dispatch().error).__name__ for task in (missing, failing)]
    return was.API(data=[task.fetch() for task in tasks], faults=faults)


@app.route("/grpc")
def grpc(was):
    with was.grpc(f"@guide/{SERVICE}") as stub:
        task = stub.GetFeature(Point(latitude=1, longitude=2), 10.0)
        listed = stub.ListFeatures(Point(latitude=3), 10.0)
        chat = stub.RouteChat([Point(latitude=n) for n in range(3)], 10.0)
        late = stub.GetFeature(Point(latitude=504), 0.2)
        missing = stub.GetFeature(Point(latitude=-1), 10.0)
    return was.API(
        one=task.fetch().name,
        listed=[feature.name for feature in listed.fetch()],
        chat=[feature.name for feature in chat.fetch()],
        late=late.dispatch().status,
        missing=missing.dispatch().error.fault,
    )


@app.route("/coroutine", coroutine=True)
def coroutine(was):
    with was.stub(f"http://{HERE}:{PORTS['upstream']}") as stub:
        task = yield stub.get("/")
    return task.fetch()


@app.route("/await")
async def awaited(was):
    tasks = await was.Tasks([was.get("@myapi/api/profiles/{}", n) for n in range(20)])
    return was.API(ids=[data["id"] for data in tasks.fetch()])


@app.route("/page")
def page(was):
    return was.render("page.j2", name="Hans", task=was.get("@myapi/"))


@app.route("/members")
def members(was):
    with was.stub.map("@pair") as stub:
        mapped = [result.status for result in stub.get("@pair/").dispatch()]
    with was.stub.lb("@pair") as stub:
        balanced = [stub.get("/").fetch() for _ in range(4)]
    return was.API(mapped=mapped, balanced=balanced)


def patience(kind, seconds=0.3):
    """Seconds: few for what hangs, many for all else, however busy the machine is."""
    return seconds if kind in ("hang", "hang-body", "sink") else 20


def faulty(was, kind, seconds=0.3):
    return was.get("@faults/{}", kind, timeout=patience(kind, seconds))


def outcome(was, task):
    result = task.dispatch()
    code = result.error.code if result.error else 200
    return was.API(status=result.status, code=code, data=result.data)


@app.route("/fault/dispatch")
def dispatched(was, kind):
    return outcome(was, faulty(was, kind))


@app.route("/fault/yield", coroutine=True)
def yielded(was, kind):
    task = yield faulty(was, kind)
    return outcome(was, task)


@app.route("/fault/then")
def then(was, kind):
    return faulty(was, kind).then(outcome)


@app.route("/fault/fetch")
def fetched(was, kind):
    return faulty(was, kind).fetch()


@app.route("/fault/many", coroutine=True)
def many(was, count):
    kinds = ["ok", "half", "garbage", "reset", "hang", "refused", "longer", "missing"]
    statuses = set()
    for _ in range(int(count)):
        tasks = yield was.Tasks([faulty(was, kind, 0.05) for kind in kinds for _ in range(5)])
        statuses |= {result.status for result in tasks.dispatch()}
    return was.API(statuses=sorted(statuses))


@app.route("/counts")
def counts(was):
    tasks = asyncio.all_tasks(was.site.loop.loop)
    return was.API(
        files=len(os.listdir("/proc/self/fd")),
        threads=threading.active_count(),
        tasks=len(tasks),
    )


@app.route("/wait", coroutine=True)
def wait(was, name):
    task = yield was.get("@faults/{}/hang", name)
    return str(task.dispatch().status)


@app.route("/raise")
def raising(was):
    try:
        faulty(was, "reset").fetch()
    except Exception as error:
        raise RuntimeError("as wanted") from error


@app.route("/proxy/<path:path>", methods=["GET", "POST"])
def proxy(was, path=None, **_):
    return was.ProxyPass("@myupstream", path)


@app.route("/streamed/<path:path>", methods=["GET", "POST"], input_stream=True)
def streamed(was, path=None, **_):
    return was.ProxyPass("@myupstream", path)


@app.route("/slow/<path:path>", methods=["GET", "POST"], input_stream=True)
def slow(was, path=None):
    return was.ProxyPass("@slow", path, timeout=patience(path))


@app.route("/patient/<path:path>", methods=["GET", "POST"], input_stream=True)
def patient(was, path=None):
    return was.ProxyPass("@slow", path, timeout=20)


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="calling")
