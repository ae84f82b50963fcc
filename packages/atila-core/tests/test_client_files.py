"""`files=` of the test client, and what a request of it may have besides."""

import io
import pathlib

import pytest

from atila import Atila
from atila.testing.client_request import prepared


@pytest.fixture
def client(tmp_path):
    app = Atila(__name__)
    app.config.UPLOAD_FOLDER = str(tmp_path)

    @app.route("/upload", methods=["POST", "PUT"])
    def upload(was):
        found = []
        for name, value in was.request.FORM.items():
            for each in value if isinstance(value, list) else [value]:
                if hasattr(each, "mimetype"):
                    found.append([name, each.name, each.mimetype, each.read().decode("latin-1")])
                else:
                    found.append([name, each])
        return {"found": found}

    @app.route("/raw", methods=["POST"])
    def raw(was):
        return was.request.body

    with app.test_client() as client:
        yield client


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<p>hi")
    return path


def sent(client, files, **options):
    answer = client.post("/upload", files=files, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()["found"]


@pytest.mark.parametrize(
    ("file", "arrives"),
    [
        (b"bytes", ["f", "application/octet-stream", "bytes"]),
        ("text", ["f", "application/octet-stream", "text"]),
        (bytearray(b"more"), ["f", "application/octet-stream", "more"]),
        (io.BytesIO(b"open"), ["f", "application/octet-stream", "open"]),
        (("a.txt", b"named"), ["a.txt", "text/plain", "named"]),
        (("a.txt", "named"), ["a.txt", "text/plain", "named"]),
        (("a.txt", io.BytesIO(b"open")), ["a.txt", "text/plain", "open"]),
        (("a", b"x", "image/png"), ["a", "image/png", "x"]),
        ((None, b"x", "image/png"), ["f", "image/png", "x"]),
        (("empty.csv", b""), ["empty.csv", "text/csv", ""]),
        (("binary", bytes(range(256))), ["binary", "application/octet-stream"]),
        (("Bücher, 日本.txt", b"x"), ["Bücher, 日本.txt", "text/plain", "x"]),
        (('quo"ted.txt', b"x"), ["quo_ted.txt", "text/plain", "x"]),
    ],
)
def test_a_file_of_every_form(client, file, arrives):
    [[name, *found]] = sent(client, {"f": file})
    assert name == "f"
    assert found[: len(arrives)] == arrives
    if arrives[0] == "binary":
        assert found[2].encode("latin-1") == bytes(range(256))


def test_open_files_and_paths(client, page):
    with page.open("rb") as file:
        assert sent(client, {"f": file}) == [["f", "page.html", "text/html", "<p>hi"]]
    assert sent(client, {"f": page}) == [["f", "page.html", "text/html", "<p>hi"]]
    named = {"f": ("other.txt", page)}
    assert sent(client, named) == [["f", "other.txt", "text/plain", "<p>hi"]]


def test_a_file_is_read_from_where_it_stands(client):
    file = io.BytesIO(b"head and rest")
    file.read(9)
    assert sent(client, {"f": file})[0][3] == "rest"


@pytest.mark.parametrize(
    "files",
    [
        {"f": [("1.txt", b"1"), ("2.txt", b"2")], "g": b"3"},
        [("f", ("1.txt", b"1")), ("f", ("2.txt", b"2")), ("g", b"3")],
    ],
)
def test_several_files(client, files):
    assert [(name, data) for name, _, _, data in sent(client, files)] == [
        ("f", "1"),
        ("f", "2"),
        ("g", "3"),
    ]


def test_other_fields_come_along(client):
    found = sent(client, {"f": b"x"}, data={"title": "Grüße", "number": 7, "many": ["a", "b"]})
    assert sorted(map(tuple, found)) == [
        ("f", "f", "application/octet-stream", "x"),
        ("many", "a"),
        ("many", "b"),
        ("number", "7"),
        ("title", "Grüße"),
    ]


def test_other_methods_and_no_files(client):
    assert client.put("/upload", files={"f": b"x"}).json()["found"][0][3] == "x"
    # Nothing to upload is an ordinary form.
    request = prepared("POST", "/upload", data={"a": 1}, files={})
    assert request.header("content-type") == "application/x-www-form-urlencoded"


def test_a_large_file_is_whole(client):
    content = bytes(range(256)) * 20_000  # 5 MiB: it goes to a file on its way.
    assert len(sent(client, {"f": content})[0][3]) == len(content)


def test_a_path_that_is_not_there(client):
    with pytest.raises(FileNotFoundError, match="none"):
        client.post("/upload", files={"f": pathlib.Path("/none/at/all")})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"files": {"f": None}}, r"files\['f'\] is a NoneType: a file that is open"),
        ({"files": {"f": 7}}, r"files\['f'\] is a int"),
        ({"files": {"f": ("a", 7)}}, r"files\['f'\] is a int"),
        ({"files": {"f": ("a",)}}, r"files\['f'\] has 1 values"),
        ({"files": {"f": ("a", b"x", "image/png", {})}}, r"has 4 values"),
        (
            {"files": {"f": b"x"}, "data": b"raw"},
            "data= is a dict of the other fields, not a bytes",
        ),
        ({"files": {"f": b"x"}, "data": iter([b"x"])}, "data= is a dict"),
        ({"files": {"f": b"x"}, "json": {"a": 1}}, "one body"),
        ({"data": {"a": 1}, "json": {"a": 1}}, "one body"),
        ({"data": [b"x"]}, "data= is a dict, bytes, str or an iterator, not a list"),
        ({"data": 7}, "not a int"),
    ],
)
def test_mistakes_of_the_test(client, options, says):
    with pytest.raises(TypeError, match=says):
        client.post("/upload", **options)


def test_headers_as_pairs(client):
    request = prepared("GET", "/", headers=[("X-Tag", "a"), ("X-Tag", "b")])
    assert request.exchange().header("x-tag") == "a, b"
    assert client.post("/raw", b"x", headers=[("X-Tag", "a")]).text == "x"
