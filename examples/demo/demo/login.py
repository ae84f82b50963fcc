"""Login: a page that asks for it, one that needs it, and the session between them."""

import os

from atila_auth import hash_password, verify_password
from demo.site import app

ACCOUNTS = {"ada": hash_password(os.environ.get("DEMO_PASSWORD", "analytical engine"))}

app.login_page = "login"  # Visitors are sent there, and then back.


@app.permission_handler
def permit(was, permissions):
    was.request.user = was.session.get("user")


@app.route("/account", methods=["GET"])
@app.login_required
def account(was):
    return was.render("account.j2", user=was.request.user)


@app.route("/login", methods=["GET"])
def login(was):
    return was.render("login.j2", wrong=False)


@app.route("/login", methods=["POST"])
@app.csrf_verification_required
def log_in(was, name: str, password: str):
    if not verify_password(password, ACCOUNTS.get(name)):
        return was.render("login.j2", wrong=True), 403
    was.session.rotate()
    was.session["user"] = name
    return was.redirect(was.after_login("/account"), "303 See Other")


@app.route("/logout", methods=["POST"])
@app.csrf_verification_required
def log_out(was):
    was.session.expire()
    return was.redirect("/#login", "303 See Other")
