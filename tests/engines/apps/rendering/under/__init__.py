"""What the app extends: its templates are used where the app has none."""


def __mount__(app, mntopt):
    @app.route("/under")
    def under(was):
        return was.render("under.j2", name="under")
