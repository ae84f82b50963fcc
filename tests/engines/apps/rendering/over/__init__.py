"""What overrides the app: its templates are used before those of the app."""


def __mount__(app, mntopt):
    @app.route("/over")
    def over(was):
        return was.render("over.j2", name="over")
