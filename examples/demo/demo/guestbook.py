"""A guest book in SQLite: a form, a list, and no script."""

from typing import Annotated

from msgspec import Meta

from demo import store
from demo.site import app


@app.route("/guestbook", methods=["GET"])
def guestbook(was):
    return {"entries": store.entries()}


@app.route("/guestbook", methods=["POST"])
@app.csrf_verification_required
def sign(
    was,
    signer: Annotated[str, Meta(min_length=1, max_length=40, pattern=r"\S")],
    text: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")],
):
    store.add(signer.strip(), text.strip())
    return was.redirect("/#guestbook", "303 See Other")
