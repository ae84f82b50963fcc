import skitai

from atila import Atila


def __config__(pref):
    # Relative to serve.py.
    pref.set_static("/", skitai.abspath("myapp/static"))


def __app__():
    return Atila(__name__)


def __setup__(app, mntopt):
    from . import services

    app.mount("/", services)


def __umount__(app):
    print("bye...")
