"""What goes before the app."""


def __mount__(app):
    @app.route("/ranked")
    def ranked(was):
        return "over"
