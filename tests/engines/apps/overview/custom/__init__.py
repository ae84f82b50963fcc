"""What is put over the shop."""


def __mount__(app):
    @app.route("/shelf", methods=["GET"])
    def shelf(was):
        return "shelf of custom, " + was.render("shelf.j2")

    @app.route("/new")
    def new(was):
        return "new"
