"""Several apps, one extended and one overridden, as the specification's overview has them."""

import os

import base
import custom
import myapp
import shop
import skitai
import tfserver

if __name__ == "__main__":
    with skitai.preference() as pref:
        skitai.mount("/tf", tfserver, pref, name="tfserver")
    with skitai.preference() as pref:
        pref.extends(base)
        pref.owner = "me"
        pref.config.COLOR = "red"
        skitai.mount("/", myapp, pref, subscribe=["tfserver"])
    with skitai.preference() as pref:
        pref.set_media("/media", os.environ["ATILA_BOARD"] + "/media")
        pref.set_static("/assets")  # Skitai wants the URL before it takes folders.
        pref.overrides(custom)
        pref.layers = {"ws": None}
        skitai.mount("/shop", shop, pref)
    with skitai.preference() as pref:
        skitai.mount("/", tfserver, pref, name="second", host="example.com .example.org")
    skitai.run(port=5000, name="overview")
