"""An app that keeps things in Redis and MongoDB, as the specification's examples do."""

import os

import skitai

from atila import Atila

app = Atila(__name__)
skitai.alias("@myredis", skitai.DB_REDIS, [os.environ["ATILA_TEST_REDIS"]])
skitai.alias("@mymongo", skitai.DB_MONGODB, [os.environ["ATILA_TEST_CITIES"]])


@app.route("/")
def index(was):
    return "ready"


@app.route("/redis")
def redis(was, value):
    with was.db("@myredis") as db:
        task1 = db.set("foo", value)
        task1.commit()
        task2 = db.get("foo")
    return was.API(set=task1.fetch(), get=task2.fetch())


@app.route("/redis-coroutine", coroutine=True)
def redis_coroutine(was, n: int):
    task = yield was.db("@myredis").incrby("counted", int(n))
    return str(task.fetch())


@app.route("/mongo")
async def mongo(was, city):
    with was.db("@mymongo") as db:
        await db.insert({"city": city})
        task = await db.find({"city": city}, {"_id": 0})
    return was.API(found=task.fetch())


@app.route("/both")
def both(was):
    with was.db("@mymongo") as db:
        task1 = db.find({"city": "New York"}, {"_id": 0})
    with was.db("@myredis") as db:
        task2 = db.get("both")
    a, b = was.Tasks([task1, task2]).fetch()
    return was.API(a=a, b=b)


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="nosql")
