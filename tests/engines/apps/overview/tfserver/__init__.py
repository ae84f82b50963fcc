"""An app that emits what others subscribe to."""

from atila import Atila


def __app__():
    return Atila(__name__)


def __mount__(app, mntopt):
    @app.route("/")
    def index(was):
        was.g["LOADED_MODELS"] = ["a", "b"]
        return f"{mntopt['name']} at {mntopt['point']}"

    @app.route("/reload/<name>")
    def reload(was, name):
        app.emit("tfserver:model-reloaded", name)
        return "reloaded"
