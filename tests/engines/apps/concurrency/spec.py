"""The examples of the specification, as they stand; what they leave open comes before them."""

import math
import os
import random
import time

import skitai
from sqlphile import Q
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])

# What the examples leave open.

arg1, arg2 = 9, 2
my_func = math.pow


def some_sync_task():
    time.sleep(0.01)


def some_synchronous_task():
    return "synchronous"


def repond(was, task):
    return was.API(result=task.fetch(), a=task.meta.get("a"))


respond = repond


class Producer:
    left = 3

    def get(self, n):
        # The specification's goes on for ever.
        self.left -= 1
        return [random.randrange(1000) for _ in range(n)] if self.left >= 0 else []


def producing(producer):
    def produce(queue):
        while 1:
            items = producer.get(100)
            if not items:
                queue.put(None)  # end of stream
                break
            queue.put(str(items))

    return produce


def hide_password(rows):
    for row in rows:
        row.password = "****"
    return rows


fetch_count = 2


def mount(app: Atila) -> None:
    """Add the routes to an app."""
    app.alias("@mydb", skitai.DB_SQLITE3, [str(board.folder / "mydb.sqlite3")])

    @app.route("/spec/prepare")
    def prepare(was):
        db = was.db("@mydb")
        for line in (
            "create table foo (id integer, from_wallet_id int, detail text, created_at text)",
            "insert into foo values (1, 8, '', '2026'), (2, 9, 'ReturnTx', '2027'), (3, 9, '', '')",
            "create table city (name text)",
            "create table user (name text, password text)",
            "insert into user values ('Hans', 'secret')",
            "create table tble (id integer, name text)",
            "insert into tble values (1, 'a'), (2, 'b'), (3, 'c')",
        ):
            db.execute(line).commit()
        return "prepared"

    # Using Task: Thread / Process / Subprocess

    @app.route("/spec/tasks")
    def tasks(was):
        task = was.Thread(my_func, arg1, arg2)
        thread = task
        task = was.Process(my_func, arg1, arg2)
        process = task
        task = was.Subprocess("top -n1", timeout=3)
        # It wants a terminal, so it may fail, but always in time.
        outcome = task.dispatch()
        return was.API(thread=thread.fetch(), process=process.fetch(), top=outcome.status)

    # Mask

    @app.route("/spec/mask")
    def mask(was):
        task = was.Mask(1)
        result = task.fetch()  # 1
        tasks = was.Mask([1, 2])
        result1, result2 = tasks.fetch()  # 1, 2
        return was.API(results=[result, result1, result2])

    # Tasks

    @app.route("/spec/tasks/list")
    def several(was):
        task1 = was.Mask("db")
        task2 = was.Mask("stub")
        task3 = was.Process(my_func, arg1, arg2)

        tasks = was.Tasks([task1, task2, task3])
        a, b, c = tasks.fetch()  # got 3 results
        return was.API(results=[a, b, c])

    @app.route("/spec/tasks/dict")
    def named(was):
        db = was.db("@mydb")
        tasks = was.Tasks(
            db.insert("city").set(name="Hans").execute(),
            files=was.Subprocess("ls /var/log", filter=lambda x: x.replace(" ", "_")),
            result=was.db("@mydb", filter=hide_password).execute("select * from user"),
        )
        results = tasks.fetch()
        results["files"]
        results["result"]
        return was.API(results)

    # Generator Based Coroutine

    @app.route("/coroutine/2", coroutine=True)
    def coroutine2(was):
        with was.stub("http://" + was.request.get_header("host")) as stub:
            task = yield stub.get("/")
        return task.fetch()

    @app.route("/coroutine", coroutine=True)
    def coroutine(was):
        def wait_hello(timeout=1.0):
            time.sleep(timeout)
            return "mask"

        # do sync tasks in thread
        some_sync_task()

        # swith to async event loop in main thread
        tasks = yield was.Tasks(a=was.Mask("Example Domain"), b=was.Thread(wait_hello, args=(0.1,)))
        task3 = yield was.Thread(wait_hello, args=(0.1,))
        task4 = yield was.Subprocess("ls")

        # finally
        return was.API(d=task4.fetch(), c=task3.fetch(), **tasks.fetch())

    @app.route("/async")
    async def asynchronous(was):
        tasks = await was.Tasks(a=was.Process(math.sqrt, 16), b=was.Subprocess(["echo", "b"]))
        task = await was.Thread(str, 3)
        return was.API(c=task.fetch(), **tasks.fetch())

    # ThreadPass

    @app.route("/thread_future", methods=["GET"])
    def thread_future_respond(was):
        def respond(was, a):
            a = some_synchronous_task()
            # you can make corequest
            was.db("@mydb").execute("select * from user").commit()
            return was.API(result=a)

        return was.ThreadPass(respond, args=(4.0,))

    # Threaded Data Streaming

    @app.route("/threaproducer")
    def threaproducer(was):
        return was.Queue(producing(Producer()))

    # Coroutine: Task / Tasks

    @app.route("/then/db")
    def foo(was):
        task = was.db("@mydb").execute("select * from tble")
        return task.then(repond)

    @app.route("/then/process")
    def then_process(was):
        return was.Process(math.sqrt, args=(4.0,), meta={"a": 1}).then(respond)

    @app.route("/then/thread")
    def then_thread(was):
        def sqrt(a):
            return math.sqrt(a)

        return was.Thread(sqrt, args=(4.0,)).then(respond)

    @app.route("/then/tasks")
    def then_tasks(was):
        return was.Tasks(a=was.Mask(1), b=was.Subprocess("echo b")).then(respond)

    # Map

    @app.route("/datalist")
    def datalist(was):
        task = was.db("@mydb").execute("select * from tble")
        return was.Map(result=task)

    @app.route("/bench/sp", methods=["GET"])
    def bench_sp(was):
        with was.db("@mydb") as db:
            root = (
                db.select("foo")
                .order_by("-created_at")
                .limit(10)
                .filter(Q(from_wallet_id=8) | Q(detail="ReturnTx"))
            )

            return was.Map(
                was.Thread(time.sleep, args=(0.3,)),  # no need map
                files=was.Subprocess("ls /var/log"),
                result=root.clone().execute(),
                record_count__one=root.clone().aggregate("count (id) as cnt").execute(),
            )

    @app.route("/map/names")
    def names(was):
        return was.Map(
            page=1,
            nested=[was.Thread(str, 1), {"deep": was.Mask([5, 6]), "value": None}],
            a__one__cnt=was.Mask([{"cnt": 7}]),
            g__fetch__1=was.Thread(list, "ab"),
        )

    @app.route("/map/filter")
    def filtered(was):
        return was.Map(
            files=was.Subprocess("ls /var/log", filter=lambda x: x.replace(" ", "_")),
            result=was.db("@mydb", filter=hide_password).execute("select * from user"),
        )

    @app.route("/map/created")
    def created(was):
        return was.Map("201 Created", id=was.Thread(int, "7"))

    @app.route("/map/none")
    def none(was):
        return was.Map(one__one=was.Mask([]))

    @app.route("/render_or_map")
    def page_or_map(was):
        return was.render_or_Map("index.j2", result=was.Thread(str, "<data>"))

    # Mapped

    @app.route("/mapped")
    def mapped(was):
        tasks = was.Tasks(
            files=was.Subprocess("ls /var/log", filter=lambda x: x.replace(" ", "_")),
            result=was.db("@mydb", filter=hide_password).execute("select * from user"),
        )
        return was.Mapped(tasks)

    @app.route("/render_or_mapped")
    def page_or_mapped(was):
        tasks = was.Tasks(result=was.Thread(str, "<data>"))
        return was.render_or_Mapped("index.j2", tasks)

    # Coroutine Streaming

    @app.route("/download_csv", coroutine=True)
    def download_csv(was):
        yield "ID, NAME\n"
        current_id = 0
        while 1:
            task = yield (
                was.db("@mydb")
                .select("tble")
                .get("id, name")
                .filter(id__gt=current_id)
                .limit(fetch_count)
            ).execute()
            rows = task.fetch()
            if not rows:
                break
            current_id += fetch_count
            yield "\n".join([f'{row.id}, "{row.name}"' for row in rows])

    # Bidirectional Streaming

    @app.route("/bistreaming", methods=["POST"], coroutine=True, input_stream=True)
    def coroutine_streaming(was):
        while 1:
            data = yield was.Input(16184)
            if not data:
                break
            yield b":" + data
