"""Several apps, by host and by mount point, on all engines."""

import skitai

from atila import Atila, Mount, Site

app = Atila("app")
shop = Atila("shop")
club = Atila("club")
admin = Atila("admin")

app.route("/")(lambda was: "app")
shop.route("/")(lambda was: f"shop {was.urlfor('club:members', 7)}")
admin.route("/")(lambda was: ", ".join(sorted(was.apps)))


@club.route("/members/<int:id>")
def members(was, id):
    return f"member {id} {was.urlfor(members, id + 1)}"


MOUNTS = [
    ("/", app, "app", "default"),
    ("/shop", shop, "shop", "default"),
    ("/club", club, "club", "example.com .example.org"),
    ("/", admin, "admin", "admin.example.net"),
]

if __name__ == "__main__":
    for point, each, name, host in MOUNTS:
        skitai.mount(point, each, name=name, host=host)
    skitai.run(port=5000, name="hosted")
else:
    # Any of the apps is the way into the site that it is in.
    Site([Mount(*mount) for mount in MOUNTS])
