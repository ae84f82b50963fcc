"""The specification's blocks about requests and answers, as they stand there."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import httpx
import pytest
from support.servers import Server, serving
from support.specified import blocks, mended

HERE = Path(__file__).parent
BLOCK = {name: mended(text) for name, text in blocks(HERE / "blocks.txt").items()}
SCRIPT = HERE / "apps" / "blocks" / "serve.py"
LAUNCHED = "it loads an `app` of a module and runs no launch script"

pytestmark = [
    pytest.mark.unable(engine, LAUNCHED) for engine in ("uvicorn", "hypercorn", "gunicorn")
]


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/composed-hooks/", 200, "hello--"),
        ("/composed-hooks/?wrong=1", 400, "Bad Request"),
        ("/composed-hooks/?early=1", 200, "early--"),
        ("/emitter/make_event", 200, "OK"),
        ("/life-cycle/", 200, "hello"),
        ("/environment/0", 200, "Unknown Agent"),
        ("/routing/hello", 200, "<p>"),
        ("/restrictions/0", 200, "hello"),
        ("/special/profiles/123?detail=no", 200, "<li>123 is 123</li> no"),
        ("/special/profiles/me?detail=no", 200, "<li>me is me</li> no"),
        ("/special/profiles/notme?detail=no", 200, "<li>notme is notme</li> no"),
        ("/special/profiles/new?detail=no", 200, "<li>new is new</li> no"),
        ("/special/profiles?detail=no", 404, "Not Found"),
        ("/special/profiles/other", 404, "Not Found"),
        ("/left-out/profiles?detail=no", 200, "<li>None is None</li> no"),
        ("/left-out/profiles/7", 200, "<li>7 is 7</li> yes"),
        ("/all/profiles/5?detail=no", 200, "same"),
        ("/all/profiles/5", 200, "same"),
        ("/all/profiles", 200, "same"),
        ("/inspecting/profiles/5?detail=y", 200, "<li>5 is 5</li> True"),
        ("/inspecting/profiles", 200, "<li>None is None</li> False"),
        ("/inspecting/profiles/5?detail=maybe", 400, "'detail'"),
        ("/testpass/?user=root", 200, "modified"),
        ("/testpass/?user=somebody", 403, ""),
        ("/status/", 200, '{"code":200,"reason":"OK"}'),
        ("/string/0", 200, "hello"),
        ("/api/0", 200, '{"name":"Hans Roh"}'),
        ("/api/1", 200, '{"name":"Hans Roh"}'),
        ("/rendered/0", 200, "Hans Roh"),
        ("/static-url/0", 200, "png"),
        ("/robots/robots.txt", 200, "real"),
        ("/redirecting/showmsg/Hans%20Roh", 200, "Hans Roh"),
    ],
)
def test_answers(client: httpx.Client, path: str, status: int, text: str) -> None:
    del client.headers["user-agent"]
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert text in answer.text


def test_request_hooks(server: Server, client: httpx.Client) -> None:
    before = client.get("/request-hooks/").json()
    assert client.get("/request-hooks/?fail=1").status_code == 500
    after = client.get("/request-hooks/").json()
    assert {name: after[name] - before[name] for name in before} == {
        "TOTAL": 2,
        "SUCCES": 1,
        "FAILED": 1,
    }
    server.board.wait_count("resource-closed", server.board.count("resource-opened"))


def test_events_harm_no_request(server: Server, client: httpx.Client) -> None:
    assert client.get("/request-events/").text == "hello"
    server.board.wait_count("event-finish")


def test_globals(client: httpx.Client) -> None:
    # It is set to 0 by each request before it is counted.
    assert [client.get("/globals/").text for _ in range(2)] == ["0", "0"]


def test_restrictions(client: httpx.Client) -> None:
    refused = client.post("/restrictions/0")
    assert refused.status_code == 405
    assert "GET" in refused.headers["allow"]
    assert client.post("/restrictions/1", json=1).status_code == 200
    assert client.post("/restrictions/1", data={"a": "b"}).status_code == 415


def test_parameters(client: httpx.Client) -> None:
    form = {"name": "Hans", "birth_year": "1971"}
    assert client.post("/optional/hello", data=form).text.strip() == "<p>Hans 1971 None </p>"
    assert client.post("/optional/hello", data={"name": "Hans"}).status_code == 400
    assert client.post("/optional/hello", data={**form, "other": "1"}).status_code == 400
    answer = client.post("/any/hello?name=url", json={"name": "body", "more": 1})
    assert "body" in answer.text
    assert "more" in answer.text
    assert client.get("/any/hello?name=x").status_code == 405


def test_inspection(client: httpx.Client) -> None:
    assert client.post("/every/", data={"n": "5"}).text == "5"
    assert client.post("/every/", data={"n": "five"}).status_code == 400
    good = {"birth_year": 1971, "mobile": "010-123-4567", "gender": "male", "name": "Hans"}
    assert client.post("/values/", json=good).json() == good | {"birth_year": 1971}
    for wrong in (
        {"birth_year": 1871},
        {"mobile": "010"},
        {"gender": "other"},
        {"name": "Al"},
        {"name": "x" * 65},
    ):
        refused = client.post("/values/", json=good | wrong)
        assert refused.status_code == 400, wrong
        assert next(iter(wrong)) in refused.json()["detail"]
    good = {"name": "Hans", "gender": "", "resume": "plain", "detail": "yes", "email": "a@b.kr"}
    taken = client.post("/keywords/", json=good).json()
    assert (taken["gender"], taken["detail"]) == (None, True)
    for wrong in (
        {"name": 5},
        {"resume": "<b>bold</b>"},
        {"detail": "perhaps"},
        {"email": None},
        {"mobile": "010-123-4567"},
    ):
        assert client.post("/keywords/", json=good | wrong).status_code == 400, wrong


def test_upload(server: Server, client: httpx.Client) -> None:
    for content in (b"first", b"second"):
        answer = client.post("/upload/upload", files={"file": ("a.txt", content)})
        assert answer.status_code < 300
    assert (server.board.folder / "upload" / "a.txt").read_bytes() == b"second"


def test_input_stream(client: httpx.Client) -> None:
    pieces = [bytes([number]) * 3000 for number in range(5)]
    answer = client.post("/stream/bistreaming", content=iter(pieces))
    assert answer.content == b"".join(pieces)


def test_cookie(client: httpx.Client) -> None:
    assert "user_id=hansroh" in client.get("/cookie/0").headers["set-cookie"]
    assert "set-cookie" not in client.get("/cookie/0", headers={"cookie": "user_id=x"}).headers


def test_prework(server: Server, client: httpx.Client) -> None:
    assert "index" in client.get("/prework/").text
    seen = server.board.count("reloaded-config")
    (server.board.folder / "watched").write_text("changed")
    assert "index" in client.get("/prework/").text
    assert server.board.count("reloaded-config") == seen + 1


def test_chain(server: Server, client: httpx.Client) -> None:
    assert "index" in client.get("/chain/").text
    assert server.board.text("chain").endswith("pre1 pre2 post1 ")


def test_headers(client: httpx.Client) -> None:
    answer = client.get("/headers/")
    assert answer.status_code == 201
    assert answer.headers.get_list("x-server") == ["skitai"]
    assert client.get("/string-headers/0").headers["x-server"] == "Skitai"


def test_caching(client: httpx.Client) -> None:
    tagged = client.get("/caching/0/")
    again = client.get("/caching/0/", headers={"if-none-match": tagged.headers["etag"]})
    assert (tagged.headers["cache-control"], again.status_code) == ("max-age=3600", 304)
    assert "last-modified" in client.get("/caching/1/").headers
    assert client.get("/caching/2/").headers["cache-control"] == "max-age=3600"


def test_errors(client: httpx.Client) -> None:
    errors = [client.get(f"/errors/{number}") for number in range(3)]
    assert [error.status_code for error in errors] == [400] * 3
    assert [(error.json()["detail"], error.json()["errno"]) for error in errors] == [
        ("", 0),
        ("missing user ID", 0),
        ("missing user ID", 40011),
    ]


def test_page_or_data(client: httpx.Client) -> None:
    page = client.get("/either/0", headers={"accept": "text/html"})
    assert page.text.strip() == "<h1>index</h1> [1, 2]"
    data = client.get("/either/0", headers={"accept": "application/json"})
    assert data.json() == {"result": [1, 2]}


def test_files(client: httpx.Client) -> None:
    assert client.get("/file/0").content == b"cells"
    saved = client.get("/file/1")
    assert saved.headers["content-type"] == "application/octet-stream"
    assert "data.xlsx" in saved.headers["content-disposition"]


def test_generator(client: httpx.Client) -> None:
    answer = client.get("/generator/")
    assert answer.headers["content-type"] == "text/csv"
    assert answer.text == "a,b\n1,2\n"


def test_redirecting(client: httpx.Client) -> None:
    where = [client.get(f"/redirecting/{n}").headers["location"] for n in range(2)]
    assert where == ["/redirecting/showmsg/Hans%20Roh", "/redirecting/static/index.html"]


# Apps of several files --------------------------------------------------------------------------


class Project:
    """The files of a launch script and its packages in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, path: str, *sources: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(sources))

    def package(self, name: str, *services: str) -> None:
        """A package whose `services` has these parts, each a hook or the inside of `__mount__`."""
        self.write(
            f"{name}/__init__.py",
            "from atila import Atila",
            "def __app__(): return Atila(__name__)",
            "def __setup__(app, mntopt):",
            f"    from {name} import services",
            "    app.mount('/', services)",
        )
        self.write(f"{name}/services/__init__.py", *services)

    def launch(self, block: str) -> None:
        self.write("serve.py", block + "    skitai.run(port=5000)\n")


def routes(*blocks: str) -> str:
    """A `__mount__` with these blocks inside."""
    return "def __mount__(app, mntopt):\n" + textwrap.indent("\n".join(blocks), "    ")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    # An engine may drop its privileges, and still has to read this.
    for folder in [tmp_path, *tmp_path.parents][:3]:
        folder.chmod(0o755)
    return Project(tmp_path)


def route(path: str, answer: str) -> str:
    return f"@app.route('{path}')\ndef handler_{path.strip('/')}(was): return '{answer}'"


@pytest.mark.parametrize(
    ("block", "inside", "expected"),
    [
        ("extending", "atila_vue", {"/own": "myapp", "/both": "myapp", "/base": "atila_vue"}),
        ("overriding", "tfserver", {"/own": "myapp", "/both": "myapp", "/base": "tfserver"}),
    ],
)
def test_extending_and_overriding(
    engine: str, project: Project, block: str, inside: str, expected: dict[str, str]
) -> None:
    project.package("myapp", routes(route("/own", "myapp"), route("/both", "myapp")))
    project.package(inside, routes(route("/base", inside), route("/both", inside)))
    project.launch(BLOCK[block])
    with serving(engine, project.folder / "serve.py", ready="/base") as server:
        assert {path: server.get(path).text for path in expected} == expected


def test_subscription_and_exchange(engine: str, project: Project) -> None:
    project.package(
        "tfserver",
        routes(
            BLOCK["exchange: giver"],
            "@app.route('/reload')\ndef reload(was):\n"
            "    app.emit('tfserver:model-reloaded', 'm')\n    return 'ok'",
        ),
    )
    jobs = "import os\nfrom support.board import Board\n"
    jobs += "def jobs_as_you_need(): Board(os.environ['ATILA_BOARD']).note('jobs')"
    other = BLOCK["other app"].replace("'/'", "'/other'")
    project.package(
        "myapp",
        jobs,
        BLOCK["subscription"],
        routes(BLOCK["exchange: taker"], other + "    return other_app.import_name"),
    )
    project.launch(BLOCK["subscription: launch script"])
    with serving(engine, project.folder / "serve.py", ready="/other") as server:
        assert server.get("/tf/").status == 204
        assert server.get("/").text == "a|b"
        assert server.get("/other").text == "tfserver"
        assert server.get("/tf/reload").text == "ok"
        server.board.wait_count("jobs")


def test_event_and_maintaining(engine: str, project: Project) -> None:
    maintaining = (
        BLOCK["maintaining"]
        .replace("MAINTAIN_INTERVAL = 60", "MAINTAIN_INTERVAL = 0.02")
        .replace("    ...", "    pass")
    )
    project.package(
        "myapp",
        BLOCK["event: handler"].replace("detail)", "detail = '')", 1),
        routes(
            BLOCK["event: emitter"].partition("\n    ")[2].replace("\n    ", "\n"),
            maintaining,
            "@app.route('/')\ndef index(was, set=''):\n"
            "    if set: was.setlu('cluster.num-nodes')\n"
            "    return str(app.g['num-nodes'] == was.getlu('cluster.num-nodes'))",
            "@app.on('cluster:num_nodes')\ndef changed(was, number):\n"
            "    import os\n    from support.board import Board\n"
            "    Board(os.environ['ATILA_BOARD']).note('nodes')",
        ),
    )
    project.launch(
        "import skitai, myapp\nif __name__ == '__main__':\n    skitai.mount('/', myapp)\n"
    )
    with serving(engine, project.folder / "serve.py") as server:
        assert server.get("/make_event").text == "OK"
        assert server.get("/?set=1").status == 200
        server.board.wait_count("nodes")


def test_piping_and_urls(engine: str, project: Project) -> None:
    project.package("myapp")
    urls = [line.partition("#")[0] for line in BLOCK["urls"].splitlines() if line]
    project.write(
        "myapp/services/__init__.py",
        "def __setup__(app, mntopt):",
        "    from myapp.services import sub",
        "    app.mount('/sub', sub)",
        BLOCK["piping: services"].rstrip(),
        "    @app.route('/urls')",
        f"    def urls(was): return was.API(urls=[{', '.join(urls)}])",
    )
    project.write(
        "myapp/services/sub/__init__.py",
        "def __setup__(app, mntopt):",
        "    from myapp.services.sub import pages",
        "    app.mount('/', pages)",
    )
    project.write("myapp/services/sub/pages.py", BLOCK["piping: pages"])
    project.launch(
        "import skitai, myapp\nif __name__ == '__main__':\n    skitai.mount('/', myapp)\n"
    )
    with serving(engine, project.folder / "serve.py", ready="/1") as server:
        # The last is the program's own call, which is not inspected.
        assert [server.get(f"/{number}").text for number in (1, 2, 3, 4)] == [
            '{"result":1}',
            '{"result":1}',
            '{"result":4}',
            '{"result":"t"}',
        ]
        assert server.get("/5").text == "Page tOC Chapter 5"
        assert json.loads(server.get("/urls").text)["urls"] == [
            "/static/img/logo.png",
            "/1",
            "/sub/pages/toc/1",
            "/sub/pages/toc/1",
            "/index.htm",
        ]
