"""gRPC in process: how methods find handlers, and the mistakes of a developer."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import atila_render
from atila import Atila, SetupError, Was
from atila.launch.cli import main
from atila.serving.site import Mount, Site
from atila.testing import TestClient, TestResponse, wait_until
from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE
from atila_render import GrpcError
from atila_render.grpc.wire import frame

LAYERS = {"render": atila_render.layer, "auth": None, "tasks": None, "ws": None}


def _described() -> Any:
    """A message and a service of four methods, as a compiled .proto would have them."""
    file = descriptor_pb2.FileDescriptorProto(name="unit.proto", package="unit", syntax="proto3")
    number = file.message_type.add(name="Number").field.add(name="value", number=1)
    number.type, number.label = number.TYPE_INT32, number.LABEL_OPTIONAL
    service = file.service.add(name="Counter")
    for name, client, server in (
        ("Double", False, False),
        ("Count", False, True),
        ("Sum", True, False),
        ("Each", True, True),
    ):
        service.method.add(
            name=name,
            input_type=".unit.Number",
            output_type=".unit.Number",
            client_streaming=client,
            server_streaming=server,
        )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("unit.Number"))


Number = _described()


@pytest.fixture
def app() -> Atila:
    return Atila("app_of_test", layers=LAYERS)


def send(client: TestClient, path: str, *values: int, **headers: str) -> TestResponse:
    body = b"".join(frame(Number(value=value).SerializeToString()) for value in values)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, body, headers={"Content-Type": "application/grpc", **names})


def numbers(answer: TestResponse) -> list[int]:
    assert answer.trailers["grpc-status"] == "0", answer.trailers
    found, data = [], answer.content
    while data:
        size = int.from_bytes(data[1:5], "big")
        found.append(Number.FromString(data[5 : 5 + size]).value)
        data = data[5 + size :]
    return found


def ask(client: TestClient, path: str, *values: int) -> list[int]:
    return numbers(send(client, path, *values))


def test_every_kind_of_handler(app: Atila) -> None:
    @app.route("/Double")
    def double(was, number):
        return Number(value=number.value * 2)

    @app.route("/Count")
    def count(was, number):
        for value in range(number.value):
            yield Number(value=value)

    @app.route("/Sum")
    async def total(was, numbers):
        return Number(value=sum([number.value async for number in numbers]))

    @app.route("/Each")
    async def each(was, numbers):
        async for number in numbers:
            yield Number(value=-number.value)

    with app.test_client() as client:
        assert ask(client, "/unit.Counter/Double", 21) == [42]
        assert ask(client, "/unit.Counter/Count", 3) == [0, 1, 2]
        assert ask(client, "/unit.Counter/Count", 0) == []
        assert ask(client, "/unit.Counter/Sum", 1, 2, 3) == [6]
        assert ask(client, "/unit.Counter/Sum") == [0]
        assert ask(client, "/unit.Counter/Each", 1, 2) == [-1, -2]


@pytest.mark.parametrize("faked", [False, True])
def test_handlers_with_values_of_providers(app: Atila, faked: bool) -> None:
    ended: list[int] = []

    @app.provide
    def start(was: Was) -> Iterator[int]:
        yield 10
        ended.append(10)

    @app.provide
    async def step(start: int) -> AsyncIterator[int]:
        yield start // 5
        ended.append(2)

    @app.route("/Double")
    def double(was, number, start, step):
        return Number(value=number.value * step + start)

    @app.route("/Count")
    def count(was, number, start, step):
        for value in range(number.value):
            yield Number(value=start + step * value)

    @app.route("/Sum")
    async def total(was, numbers, step):
        return Number(value=step * sum([number.value async for number in numbers]))

    @app.route("/Each")
    async def each(was, numbers, start, step):
        async for number in numbers:
            yield Number(value=start + step * number.value)

    first, by = (100, 3) if faked else (10, 2)
    fakes = app.override(start=100, step=3) if faked else nullcontext()
    with fakes, app.test_client() as client:
        for method, numbers, expected in (
            ("Double", (21,), [21 * by + first]),
            ("Count", (2,), [first, first + by]),
            ("Sum", (1, 2, 3), [6 * by]),
            ("Each", (1, 2), [first + by, first + 2 * by]),
        ):
            assert ask(client, f"/unit.Counter/{method}", *numbers) == expected
            # It may come after the answer, and so beside the next request.
            wait_until(lambda: ended == ([] if faked else [2, 10]), "the clean-up")
            ended.clear()


def test_other_kinds(app: Atila) -> None:
    @app.route("/Double")
    def double(was):
        return asyncio.sleep(0, Number(value=7))

    @app.route("/Count")
    def count(was, number):
        return [Number(value=1), Number(value=2)]

    @app.route("/Sum")
    def total(was, numbers):
        return Number(value=sum(number.value for number in numbers))

    @app.route("/Each", input_stream=True)
    def each(was, numbers):
        while (number := (yield was.Input())) is not None:
            yield number

    with app.test_client() as client:
        assert ask(client, "/unit.Counter/Double", 1) == [7]
        assert ask(client, "/unit.Counter/Count", 1) == [1, 2]
        assert ask(client, "/unit.Counter/Sum", 1, 2, 3) == [6]
        assert ask(client, "/unit.Counter/Each", 4, 5) == [4, 5]


@pytest.mark.parametrize(
    ("point", "rule", "path"),
    [
        ("/", "/Double", "/unit.Counter/Double"),
        ("/", "/unit.Counter/Double", "/unit.Counter/Double"),
        ("/unit.Counter", "/Double", "/unit.Counter/Double"),
        ("/api", "/Double", "/api/unit.Counter/Double"),
        ("/api", "/unit.Counter/Double", "/api/unit.Counter/Double"),
        ("/api", "/Double", "/unit.Counter/Double"),
        ("/api/unit.Counter", "/Double", "/api/unit.Counter/Double"),
    ],
)
def test_where_a_method_is_found(app: Atila, point: str, rule: str, path: str) -> None:
    @app.route(rule)
    def double(was, number):
        return number

    site = Site([Mount(point, app)])
    try:
        client = TestClient(app)
        assert ask(client, path, 5) == [5]
        for other in (
            "/unit.Counter/Count",
            "/Double",
            "/x/y/unit.Counter/Double",
            "/no.Such/Double",
        ):
            assert send(client, other, 5).trailers["grpc-status"] == "12"
    finally:
        site.shutdown()


def test_the_route_of_the_whole_path_goes_first(app: Atila) -> None:
    @app.route("/Double")
    def by_name(was, number):
        return Number(value=1)

    @app.route("/unit.Counter/Double")
    def by_path(was, number):
        return Number(value=2)

    with app.test_client() as client:
        assert ask(client, "/unit.Counter/Double", 5) == [2]


def test_the_same_handler_over_http(app: Atila) -> None:
    @app.route("/Double")
    def double(was, number=None):
        return "no message" if number is None else number

    with app.test_client() as client:
        assert client.get("/Double").text == "no message"
        assert ask(client, "/unit.Counter/Double", 5) == [5]
        # JSON for a method of a service that has no route there.
        assert client.post("/unit.Counter/Double", json={}).status_code == 415
        assert client.post("/unit.Counter/None", json={}).status_code == 404


def test_hooks_see_calls(app: Atila) -> None:
    seen: list[Any] = []

    @app.before_request
    def before(was):
        seen.append("before")
        if was.request.get_header("x-mood") == "bad":
            raise was.Error(403, "not in this mood")

    @app.finish_request
    def finish(was, value):
        seen.append(value.value)
        return Number(value=value.value + 1)

    @app.failed_request
    def failed(was, error):
        seen.append("failed")

    @app.teardown_request
    def teardown(was):
        seen.append("teardown")

    @app.route("/Double")
    def double(was, number):
        was.response.add_header("x-initial", "1")
        was.response.add_trailer("x-trailing", "2")
        return number

    with app.test_client() as client:
        answer = send(client, "/unit.Counter/Double", 5)
        assert numbers(answer) == [6]
        assert (answer.headers["x-initial"], answer.trailers["x-trailing"]) == ("1", "2")
        answer = send(client, "/unit.Counter/Double", 5, x_mood="bad")
        assert answer.trailers["grpc-status"] == "7"
        assert answer.trailers["grpc-message"] == "not in this mood"
    assert [each for each in seen if each != "teardown"] == ["before", 5, "before", "failed"]
    assert seen.count("teardown") == 2


def test_the_status_of_an_error(app: Atila) -> None:
    @app.route("/Double")
    def double(was, number):
        raise GrpcError(number.value, "as asked", [("x-why", "because")])

    @app.route("/Count")
    def count(was, number):
        return 5

    with app.test_client() as client:
        for code in range(1, 17):
            trailers = send(client, "/unit.Counter/Double", code).trailers
            assert trailers == {
                "grpc-status": str(code),
                "grpc-message": "as asked",
                "x-why": "because",
            }
        assert send(client, "/unit.Counter/Double", 17).trailers["grpc-status"] == "13"
        assert send(client, "/unit.Counter/Count", 1).trailers["grpc-status"] == "13"


def test_a_deadline_wakes_a_handler_that_waits_for_messages(app: Atila) -> None:
    begun, ended = threading.Event(), threading.Event()

    @app.route("/Sum")
    def total(was, numbers):
        begun.set()
        try:
            for _ in numbers:
                pass
        finally:
            ended.set()

    def slow(seconds: float) -> Iterator[bytes]:
        yield frame(Number(value=1).SerializeToString())
        ended.wait(seconds)
        yield b""

    with app.test_client() as client:
        for deadline in (1, 10, 100, 1000, 10_000):
            headers = {"Content-Type": "application/grpc", "grpc-timeout": f"{deadline}m"}
            body = slow(3 * deadline / 1000)
            answer = client.post("/unit.Counter/Sum", body, headers=headers)
            assert answer.trailers["grpc-status"] == "4"
            # The shorter ones may pass before a thread has begun with it.
            if begun.is_set():
                break
        assert ended.wait(PATIENCE)


def test_ordinary_routes_beside_the_methods(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    @app.route("/")
    def index(was):
        return was.request.method

    @app.route("/Double")
    def double(was, number):
        return number if type(number) is Number else f"{number} by form"

    @app.route("/status", methods=["POST"])
    def status(was, of="all"):
        return f"status of {of}"

    @app.route("/Duoble/<int:n>")
    def misspelt(was, n):
        return f"ordinary {n}"

    @app.route("/Coutn")
    def misspelt_too(was):
        return "ordinary"

    Site([Mount("/unit.Counter", app)])
    with app.test_client() as client:
        assert client.get("/unit.Counter/").text == "GET"
        assert client.post("/unit.Counter/").text == "POST"
        assert client.post("/unit.Counter/status", {"of": "it"}).text == "status of it"
        assert client.post("/unit.Counter/status", json={"of": "it"}).text == "status of it"
        assert client.post("/unit.Counter/Double", {"number": "3"}).text == "3 by form"
        assert client.get("/unit.Counter/Duoble/4").text == "ordinary 4"
        assert ask(client, "/unit.Counter/Double", 3) == [3]
        # A method without a route is no ordinary path, and a path without a method is no call.
        assert client.post("/unit.Counter/Sum", {"x": "1"}).status_code == 415
        assert client.get("/unit.Counter/nothing").status_code == 404
        for path in ("/unit.Counter/status", "/unit.Counter/", "/unit.Counter/Sum"):
            assert send(client, path, 1).trailers["grpc-status"] == "12"
    assert "unit.Counter has no method 'Coutn'; did you mean 'Count'?" in caplog.text
    assert __file__ in caplog.text
    assert "'status'" not in caplog.text


def test_a_handler_of_too_many_parameters_is_told_at_mount_time(app: Atila) -> None:
    @app.route("/unit.Counter/Double")
    def double(was, a, b):
        return a

    with pytest.raises(SetupError, match=r"given one unit.Number; its handler takes a, b"):
        app.test_client().get("/")


def test_what_is_not_installed(app: Atila, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("atila_render.grpc.methods")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    monkeypatch.delitem(sys.modules, "google.protobuf.descriptor_pool")
    with app.test_client() as client:
        trailers = send(client, "/unit.Counter/Double", 1).trailers
    assert (trailers["grpc-status"], trailers["grpc-message"]) == ("12", "this server has no gRPC")


def test_a_port_of_its_own_without_grpcio(app: Atila, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    app.config.GRPC_PORT = 50051
    with pytest.raises(SetupError, match=r"pip install \"atila-render\[grpc\]\""):
        app.site.begin()
    app.site.shutdown()


def test_where_the_port_of_its_own_is(app: Atila, monkeypatch: pytest.MonkeyPatch) -> None:
    from atila_render.grpc.port import address_of

    monkeypatch.delenv("ATILA_GRPC_PORT", raising=False)
    site = app.site
    try:
        assert address_of(site) == ""
        app.config.GRPC_PORT = 50051
        assert address_of(site) == "127.0.0.1:50051"
        app.config.GRPC_PORT = "[::]:50051"
        assert address_of(site) == "[::]:50051"
        monkeypatch.setenv("ATILA_GRPC_PORT", "127.0.0.1:7")
        assert address_of(site) == "127.0.0.1:7"
        monkeypatch.setenv("ATILA_GRPC_PORT", "7")
        assert address_of(site) == "127.0.0.1:7"
        # Where the server listens.
        monkeypatch.setenv("ATILA_HOST", "::1")
        assert address_of(site) == "[::1]:7"
        monkeypatch.delenv("ATILA_GRPC_PORT")
        app.config.GRPC_PORT = 50051
        assert address_of(site) == "127.0.0.1:50051"
    finally:
        site.shutdown()


def test_the_option_of_atila_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[str, str]] = []
    (tmp_path / "grpc_port.py").write_text("from atila import Atila\napp = Atila(__name__)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ATILA_GRPC_PORT", "")
    monkeypatch.setenv("ATILA_HOST", "")
    monkeypatch.setattr(
        "atila.skitai.serve.serve",
        lambda settings: served.append((os.environ["ATILA_GRPC_PORT"], os.environ["ATILA_HOST"])),
    )
    port, own = free_port(), str(free_port())
    command = ["serve", "grpc_port:app", "--engine", "skitai", "--host", "0.0.0.0"]
    command += ["--port", str(port), "--grpc-port", own]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert served == [(own, "0.0.0.0")]
    assert "--grpc-port" in CliRunner().invoke(main, ["serve", "--help"]).output
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert 'pip install "atila-render[grpc]"' in result.output


def test_health_can_be_left_out(app: Atila) -> None:
    app.config.GRPC_HEALTH = False
    with app.test_client() as client:
        assert send(client, "/grpc.health.v1.Health/Check").trailers["grpc-status"] == "12"


def test_health_where_nothing_is_mounted(app: Atila) -> None:
    site = Site([Mount("/api", app)])
    try:
        body = frame(b"")
        headers = {"Content-Type": "application/grpc"}
        answer = TestClient(app).post("/grpc.health.v1.Health/Check", body, headers=headers)
        assert answer.trailers["grpc-status"] == "0"
    finally:
        site.shutdown()
