from atila import Atila


def __app__():
    return Atila(__name__)


def __mount__(app, mntopt):
    @app.route("/")
    def index(was):
        return f"web, {app.greeting}"
