"""Inspected parameters, as the specification writes them."""

import re
from datetime import datetime as dt

from atila import Atila

app = Atila(__name__)


@app.route("/")
def index(was):
    return "ready"


@app.route("/profiles/<int:id>", methods=["GET"])
@app.inspect(ints=["id"], booleans=["detail"])
def profile(was, id=None, detail=False):
    return repr([id, detail])


@app.route("/people", methods=["GET", "POST"])
@app.inspect(
    strings=["name"],
    emails=["email"],
    uuids=["key"],
    floats=["height"],
    lists=["tags"],
    nones=["gender", "birth_year"],
    notags=["title"],
    safes=["resume"],
    manyof=["email", "mobile"],
    birth_year=int,
    mobile=re.compile("[0-9]{3}-[0-9]{3}-[0-9]{4}"),
    birth_year__between=(1900, dt.now().year),
    gender__in=["male", "female", "not-determine"],
    name__len__lte=64,
    name__len__gt=3,
)
def person(was, **DATA):
    assert was.request.args == DATA
    return repr(DATA)


@app.inspect("JSON", ints=["order___lines__0___count"], order___lines__0___count__gte=1)
@app.route("/orders", methods=["POST"])
async def order(was, order):
    return repr(order)


@app.route("/old", methods=["POST"])
@app.require("FORM", ints=["offset"])
def old(was, offset=0):
    return repr(offset)
