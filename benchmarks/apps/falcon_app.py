"""Falcon (WSGI): one resource class per path."""

import falcon

from benchmarks.apps.payload import GREETING, ITEMS, posts_line


class Plain:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = GREETING


class Posts:
    def on_get(self, req: falcon.Request, resp: falcon.Response, user_id: int) -> None:
        limit = req.get_param_as_int("limit", required=True)
        query = req.get_param("q", required=True)
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = posts_line(user_id, limit, query)


class Items:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.media = {"message": GREETING, "items": ITEMS}


app = falcon.App()
app.add_route("/plain", Plain())
app.add_route("/users/{user_id:int}/posts", Posts())
app.add_route("/json", Items())
