def __mount__(app, mntopt):
    @app.route("/extra")
    def extra(was):
        return f"extra of {app.greeting}"
