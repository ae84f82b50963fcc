def __mount__(app, mntopt):
    @app.route("")  # /sub2/pages
    def pages(was):
        return "Pages"

    @app.route("/1")  # /sub2/pages/1
    def page1(was):
        return "Page1"
