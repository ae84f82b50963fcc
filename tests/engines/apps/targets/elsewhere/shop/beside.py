from atila import Atila


def make():
    app = Atila("program")
    app.route("/")(lambda was: "program")
    return app
