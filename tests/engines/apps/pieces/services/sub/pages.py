def __mount__(app, mntopt):
    @app.route("/pages/toc/<int:chapter>")
    def toc(was, chapter):
        return f"Page TOC Chapter {chapter}"
