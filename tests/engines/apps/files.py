"""Uploads, cookies, caching and files, as the specification writes them."""

import hashlib
import json
import os
from pathlib import Path

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
home = board.folder / "files"
static, media, saved = home / "static", home / "media", home / "saved"
temporary = home / "temporary"

for folder in (static / "docs", static / ".git", media, saved, temporary):
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
(home / "secret.txt").write_text("secret")
(static / "site.css").write_text("a { color: red }")
(static / "logo.png").write_bytes(bytes(range(256)) * 4000)
(static / "empty").write_bytes(b"")
(static / "docs" / "index.html").write_text("<h1>docs</h1>")
(static / ".git" / "config").write_text("secret")
(static / ".hidden").write_text("secret")
(media / "photo.jpg").write_bytes(b"\xff\xd8photo")
for name, target in (("out", home), ("out.txt", home / "secret.txt")):
    if not (static / name).is_symlink():
        (static / name).symlink_to(target)

app = Atila(__name__)
app.config.UPLOAD_FOLDER = os.fspath(temporary)
app.config.MAX_BODY_SIZE = 3_000_000


def as_json(was, value):
    return was.response("200 OK", json.dumps(value), {"Content-Type": "application/json"})


@app.route("/")
def index(was):
    return "ready"


# Uploads ----------------------------------------------------------------------------------------


@app.route("/upload", methods=["POST"])
def upload(was, file):
    return file.save(saved, dup="o")


@app.route("/upload/<name>", methods=["POST"])
def upload_as(was, name, file, dup="u"):
    return file.save(saved / name, mkdir=True, dup=dup)


@app.route("/describe", methods=["POST"])
def describe(was, file, title="", **fields):
    digest = hashlib.sha256()
    with file.open() as opened:
        while piece := opened.read(262144):
            digest.update(piece)
    return as_json(
        was,
        {
            "title": title,
            "name": file.name,
            "size": file.size,
            "mimetype": file.mimetype,
            "ext": file.ext,
            "on_disk": Path(file.path).stat().st_size,
            "digest": digest.hexdigest(),
            "fields": len(fields),
        },
    )


@app.route("/flash", methods=["POST"])
def flash(was, file):
    return file.as_flashfile()


@app.route("/digest", methods=["POST"])
def digest(was):
    return hashlib.sha256(was.request.body).hexdigest()


@app.route("/fields", methods=["POST"])
def fields(was, **fields):
    return str(len(fields))


@app.route("/left")
def left(was):
    return as_json(was, sorted(path.name for path in temporary.iterdir()))


# Cookies ----------------------------------------------------------------------------------------


@app.route("/cookies")
def cookies(was):
    return as_json(was, dict(was.cookie))


@app.route("/cookies/set")
def set_cookies(was):
    was.cookie.set("session", "a b;c")
    was.request.cookie["plain"] = "1"
    was.cookie.set("script", "1", http_only=False, samesite="Strict")
    was.cookie.set("week", "1", 7 * 86400, path="/cookies")
    was.cookie.set("ever", "1", "never")
    was.cookie.remove("gone")
    return "set"


@app.route("/cookies/refused")
def refused_cookie(was, name, value):
    try:
        was.cookie.set(name, "1", path=value)
    except ValueError:
        return "refused"
    return "set"


# Caching ----------------------------------------------------------------------------------------


@app.route("/tagged")
def tagged(was):
    board.note("tagged-called")
    was.response.set_etag("CACHE_KEY", max_age=3600)
    board.note("tagged-made")
    return "0123456789"


@app.route("/dated")
def dated(was):
    was.response.set_mtime(784111777, max_age=60)
    return "0123456789"


@app.route("/aged")
def aged(was):
    was.response.set_max_age(3600)
    return "aged"


@app.route("/versioned", methods=["PUT"])
def versioned(was):
    was.response.set_etag("CACHE_KEY")
    board.note("versioned-put")
    return "put"


# Files ------------------------------------------------------------------------------------------


@app.route("/file")
def file(was):
    return was.File(static / "logo.png")


@app.route("/download")
def download(was):
    return was.File(os.fspath(static / "site.css"), "application/octet-stream", "stil é.css")


@app.route("/robots.txt")
def robots(was):
    return was.Static("site.css")


@app.route("/photo")
def photo(was):
    return was.Media("photo.jpg")


@app.route("/mounted")
def mounted(was):
    return was.Mounted("/static/site.css")


@app.route("/static/site.css", methods=["GET", "POST"])
def hidden_by_a_file(was):
    return "route"


@app.route("/env")
def env(was, **query):
    return as_json(was, dict(was.env))


if __name__ == "__main__":
    with skitai.preference() as pref:
        pref.set_static("/static", os.fspath(static))
        pref.set_media("/media", os.fspath(media))
        skitai.mount("/", app, pref)
    skitai.run(port=5000, name="files")
else:
    # As a server that imports the app has it.
    app.config.update(STATIC_URL="/static", STATIC_ROOT=os.fspath(static))
    app.config.update(MEDIA_URL="/media", MEDIA_ROOT=os.fspath(media))
