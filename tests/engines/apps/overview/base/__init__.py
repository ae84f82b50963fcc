"""A package of services for others to extend."""

import skitai


def __config__(pref):
    pref.set_static("/", skitai.abspath("base/static"))
    pref.config.COLOR = "blue"
    pref.config.SIZE = 7


def __mount__(app, mntopt):
    @app.route("/both")
    def both(was):
        return "both of base"

    @app.route("/base")
    def only_base(was):
        return was.render("base.j2", x=was.urlfor("both"))
