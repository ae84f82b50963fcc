"""One answer out of three, which are asked at once."""

import os

import cached

from atila import Atila

app = Atila(__name__)

PARTS = {"product": "@products", "stock": "@stock", "reviews": "@reviews"}
SHORT = float(os.environ.get("GATEWAY_SECONDS", "0.5"))
TIMES = {"product": 6 * SHORT, "stock": SHORT, "reviews": SHORT}
"""Seconds that each may take."""


@app.route("/products/<int:number>", methods=["GET"], coroutine=True)
def product(was, number: int):
    known = {name: cached.get(app, name, number, cached.FRESH) for name in PARTS}
    asked = [name for name in PARTS if not known[name]]
    # All at once; the handler needs no thread while they are under way.
    tasks = yield was.Tasks(
        [was.get(PARTS[name] + "/{}", number, timeout=TIMES[name]) for name in asked]
    )
    stale = []
    for name, result in zip(asked, tasks.dispatch(), strict=True):
        if result.error is None:
            known[name] = [result.data]
            cached.put(app, name, number, result.data)
        elif name == "product" and result.status_code == 404:
            raise was.Error(404, f"there is no product {number}")
        elif known_before := cached.get(app, name, number, cached.KEPT):
            known[name] = known_before
            stale.append(name)
        elif name == "product":
            raise result.error  # 502, or 504 if it was too slow.
    missing = [name for name in PARTS if not known[name]]
    parts = {name: known[name][0] if known[name] else None for name in PARTS}
    return was.API(**parts, missing=missing, stale=stale)
