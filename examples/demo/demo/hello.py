"""A plain function."""

from demo.site import app


@app.route("/hello", methods=["GET"])  # By a form, and
@app.route("/hello/<name>", methods=["GET"])  # by a link.
def hello(was, name: str, greeting: str = "Hello"):
    return was.render("hello.j2", name=name, greeting=greeting)
