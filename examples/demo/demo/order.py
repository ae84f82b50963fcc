"""A typed form: the types are the whole validation."""

import datetime
import enum
from typing import Annotated

from msgspec import Meta, Struct

from demo.page import dashboard
from demo.site import app


class Meal(enum.Enum):
    LUNCH = "lunch"
    DINNER = "dinner"


class Order(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=2, max_length=40)]
    seats: Annotated[int, Meta(ge=1, le=8)]
    day: datetime.date
    meal: Meal


@app.route("/order", methods=["POST"])
def order(was, wanted: Order):
    if was.request.accepts("text/html"):
        return dashboard(was, ordered=wanted)
    return wanted


@app.error_handler(400)
def refused(was, error):
    # Each fault has its field and its reason; programs get the same as JSON.
    faults = {each["at"]: each["message"] for each in error.errors}
    return dashboard(was, faults=faults, detail=error.detail, typed=was.request.FORM)
