"""Atila at the root, Django's admin at /admin; both know the same tables."""

# ruff: noqa: E402 - Django is told of its settings before it is imported

import os
import sys
from pathlib import Path

import skitai

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from django.contrib import admin
from firebase_vue.models import BLOCKS, UserLog
from support.specified import run

from atila import Atila

app = Atila(__name__)
UserService = run(BLOCKS["django: services"], {"__name__": "services"})["UserService"]


@app.route("/")
def index(was):
    return "ready"


@app.route("/users/<uid>", methods=["GET"])
def get(was, uid):
    return was.API(user=UserService.get(uid).one())


@app.route("/users/<uid>", methods=["POST"])
def add(was, uid, **payload):
    return was.API("201 Created", user=UserService.add(uid, payload).one())


@app.route("/users/<uid>", methods=["PATCH"], coroutine=True)
def change(was, uid, **payload):
    payload.pop("uid", None)
    task = yield UserService.set(uid, payload)
    return was.API(user=task.one())


@app.route("/users/<uid>", methods=["DELETE"])
async def delete(was, uid):
    (await UserService.delete(uid)).commit()
    return was.response("204 No Content")


@app.route("/users/<uid>/logs", methods=["POST"])
def log(was, uid, action):
    row = UserLog.add({"user": UserService.get(uid).one().id, "action": action, "note": {"a": [1]}})
    return was.API(log=row.returning("*").execute().one())


@app.route("/logs/<int:user>")
def logs(was, user):
    return was.API(logs=UserLog.get(user=user).execute().fetch())


@app.route("/by-id/<id>")
def by_id(was, id):
    from firebase_vue.models import User

    return was.API(user=User.get(id).execute().one())


if __name__ == "__main__":
    with skitai.preference() as pref:
        static = Path(admin.__file__).parent / "static"
        pref.set_static("/static", str(static))
        skitai.mount("/", app, pref)
    skitai.mount("/admin", application)
    skitai.run(port=5000, name="django-site")
