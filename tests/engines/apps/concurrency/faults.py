"""Tasks that fail, and much of everything."""

import os
import threading
import time

import work
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])


def outcome(was, task):
    result = task.dispatch()
    kind = type(result.error).__name__
    return was.API(status=result.status, data=result.data, kind=kind, error=str(result.error))


def mount(app: Atila) -> None:
    """Add the routes to an app."""

    @app.route("/process/<name>", coroutine=True)
    def process(was, name, count=None):
        func = getattr(work, name)
        task = yield was.Process(func, *(() if count is None else (int(count),)))
        if count is None:
            return outcome(was, task)
        return was.API(size=len(task.fetch()))

    @app.route("/process-waits")
    def waits(was, gate, timeout=None):
        limit = None if timeout is None else float(timeout)
        task = was.Process(work.note, str(board.folder), gate, timeout=limit)
        return task.then(outcome)

    def late_group(was, gate):
        late = was.Process(work.note, str(board.folder), gate, timeout=3600)
        options = {"meta": {"gate": gate}, "timeout": 1.0, "filter": list}
        return was.Tasks(late, was.Mask(1), **options)

    def outcomes(was, group):
        results = group.dispatch()
        return was.API(statuses=[r.status for r in results], gate=group.meta["gate"])

    @app.route("/group-late/def")
    def group_late(was, gate):
        return outcomes(was, late_group(was, gate))

    @app.route("/group-late/yield", coroutine=True)
    def group_late_yielded(was, gate):
        return outcomes(was, (yield late_group(was, gate)))

    @app.route("/group-late/async")
    async def group_late_awaited(was, gate):
        group = late_group(was, gate)
        await group
        return outcomes(was, group)

    @app.route("/process-large", methods=["POST"])
    def large(was):
        return was.Map(size=was.Process(work.size, bytes(was.request.body)))

    @app.route("/process-lambda")
    def unsendable(was):
        try:
            was.Process(lambda: 1)
        except TypeError as error:
            return was.API(error=str(error))

    @app.route("/program", methods=["POST"])
    def program(was, line, timeout=None, shell=False, limit=None):
        task = was.Subprocess(
            line,
            timeout=None if timeout is None else float(timeout),
            shell=bool(shell),
            limit=None if limit is None else int(limit),
        )
        return task.then(outcome)

    @app.route("/left-behind")
    def left_behind(was, gate, line):
        """Tasks that nobody waits for."""
        was.Process(work.note, str(board.folder), gate)
        was.Subprocess(line)
        return str(os.getpid())

    @app.route("/many")
    def many(was, kind, count):
        if kind == "thread":
            tasks = [was.Thread(abs, -number) for number in range(int(count))]
        elif kind == "sleep":
            tasks = [was.Thread(time.sleep, 0.001) for number in range(int(count))]
        elif kind == "process":
            tasks = [was.Process(abs, -number) for number in range(int(count))]
        else:
            tasks = [was.Subprocess(["echo", str(n)], filter=int) for n in range(int(count))]
        return was.Tasks(tasks).then(lambda was, tasks: was.API(sum=sum(tasks.fetch())))

    @app.route("/no-option")
    def no_option(was):
        yield was.Mask("waited for")

    @app.route("/leaving", coroutine=True)
    def leaving(was, gate, line):
        try:
            begun = was.Process(work.note, str(board.folder), gate)
            program = was.Subprocess(line)
            yield was.Tasks(begun, [program])
            board.note(f"{gate}-went-on")
        finally:
            board.note(f"{gate}-left")

    @app.route("/streaming-away", coroutine=True)
    def streaming_away(was, gate, line):
        """A stream beside which a task runs."""
        was.Subprocess(line)
        try:
            while 1:
                yield "x" * 65536
        finally:
            board.note(f"{gate}-left")

    @app.route("/nested", coroutine=True)
    def nested(was, depth):
        def down(level):
            """Each waits, in its thread, for two more, and for a process and a program."""
            if not level:
                return was.Subprocess(["echo", "1"], filter=int).fetch()
            deeper = [was.Thread(down, level - 1) for _ in range(2)]
            found = was.Tasks(tasks=deeper, one=was.Process(abs, -1)).fetch()
            return sum(found["tasks"]) + found["one"]

        task = yield was.Thread(down, int(depth))
        return was.API(sum=task.fetch())

    @app.route("/on-the-loop", coroutine=True)
    def on_the_loop(was):
        yield was.Mask(1)
        try:
            was.Thread(time.sleep, 5).fetch()
        except RuntimeError as error:
            return was.API(error=str(error))

    @app.route("/partial", coroutine=True)
    def partial(was):
        """What went well is there beside what did not."""
        tasks = yield was.Tasks(
            good=was.Thread(int, "7"),
            bad=was.Thread(int, "seven"),
            dead=was.Process(work.die),
            groups=[was.Mask(1), {"failed": was.Subprocess("false"), "echo": was.Mask("a")}],
        )
        good, bad, dead, groups = tasks.dispatch().values()
        first, second = groups
        return was.API(
            good=good.data,
            bad=str(bad.error),
            dead=str(dead.error),
            first=first.data,
            failed=str(second["failed"].error),
            echo=second["echo"].data,
        )

    @app.route("/queue/<kind>")
    def queue(was, kind, gate):
        def produce(queue):
            if kind == "refused":
                raise was.Error("409 Conflict", "nothing today")
            try:
                for number in range(1_000_000):
                    if kind == "fails" and number == 2:
                        board.pass_gate(gate)
                        raise ValueError("no third piece")
                    queue.put("x" * 65536 if kind == "endless" else f"{number}\n")
                    board.note(f"{gate}-put")
                    if kind == "short" and number == 2:
                        return
            except ConnectionError:
                board.note(f"{gate}-stopped")
                raise

        return was.Queue(produce)

    @app.route("/threads")
    def threads(was):
        return was.API(threads=threading.active_count())

    @app.finish_request
    def show(was, response):
        if was.request.args.get("show"):
            return f"{type(response).__name__}: {response}"

    @app.route("/shown/<kind>")
    def shown(was, kind, show):
        if kind == "thread":
            return was.Thread(str, "data")
        return was.Tasks(a=was.Thread(str, "data"), b=was.Mask(2))
