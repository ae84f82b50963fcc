"""The page itself."""

from demo import store
from demo.parts import parts
from demo.site import app, protect


@app.route("/", methods=["GET"])
def index(was):
    return dashboard(was)


def dashboard(was, **shown):
    """The dashboard, as it is after a form was sent if anything of that is given."""
    # Answers to errors have none of the headers of before.
    protect(was)
    known = {"faults": {}, "detail": "", "typed": {}, "ordered": None, **shown}
    return was.render(
        "index.j2",
        parts=parts(),
        entries=store.entries(),
        user=was.session.get("user"),
        path=was.request.path,
        **known,
    )
