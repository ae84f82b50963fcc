"""The setting METRICS_PATH: what is counted, under which labels; what it costs those without it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, Counter, Enum
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

from atila import ANSWERED, Atila, HTTPError, Layer, Mount, SetupError, Site, Steps
from atila.http.exchange import Exchange
from atila.layers import PROTOCOL
from atila.testing.exchange import TestExchange
from atila.testing.waits import PATIENCE, wait_until

COUNT = "http_server_request_duration_seconds_count"
NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))


@pytest.fixture
def app() -> Atila:
    app = Atila(__name__, layers=NO_LAYERS)
    app.config.METRICS_PATH = "/metrics"
    return app


def samples(text: str) -> dict[tuple[str, ...], float]:
    """By name and values of the labels, in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families(text)
        for sample in family.samples
    }


def counts() -> dict[tuple[str, ...], float]:
    """How many requests were answered, by method, status and route; since the process started."""
    found: dict[tuple[str, ...], float] = {}
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name == COUNT:
                labels = sample.labels
                key = (
                    labels["http_request_method"],
                    labels["http_response_status_code"],
                    labels["http_route"],
                )
                found[key] = sample.value
    return found


def gained(before: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """What was counted since then."""
    return {
        key: value - before.get(key, 0.0)
        for key, value in counts().items()
        if value != before.get(key, 0.0)
    }


def test_without_it_nothing_is_in_the_way() -> None:
    app = Atila(__name__, layers=NO_LAYERS)
    app.route("/")(lambda was: "")
    assert app.site.exchange_class(Exchange) is Exchange
    assert app.site.open == app.site._open
    assert app.site.metrics is None
    assert app.test_client().get("/metrics").status_code == 404


def test_what_is_counted(app: Atila) -> None:
    @app.route("/items/<int:id>", methods=["GET", "POST"])
    def item(was, id):
        if id == 9:
            raise HTTPError(409)
        return f"item {id}"

    app.route("/pieces")(lambda was: iter("abc"))
    app.route("/")(lambda was: None)
    site = Site([Mount("/shop", app)])
    client, before = app.test_client(), counts()
    for path in ("/items/1", "/items/2?a=1", "/items/9", "/pieces", "/", "/none", "/items/x"):
        client.get(f"/shop{path}")
    client.post("/shop/items/3")
    client.head("/shop/items/3")
    client.options("/shop/items/3")
    client.delete("/shop/items/3")
    client.get("/elsewhere")
    expected = {
        ("GET", "200", "/shop/items/<int:id>"): 1,
        ("GET", "400", "/shop/items/<int:id>"): 1,
        ("GET", "409", "/shop/items/<int:id>"): 1,
        ("GET", "200", "/shop/pieces"): 1,
        ("GET", "204", "/shop/"): 1,
        ("GET", "404", ""): 3,
        ("POST", "200", "/shop/items/<int:id>"): 1,
        ("HEAD", "200", "/shop/items/<int:id>"): 1,
        ("OPTIONS", "204", "/shop/items/<int:id>"): 1,
        ("DELETE", "405", ""): 1,
    }
    wait_until(lambda: gained(before) == expected)
    site.shutdown()


def test_the_page(app: Atila) -> None:
    app.route("/")(lambda was: "")
    client = app.test_client()
    client.get("/")
    page = client.get("/metrics")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/plain; version=")
    assert page.headers["cache-control"] == "no-store"
    found = samples(page.text)
    assert found["http_server_active_requests",] == 1.0
    assert found["atila_worker_threads", "busy"] + found["atila_worker_threads", "idle"] >= 1
    assert found["atila_queued_requests",] == 0.0
    assert found["atila_open_websockets",] == 0.0
    assert "python_info" in page.text
    accept = {"Accept": "application/openmetrics-text; version=1.0.0; q=0.8, text/plain; q=0.5"}
    modern = client.get("/metrics", headers=accept)
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert modern.text.endswith("# EOF\n")
    names = {family.name for family in open_families(modern.text)}
    assert "http_server_request_duration_seconds" in names
    assert client.head("/metrics").content == b""
    assert client.post("/metrics").status_code == 405


def test_durations(app: Atila) -> None:
    @app.route("/slow")
    def slow(was):
        time.sleep(0.03)
        return "done"

    client = app.test_client()
    labels = {
        "http_request_method": "GET",
        "http_route": "/slow",
        "http_response_status_code": "200",
    }
    name = "http_server_request_duration_seconds"
    client.get("/slow")
    wait_until(lambda: REGISTRY.get_sample_value(f"{name}_count", labels) == 1.0)
    took = REGISTRY.get_sample_value(f"{name}_sum", labels)
    assert took is not None
    assert 0.03 <= took < 3
    assert REGISTRY.get_sample_value(f"{name}_bucket", {**labels, "le": "0.025"}) == 0.0
    assert REGISTRY.get_sample_value(f"{name}_bucket", {**labels, "le": "10.0"}) == 1.0


def test_hostile_clients_make_no_values_of_labels(app: Atila) -> None:
    app.route("/<name>", methods=["GET"])(lambda was, name: name)
    client, before = app.test_client(), counts()
    for number in range(50):
        client.get(f"/{number}%22%0A%7D")
        client.get(f"/a/{number}")
        client.request(f"M{number}", f"/{number}")
        client.request(f"M{number}", f"/a/{number}")
    expected = {
        ("GET", "200", "/<name>"): 50,
        ("GET", "404", ""): 50,
        ("_OTHER", "405", ""): 50,
        ("_OTHER", "404", ""): 50,
    }
    wait_until(lambda: gained(before) == expected)
    metrics = app.site.metrics
    assert metrics is not None
    assert len(metrics._observe) == 2


def test_requests_under_way_are_counted_as_such(app: Atila) -> None:
    started, gate = threading.Semaphore(0), threading.Event()

    @app.route("/waits")
    def waits(was):
        started.release()
        gate.wait(PATIENCE)
        return "done"

    client = app.test_client()
    site = app.site
    threads = [threading.Thread(target=client.get, args=("/waits",)) for _ in range(3)]
    for thread in threads:
        thread.start()
        started.acquire(timeout=PATIENCE)
    page = samples(client.get("/metrics").text)
    assert page["http_server_active_requests",] == 4.0  # With that for the page.
    assert page["atila_worker_threads", "busy"] >= 3
    gate.set()
    for thread in threads:
        thread.join()
    metrics = site.metrics
    assert metrics is not None
    wait_until(lambda: not metrics._active)


def test_requests_that_are_dropped_are_no_longer_under_way(app: Atila) -> None:
    app.route("/")(lambda was: "")
    site = app.site
    metrics = site.metrics
    assert metrics is not None
    was = site.open(site.exchange_class(TestExchange)("GET", "/", [], b"", None))
    assert len(metrics._active) == 1
    # As an engine does when the client has left in the middle of a body.
    was.exchange.was = None
    del was
    wait_until(lambda: not metrics._active)


def test_a_request_does_not_suffer_if_it_cannot_be_counted(
    app: Atila, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app.route("/")(lambda was: "fine")
    metrics = app.site.metrics
    assert metrics is not None

    def full(*args: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(metrics, "_child", full)
    assert app.test_client().get("/").text == "fine"
    wait_until(lambda: not metrics._active)
    assert "no space left on device" in caplog.text


def test_open_websockets(app: Atila) -> None:
    def wrap(handler):
        async def talk(was):
            socket = await was.accept()
            while (message := await socket.receive()) is not None:
                await socket.send(message)
            return ANSWERED

        return talk

    layer = Layer(
        "sockets",
        PROTOCOL,
        options=frozenset({"socket"}),
        compile=lambda route, app: Steps(wrap=wrap, websocket=True) if route.options else None,
    )
    app = Atila(__name__, layers={**NO_LAYERS, "sockets": layer})
    app.config.METRICS_PATH = "/metrics"
    app.route("/talk", socket=True)(lambda was: None)
    client, before = app.test_client(), counts()
    with client.websocket("/talk") as socket:
        socket.send_message("hello")
        assert socket.receive_message() == "hello"
        assert samples(client.get("/metrics").text)["atila_open_websockets",] == 1.0
        assert gained(before)["GET", "101", "/talk"] == 1
    wait_until(lambda: samples(client.get("/metrics").text)["atila_open_websockets",] == 0.0)


def test_metrics_of_the_app_are_on_the_page(app: Atila) -> None:
    orders = Counter("x06_orders", "Orders.", ["kind"])
    mode = Enum("x06_mode", "Mode.", states=["day", "night"])
    try:
        orders.labels("books").inc(3)
        mode.state("night")
        page = samples(app.test_client().get("/metrics").text)
        assert page["x06_orders_total", "books"] == 3.0
        assert page["x06_mode", "night"] == 1.0
    finally:
        REGISTRY.unregister(orders)
        REGISTRY.unregister(mode)


def test_it_answers_while_the_queue_is_full(app: Atila, full_queue) -> None:
    with full_queue(app) as client:
        assert client.get("/waits").status_code == 503
        page = samples(client.get("/metrics").text)
        assert page["atila_queued_requests",] == 1.0
        assert page["atila_worker_threads", "busy"] == 1.0


def test_hooks_guard_the_page(app: Atila) -> None:
    @app.before_request
    def guard(was):
        if was.request.get_header("X-Key") != "right":
            raise HTTPError(403)

    client = app.test_client()
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"X-Key": "right"}).status_code == 200


def test_the_page_is_not_in_the_access_log(
    app: Atila, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from atila.monitoring import logs

    lines: list[str] = []
    monkeypatch.setattr(logs._log, "info", lambda form, line: lines.append(line))
    app.config.ACCESS_LOG = "combined"
    app.route("/")(lambda was: "")
    client = app.test_client()
    client.get("/metrics")
    client.get("/")
    wait_until(lambda: lines)
    assert len(lines) == 1


# Mistakes.


@pytest.mark.parametrize("path", ["metrics", "/metrics/", "/a b", "/<name>", True, ""])
def test_a_path_that_is_none(app: Atila, path: object) -> None:
    app.config.METRICS_PATH = path
    with pytest.raises(SetupError, match=r'METRICS_PATH is .*; it must be a path: "/metrics"'):
        _ = app.site


def test_a_path_that_is_taken(app: Atila) -> None:
    app.route("/metrics")(lambda was: "")
    with pytest.raises(SetupError, match="/metrics leads to the same place"):
        _ = app.site


def run(program: str, tmp_path: Path, **environment: str) -> str:
    """What a program of its own prints: the library knows one mode for a process."""
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, path],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_library_is_absent(tmp_path: Path) -> None:
    program = """
        import sys
        sys.modules["prometheus_client"] = None
        import importlib.util
        found = importlib.util.find_spec
        importlib.util.find_spec = lambda n, *a: None if n == "prometheus_client" else found(n, *a)
        from atila import Atila, SetupError
        app = Atila(__name__)
        app.config.METRICS_PATH = "/metrics"
        try:
            app.site
        except SetupError as error:
            print(error)
    """
    assert 'pip install "atila-core[metrics]"' in run(program, tmp_path)


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    program = """
        from prometheus_client import Gauge
        from atila import Atila, SetupError
        Gauge("http_server_active_requests", "mine")
        app = Atila(__name__)
        app.config.METRICS_PATH = "/metrics"
        try:
            app.site
        except SetupError as error:
            print(error)
    """
    assert "rename it" in run(program, tmp_path)


# Many processes.

SERVES = """
    import os, sys
    {early}
    from atila import Atila
    from prometheus_client import Counter, Histogram, Info
    orders = Counter("orders", "Orders.", ["kind"])
    books = orders.labels("books")
    books.inc(2)
    sizes = Histogram("sizes", "Sizes.", buckets=(1, 2))
    sizes.observe(1.5)
    Info("build", "Build.").info({{"version": "7"}})
    app = Atila(__name__)
    app.config.METRICS_PATH = "/metrics"
    app.route("/")(lambda was: "")

    def serve():
        with app.test_client() as client:
            client.get("/")
            books.inc()
            client.get("/")
            # Counted when they have been answered.
            client.get("/metrics")
            return client.get("/metrics").text

    for worker in range(2):
        if (pid := os.fork()) == 0:
            serve()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    print(serve())
    print("#", sorted(os.listdir(os.environ["PROMETHEUS_MULTIPROC_DIR"])))
"""


def check_sums(page: str) -> None:
    found = samples(page)
    assert found[COUNT, "GET", "200", "/"] == 6.0
    # Two before the fork, which are the parent's, and one of each.
    assert found["orders_total", "books"] == 5.0
    assert found["sizes_count",] == 1.0
    assert found["sizes_sum",] == 1.5
    assert found["build_info", "7"] == 1.0
    assert found["http_server_active_requests",] == 1.0
    assert "process_cpu_seconds_total" not in page


def test_a_folder_of_others_is_used_and_not_swept(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    page = run(SERVES.format(early=""), tmp_path, PROMETHEUS_MULTIPROC_DIR=str(folder))
    check_sums(page)
    # Those of three processes.
    assert len(list(folder.glob("histogram_*.db"))) == 3


def test_the_folder_of_the_run(tmp_path: Path) -> None:
    early = "from atila.runtime import server_run; run = server_run.running(); run.__enter__()"
    page = run(SERVES.format(early=early), tmp_path, TMPDIR=str(tmp_path))
    # What was counted before the fork is in each of the three: nobody knew of the folder yet.
    found = samples(page)
    assert found[COUNT, "GET", "200", "/"] == 6.0
    assert found["http_server_active_requests",] == 1.0
    assert found["build_info", "7"] == 1.0
    # One of the living, one of all the dead.
    files = page.rpartition("#")[2]
    assert files.count("histogram_") == 2
    assert "histogram_0.db" in files
    assert files.count("gauge_livesum_") == 0  # It has ended, and was the last.


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    program = """
        from atila import Atila, SetupError
        app = Atila(__name__)
        app.config.METRICS_PATH = "/metrics"
        try:
            app.site
        except SetupError as error:
            print(error)
    """
    (tmp_path / "file").touch()
    told = run(program, tmp_path, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "file" / "folder"))
    assert "PROMETHEUS_MULTIPROC_DIR is" in told


def test_what_a_killed_process_left(tmp_path: Path) -> None:
    program = """
        import os, sys
        from pathlib import Path
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(Path(sys.argv[0]).parent)
        from prometheus_client import Counter, Gauge
        from atila.monitoring import metrics_files
        folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        counter, gauge = Counter("a", "A."), Gauge("b", "B.", multiprocess_mode="livesum")
        pids = []
        for number in range(1, 4):
            if (pid := os.fork()) == 0:
                counter.inc(number)
                gauge.set(number)
                os.kill(os.getpid(), 9)
            os.waitpid(pid, 0)
            pids.append(pid)
        # Killed before anything was in it.
        (folder / f"histogram_{pids[0]}.db").touch()
        counter.inc(10)
        gauge.set(10)
        for _ in range(2):
            metrics_files.sweep(folder)
        page = metrics_files._Together(folder, sweeps=True).collect()
        values = {s.name: s.value for m in page for s in m.samples}
        assert values["a_total"] == 16, values
        assert values["b"] == 10, values
        left = sorted(path.name for path in folder.glob("*.db"))
        own = os.getpid()
        expected = ["counter_0.db", f"counter_{own}.db", f"gauge_livesum_{own}.db"]
        assert left == [*expected, "histogram_0.db"], left
        print("right")
    """
    assert run(program, tmp_path) == "right\n"


def test_open_event_streams(app: Atila) -> None:
    name = ("atila_open_event_streams",)

    @app.route("/updates")
    def updates(was):
        def events():
            yield 1
            gate.wait(PATIENCE)

        return was.EventStream(events())

    gate, client = threading.Event(), app.test_client()
    assert samples(client.get("/metrics").text)[name] == 0.0
    with client.events("/updates") as events:
        next(events)
        assert samples(client.get("/metrics").text)[name] == 1.0
        gate.set()
    wait_until(lambda: samples(client.get("/metrics").text)[name] == 0.0)
    client.close()
