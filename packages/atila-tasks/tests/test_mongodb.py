"""MongoDB: its wire protocol against what stands in for it, or a real one; see conftest.py."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from bson import Decimal128, ObjectId

from atila import Atila, SetupError, Was
from atila.values import json
from atila_tasks import DB_MONGODB, STA_NETERR, DatabaseError, DataConflict, DataError, Unreachable

Run = Callable[[Callable[[Was], Any]], Any]


@pytest.fixture
def app(app: Atila, mongodb: str) -> Atila:
    app.alias("@mymongo", DB_MONGODB, [f"{mongodb}/c{uuid.uuid4().hex}"])
    return app


CITIES = [{"city": "New York", "n": 1}, {"city": "Seoul", "n": 2}, {"city": "New York", "n": 3}]


def test_the_example_of_the_specification(run: Run) -> None:
    def use(was: Was) -> Any:
        with was.db("@mymongo") as db:
            db.insert([dict(city) for city in CITIES]).commit()
            task = db.find({"city": "New York"})
        return task.fetch()

    found = run(use)
    assert [document["n"] for document in found] == [1, 3]
    assert all(isinstance(document["_id"], ObjectId) for document in found)


def test_writing_and_reading(run: Run) -> None:
    def use(was: Was) -> Any:
        db = was.db("@mymongo")
        one = db.insert({"city": "Oslo", "n": 4}).fetch()
        many = db.insert([dict(city) for city in CITIES]).fetch()
        return {
            "inserted": (isinstance(one, ObjectId), len(many)),
            "count": db.count({}).fetch(),
            "updated": db.update({"city": "New York"}, {"$set": {"big": True}}).fetch(),
            "big": db.count({"big": True}).fetch(),
            "replaced": db.replace_one({"_id": one}, {"city": "Bergen"}).fetch(),
            "one": db.find_one({"_id": one}, {"_id": 0}).fetch(),
            "none": db.find_one({"city": "Nowhere"}).fetch(),
            "sorted": [d["n"] for d in db.find({"n": {"$gt": 0}}, sort=[("n", -1)]).fetch()],
            "limited": len(db.find({}, limit=2).fetch()),
            "grouped": db.aggregate(
                [{"$group": {"_id": "$city", "n": {"$sum": 1}}}, {"$sort": {"n": -1}}]
            ).fetch()[0],
            "deleted": db.delete({"city": "New York"}).fetch(),
            "left": db.count({}).fetch(),
        }

    assert run(use) == {
        "inserted": (True, 3),
        "count": 4,
        "updated": 2,
        "big": 2,
        "replaced": 1,
        "one": {"city": "Bergen"},
        "none": None,
        "sorted": [3, 2, 1],
        "limited": 2,
        "grouped": {"_id": "New York", "n": 2},
        "deleted": 2,
        "left": 2,
    }


def test_more_documents_than_one_batch_and_another_collection(run: Run) -> None:
    def use(was: Was) -> Any:
        other = was.db("@mymongo")["other" + uuid.uuid4().hex]
        other.insert([{"n": number} for number in range(1000)]).commit()
        return len(other.find({}).fetch()), was.db("@mymongo").count({}).fetch()

    assert run(use) == (1000, 0)


def test_one_of_many(run: Run, app: Atila) -> None:
    def use(was: Was) -> Any:
        db = was.db("@mymongo")
        db.insert([dict(city) for city in CITIES]).commit()
        return db.find({"city": "Seoul"}).one()["n"]

    assert run(use) == 2

    @app.route("/one")
    def one(was: Was, city: str) -> str:
        return str(was.db("@mymongo").find({"city": city}).one()["n"])

    client = app.test_client()
    assert client.get("/one?city=Nowhere").status_code == 410
    assert client.get("/one?city=New%20York").status_code == 409


def test_what_the_server_refuses(run: Run) -> None:
    def use(was: Was) -> Any:
        db = was.db("@mymongo")
        db.insert({"_id": 1}).commit()
        return [
            task.dispatch().error
            for task in (
                db.insert({"_id": 1, "secret": "hidden"}),
                db.find({"$no_such_operator": "hidden"}),
                db.no_such_method(),
                db.update({}, {"not an operator": 1}),
            )
        ]

    doubled, unknown, missing, malformed = run(use)
    assert isinstance(doubled, DataConflict)
    assert doubled.code == 409
    assert isinstance(unknown, DatabaseError)
    assert isinstance(missing, AttributeError)
    assert isinstance(malformed, ValueError)
    assert "hidden" not in f"{doubled}{unknown}"


def test_a_server_that_is_not_there(app: Atila, run: Run) -> None:
    app.alias("@gone", DB_MONGODB, ["me:s3cret@127.0.0.1:1/test/c"], connect_timeout=0.1)
    result = run(lambda was: was.db("@gone").find({}).dispatch())
    assert result.status == STA_NETERR
    assert isinstance(result.error, Unreachable)
    assert "s3cret" not in f"{result.error!r} {result!r}"


@pytest.mark.parametrize("member", ["localhost", "localhost/", "localhost/a/b/c"])
def test_a_member_without_a_collection(app: Atila, member: str) -> None:
    with pytest.raises(SetupError, match="names no collection"):
        app.alias("@bare", DB_MONGODB, member)


def test_what_is_read_is_json(run: Run) -> None:
    def use(was: Was) -> Any:
        db = was.db("@mymongo")
        db.insert({"n": 2**62, "price": Decimal128("1.10"), "raw": b"\x00\xff"}).commit()
        return db.find({}).fetch()

    (found,) = run(use)
    told = json.loads(json.dumps(found))
    assert told == {"_id": str(found["_id"]), "n": 2**62, "price": "1.10", "raw": "AP8="}


@pytest.mark.parametrize(
    "document", [{"n": 2**63}, {"a": [{"n": -(2**70)}]}, {"a": "\ud800"}, {"a\0b": 1}]
)
def test_values_that_do_not_fit(run: Run, document: dict[str, Any]) -> None:
    def use(was: Was) -> Any:
        db = was.db("@mymongo")
        tasks = [db.insert(document), db.find(document), db.update({}, {"$set": document})]
        errors = [task.dispatch().error for task in tasks]
        db.insert({"n": 1}).commit()
        return errors

    for error in run(use):
        assert isinstance(error, DataError), repr(error)
        assert error.code == 400
        assert str(2**63) not in str(error)


def test_values_that_no_document_has(run: Run) -> None:
    error = run(lambda was: was.db("@mymongo").insert({"a": object()}).dispatch().error)
    assert type(error) is DatabaseError
