"""What crosses the border: parameters, headers, bodies and answers."""

import json

import skitai

from atila import Atila

app = Atila(__name__)


@app.route("/")
def index(was):
    return "ready"


# Names of parameters ------------------------------------------------------------------------------


@app.route("/anything")
def anything(was, **data):
    return json.dumps(data)


@app.route("/named-otherwise")
def named_otherwise(context, **data):
    return json.dumps(data)


@app.route("/by-position")
def by_position(was, /, **data):
    return json.dumps(data)


@app.route("/nothing-else")
def nothing_else(was, a="1"):
    return json.dumps(a)


@app.route("/coroutine", coroutine=True)
def coroutine(was, **data):
    yield was.Mask(None)
    return json.dumps(data)


@app.route("/async")
async def in_async(was, **data):
    return json.dumps(data)


@app.route("/chatty")
@app.websocket(skitai.WS_CHATTY, 60)
def chatty(was, **data):
    while True:
        message = yield
        if not message:
            break
        yield json.dumps(data)


# Parameters of the rule ---------------------------------------------------------------------------


@app.route("/users/<int:id>")
def user(was, id=None, **data):
    return json.dumps([id, was.request.PARAMS, was.request.args.get("id"), data])


@app.route("/prices/<float:price>")
def price(was, price):
    return json.dumps(price)


@app.route("/names/<name>")
def named(was, name):
    return json.dumps(name)


@app.route("/unbound/<int:id>")
def unbound(was, id):
    return json.dumps(was.request.args["id"])
