def __setup__(app, mntopt):
    from . import sub, sub2

    app.mount("/sub", sub)
    app.mount("/sub2", sub2)


def __mount__(app, mntopt):
    @app.route("/")
    def index(was):
        return was.render("index.j2")
