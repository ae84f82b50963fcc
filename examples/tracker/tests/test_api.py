"""What the tracker promises, in this process."""

from typing import Any

import pytest

from atila.testing import TestClient

Headers = dict[str, str]
JSON = {"content-type": "application/json"}


def open_issue(client: TestClient, headers: Headers, **fields: Any) -> dict[str, Any]:
    answer = client.post("/api/issues", json={"title": "It stops", **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    issue: dict[str, Any] = answer.json()
    return issue


def rules(answer: Any) -> list[tuple[str, str, str]]:
    assert answer.status_code == 400, answer.text
    return [(each["in"], each["at"], each["rule"]) for each in answer.json()["errors"]]


def test_logging_in(client: TestClient, ada: Headers) -> None:
    account = {"name": "ada", "password": "correct horse"}
    assert client.post("/api/accounts", json=account).status_code == 409
    token = client.post("/api/login", json=account).json()["token"]
    open_issue(client, {"authorization": f"Bearer {token}"})
    for wrong in ({**account, "password": "x" * 8}, {**account, "name": "nobody"}):
        assert client.post("/api/login", json=wrong).status_code == 403
    assert client.post("/api/issues", json={"title": "x"}).status_code == 401
    forged = {"authorization": f"Bearer {token[:-6]}AAAAAA"}
    assert client.post("/api/issues", json={"title": "x"}, headers=forged).status_code == 401


def test_an_issue_in_and_out(client: TestClient, ada: Headers) -> None:
    thread = [{"text": "a", "replies": [{"text": "b", "replies": [{"text": "c"}]}]}, {"text": "d"}]
    made = open_issue(
        client, ada, labels=["idea", "bug"], due="2030-01-31", text="…", comments=thread
    )
    assert made == client.get(f"/api/issues/{made['id']}").json()
    assert (made["labels"], made["due"], made["author"]) == (["bug", "idea"], "2030-01-31", "ada")
    assert made["state"] == "open"

    def texts(comments: list[dict[str, Any]]) -> list[Any]:
        return [(each["text"], texts(each["replies"])) for each in comments]

    assert texts(made["comments"]) == [("a", [("b", [("c", [])])]), ("d", [])]


def test_changes(client: TestClient, ada: Headers) -> None:
    made = open_issue(client, ada, labels=["bug"], due="2030-01-31")
    path = f"/api/issues/{made['id']}"
    changed = client.patch(path, json={"state": "closed"}, headers=ada).json()
    assert changed == {**made, "state": "closed"}
    changed = client.patch(path, json={"due": None, "labels": []}, headers=ada).json()
    assert changed == {**made, "state": "closed", "due": None, "labels": []}


def test_replies(client: TestClient, ada: Headers) -> None:
    made, other = open_issue(client, ada), open_issue(client, ada)
    path = f"/api/issues/{made['id']}/comments"
    first = client.post(path, json={"text": "first"}, headers=ada).json()["comments"][0]
    url = f"{path}?reply_to={first['id']}"
    answer = client.post(url, json={"text": "second"}, headers=ada)
    assert answer.json()["comments"][0]["replies"][0]["text"] == "second"
    elsewhere = f"/api/issues/{other['id']}/comments?reply_to={first['id']}"
    assert client.post(elsewhere, json={"text": "x"}, headers=ada).status_code == 404
    assert rules(client.post(f"{path}?reply_to=x", json={"text": "x"}, headers=ada)) == [
        ("query", "reply_to", "type")
    ]


def test_filters_and_pages(client: TestClient, ada: Headers) -> None:
    for number in range(5):
        labels = ["question"] if number % 2 else ["question", "bug"]
        open_issue(client, ada, title=f"100% {number}", labels=labels, due=f"2031-01-0{number + 1}")

    def found(query: str) -> tuple[list[str], int]:
        page = client.get(f"/api/issues?{query}").json()
        return [each["title"] for each in page["issues"]], page["total"]

    assert found("text=100%25&size=2&page=2") == (["100% 2", "100% 1"], 5)
    assert found("label=bug&label=question&text=%25") == (["100% 4", "100% 2", "100% 0"], 3)
    due = "due_before=2031-01-03&label=question"
    assert found(due) == (["100% 1", "100% 0"], 2)
    assert found("state=closed&text=100") == ([], 0)
    query = "label=x&page=0&size=1000&due_before=soon&text=&sort=title"
    assert rules(client.get(f"/api/issues?{query}")) == [
        ("query", "label[0]", "enum"),
        ("query", "due_before", "type"),
        ("query", "page", "ge"),
        ("query", "size", "le"),
        ("query", "sort", "unknown"),
    ]


def test_attachments(client: TestClient, ada: Headers) -> None:
    path = f"/api/issues/{open_issue(client, ada)['id']}"
    file = ("../näme.html", b"<script>", "text/html")
    answer = client.post(f"{path}/attachments", files={"file": file}, headers=ada)
    assert answer.status_code == 201
    attached = answer.json()
    assert (attached["name"], attached["size"]) == ("näme.html", 8)
    assert client.get(path).json()["attachments"] == [attached]
    got = client.get(f"/api/attachments/{attached['id']}")
    assert got.content == b"<script>"
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment")
    assert rules(client.post(f"{path}/attachments", {"file": "text"}, headers=ada)) == [
        ("body", "file", "type")
    ]
    big = {"file": ("big", bytes(6 * 2**20))}
    assert client.post(f"{path}/attachments", files=big, headers=ada).status_code == 413


def nested(depth: int) -> bytes:
    comment = b'{"text": "x", "replies": ['
    return b'{"title": "x", "comments": [' + comment * depth + b"]}" * depth + b"]}"


WRONG = {
    "types": (
        b'{"title": 5, "labels": ["bug", "pest"], "due": "2030-02-30", "comments": [{"text": ""}]}',
        [
            ("title", "type"),
            ("labels[1]", "enum"),
            ("due", "type"),
            ("comments[0].text", "min_length"),
        ],
    ),
    "no object": (b"[]", [("", "type")]),
    "no JSON": (b'{"title": "x"', [("", "format")]),
    "unknown fields": (b'{"title": "x", "id": 7}', [("id", "unknown")]),
    "a key twice": (
        b'{"title": "x", "comments": [{"text": "a"}, {"text": "a", "text": "b"}]}',
        [("comments[1].text", "duplicate")],
    ),
    "NaN": (b'{"title": NaN}', [("", "format")]),
    "a huge text": (b'{"title": "' + b"x" * 500_000 + b'"}', [("title", "max_length")]),
    "a cycle by reference": (
        b'{"title": "x", "comments": [{"$ref": "#/comments/0"}]}',
        [("comments[0].text", "required"), ("comments[0].$ref", "unknown")],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_bodies(client: TestClient, ada: Headers, name: str) -> None:
    body, expected = WRONG[name]
    found = rules(client.post("/api/issues", body, headers={**ada, **JSON}))
    assert found == [("body", at, rule) for at, rule in expected]


@pytest.mark.parametrize("depth", [60, 2000, 100_000])
def test_what_is_nested_too_deep(client: TestClient, ada: Headers, depth: int) -> None:
    answer = client.post("/api/issues", nested(depth), headers={**ada, **JSON})
    # How deep JSON is read depends on the interpreter; how deep a thread goes, on the tracker.
    expected = {60: (409,), 2000: (400, 409), 100_000: (400,)}
    assert answer.status_code in expected[depth], answer.text


def test_what_is_wrong_a_million_times(client: TestClient, ada: Headers) -> None:
    body = b'{"title": "x", "comments": [' + b"5," * 1_000_000 + b"5]}"
    found = rules(client.post("/api/issues", body, headers={**ada, **JSON}))
    assert len(found) == 100
    assert found[0] == ("body", "comments[0]", "type")
