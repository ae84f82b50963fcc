"""The app at the root."""

import os

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])


def __config__(pref):
    pref.set_static("/", skitai.abspath("myapp/static"))


def __app__():
    return Atila(__name__)


def __setup__(app, mntopt):
    @app.on("tfserver:model-reloaded")
    def on_tfserver_model_reloaded(was, model_name):
        board.note(f"reloaded-{model_name}-{was.app is app}")


def __mount__(app, mntopt):
    @app.route("/")
    def index(was):
        return "|".join(was.g.get("LOADED_MODELS", ["none"]))

    @app.route("/other")
    def other(was):
        app = was.apps["tfserver"]
        return f"{app.import_name} {was.urlfor('tfserver:reload', 'x')}"

    @app.route("/both")
    def both(was):
        return was.render("both.j2", x=1)

    @app.route("/preferred")
    def preferred(was):
        return was.API(
            owner=app.owner, color=app.config.COLOR, size=app.config.SIZE, static=app.STATIC_URL
        )
