"""Work after the answer, on every engine."""

from __future__ import annotations

from support.servers import Server

from atila.testing.waits import wait_until


def test_the_answer_does_not_wait_for_it(server: Server, name: str) -> None:
    with server.connect() as connection:
        assert connection.get(f"/after?name={name}").text == "answered"
        assert server.board.text(f"{name}-done") == ""
        server.board.open(name)
        done = f"def {name} async {name} "
        wait_until(lambda: server.board.text(f"{name}-done") == done, log=server.log)


def test_of_a_stream(server: Server, name: str) -> None:
    with server.connect() as connection:
        assert connection.get(f"/after-stream?name={name}").text == "answered"
        server.board.open(name)
        done = f"async {name} def {name} "
        wait_until(lambda: server.board.text(f"{name}-done") == done, log=server.log)


def test_not_of_a_request_that_fails(server: Server, name: str) -> None:
    server.board.open(name)
    with server.connect() as connection:
        assert connection.get(f"/after?name={name}&fail=1").status == 409
        assert connection.get(f"/after?name={name}").text == "answered"
    # Both pieces of the second one come, and nothing before them.
    done = f"def {name} async {name} "
    wait_until(lambda: server.board.text(f"{name}-done") == done, log=server.log)
