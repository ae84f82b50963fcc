"""Tasks of this machine: threads, processes, programs, and what is made of them."""

import os

import faults
import skitai
import spec

from atila import Atila

app = Atila(__name__)
app.config.TASK_PROCESSES = 2
app.config.TASK_THREADS = 4
app.config.TASK_QUEUE_SIZE = 2048
app.config.THREADS = 8
app.config.SHUTDOWN_TIMEOUT = 1.0


class Answer:
    """A value of the launch script."""

    def __init__(self, text):
        self.text = text


def in_script(number):
    """A function of the launch script, which other processes run."""
    return Answer(f"{number} {__name__} {os.getpid()}")


@app.route("/")
def index(was):
    return "ready"


@app.route("/in-script")
def of_script(was):
    return was.Process(in_script, 7).then(
        lambda was, task: was.API(
            text=task.fetch().text, own=isinstance(task.fetch(), Answer), pid=os.getpid()
        )
    )


faults.mount(app)
spec.mount(app)

if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="concurrency")
