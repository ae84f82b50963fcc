def __mount__(app, mntopt):
    # An empty rule, so that it answers /sub; "/" would be /sub/.
    @app.route("")
    def sub(was):
        return "Sub Page"
