"""An app in a file, mounted by its path."""

import helper

from atila import Atila

app = Atila(__name__)
second = Atila(__name__)


@app.route("/")
def index(was):
    return f"one, {app.greeting}, {helper.WORD}"


@second.route("/")
def another(was):
    return f"second, {helper.WORD}"
