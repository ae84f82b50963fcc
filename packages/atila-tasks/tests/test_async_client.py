"""Tasks and coroutines under `app.async_test_client()`, on the loop of the test."""

import asyncio
import threading

from atila.testing.waits import PATIENCE


def test_tasks_and_coroutines(app):
    opened = threading.Event()

    def wait(word):
        assert opened.wait(PATIENCE)
        return word

    @app.route("/coroutine", coroutine=True)
    def coroutine(was):
        task = yield was.Thread(wait, args=("coroutine",))
        return task.fetch()

    @app.route("/returned")
    def returned(was):
        return was.Thread(wait, args=("returned",)).then(lambda was, task: task.fetch())

    @app.route("/blocking")
    def blocking(was):
        return was.Thread(wait, args=("blocking",)).fetch()

    @app.route("/async")
    async def asynchronous(was):
        task = await was.Thread(wait, args=("async",))
        return f"{task.fetch()} {id(asyncio.get_running_loop())}"

    async def test():
        async with asyncio.timeout(PATIENCE), app.async_test_client() as client:
            paths = ("/coroutine", "/returned", "/blocking", "/async")
            asking = [asyncio.create_task(client.get(path)) for path in paths]
            await asyncio.sleep(0)
            assert not any(each.done() for each in asking)
            opened.set()
            own = id(asyncio.get_running_loop())
            return own, [(await each).text for each in asking]

    own, texts = asyncio.run(test())
    assert texts == ["coroutine", "returned", "blocking", f"async {own}"]
