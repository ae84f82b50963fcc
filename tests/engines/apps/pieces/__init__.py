"""A package that is mounted on an app, as the specification lays one out."""


def __setup__(app, mntopt):
    from . import services

    app.mount("/", services)


def __mount__(app):
    @app.route("/unrouted/<int:n>")
    def unrouted(was, n):
        return "never"
