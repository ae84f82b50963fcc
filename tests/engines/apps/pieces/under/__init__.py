"""What comes after the app."""


def __mount__(app):
    @app.route("/ranked")
    def ranked(was):
        return "under"

    @app.route("/under")
    def under(was):
        return "under " + was.urlfor("ranked")
