"""A package with services of its own, that another overrides."""

import os

import skitai

from atila import Atila


def __config__(pref):
    pref.set_static("/assets", skitai.abspath("shop/static"))


def __app__():
    return Atila(__name__)


def __mount__(app):
    @app.route("/shelf")
    def shelf(was):
        return "shelf of shop"

    @app.route("/shop")
    def shop(was):
        return was.API(
            page=was.render("shop.j2"),
            layers=sorted(app.layers),
            static=was.static("shelf.txt"),
            media=was.media("x.txt"),
            shelf=was.urlfor("shelf"),
        )

    @app.route("/media-made")
    def media_made(was):
        with open(os.path.join(app.config.MEDIA_ROOT, "x.txt"), "w") as file:
            file.write("media")
        return was.Media("x.txt")
