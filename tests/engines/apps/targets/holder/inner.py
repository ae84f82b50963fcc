import skitai

from atila import Atila


def __config__(pref):
    pref.greeting = "configured"


def __app__():
    return Atila(__name__)


def __setup__(app, mntopt):
    @app.before_mount
    def before_mount(was):
        app.g["order"] = ["before_mount"]

    assert skitai.was.app is app


def __mount__(app, mntopt):
    app.g["order"].append("mount")
    skitai.was.g["mounted"] = True

    @app.before_mount
    def before_mount(was):
        app.g["order"].append("before_mount in __mount__")

    @app.mounted
    def mounted(was):
        app.g["order"].append("mounted")

    @app.route("/")
    def index(was, **fields):
        return was.API(
            greeting=app.greeting,
            limit=app.config.MAX_FIELDS,
            name=mntopt["name"],
            apps=sorted(was.apps),
            order=app.g["order"],
            same=skitai.was.request is was.request and skitai.was.app is app,
        )
