"""The page itself, and the guide's pages beside it."""

from pathlib import Path

from demo import store
from demo.parts import parts
from demo.site import app, protect

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guide"


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


@app.route("/guide/<name>", methods=["GET"])
def guide(was, name: str):
    page = GUIDE / f"{name}.md"
    if page not in GUIDE.glob("*.md"):
        raise was.Error(404, f"the guide has no page {name}")
    return was.render("guide.j2", name=name, text=page.read_text("utf-8"))
