"""A page: a template, and what all of them show."""

from atila import Was


def page(was: Was, template: str, **shown: object) -> object:
    """The page for the user, with what a form was sent with and what is wrong in it."""
    known: dict[str, object] = {"typed": {}, "faults": {}, "detail": ""}
    return was.render(template, user=was.session.get("user"), **{**known, **shown})
