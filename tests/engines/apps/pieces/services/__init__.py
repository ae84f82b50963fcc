"""The specification's example of piping."""


def __setup__(app, mntopt):
    from . import sub
    from .sub import pages

    app.mount("/", pages)
    app.mount("/sub", sub)


def __mount__(app, mntopt):
    @app.route("/")
    def home(was):
        return "home"

    @app.route("/1")
    @app.inspect(offset=int)
    def index(was, offset=1):
        return was.API(result=offset)

    @app.route("/2")
    def index2(was):
        return was.pipe(index)

    @app.route("/3")
    def index3(was):
        return was.pipe(index, offset=4)

    @app.route("/4")
    def index4(was):
        return was.pipe("index", offset="t")

    @app.route("/5")
    def index4(was):  # noqa: F811 - as the specification has it
        return was.pipe("sub.pages.toc", chapter=5)
