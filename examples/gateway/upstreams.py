"""Three servers in one process, which can be told to be slow or to fail."""

import asyncio
from typing import Annotated

import skitai
from msgspec import Meta, Struct

from atila import Atila, Body

app = Atila(__name__)


class Behaviour(Struct):
    delay: Annotated[float, Meta(ge=0, le=60)] = 0
    status: Annotated[int, Meta(ge=200, le=599)] = 200


behaviours = {}


@app.route("/behave", methods=["POST"])
def behave(was, wanted: Annotated[dict[str, Behaviour], Body()]):
    behaviours.clear()
    behaviours.update(wanted)
    return {"behaving": sorted(wanted)}


async def behaving(was, name):
    behaviour = behaviours.get(name, Behaviour())
    await asyncio.sleep(behaviour.delay)
    if behaviour.status != 200:
        raise was.Error(behaviour.status)


@app.route("/products/<int:number>", methods=["GET"])
async def product(was, number: int):
    await behaving(was, "products")
    if number > 99:
        raise was.Error(404)
    return {"name": f"Product {number}", "price": f"{number}.90"}


@app.route("/stock/<int:number>", methods=["GET"])
async def stock(was, number: int):
    await behaving(was, "stock")
    return {"pieces": number * 3}


@app.route("/reviews/<int:number>", methods=["GET"])
async def reviews(was, number: int):
    await behaving(was, "reviews")
    return [{"stars": 4, "text": f"Of {number} I want another."}]


@app.route("/", methods=["GET"])
def index(was):
    return "ready"


if __name__ == "__main__":
    with skitai.preference() as pref:
        skitai.mount("/", app, pref)

    skitai.run(address="127.0.0.1", port=5001, name="upstreams")
