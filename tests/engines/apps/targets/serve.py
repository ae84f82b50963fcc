"""What a launch script may mount: packages that say where their app is, paths, folders."""

import extra
import holder
import skitai
import web

if __name__ == "__main__":
    with skitai.preference() as pref:
        pref.config.MAX_FIELDS = 7
        skitai.mount("/", holder, pref)
    with skitai.preference() as pref:
        pref.greeting = "preferred"
        pref.extends(extra)
        skitai.mount("/web", web, pref)
    with skitai.preference() as pref:
        pref.greeting = "from the script"
        skitai.mount("/one", "one.py", pref)
    skitai.mount("/bare", "one.py:second")
    skitai.mount("/named", "elsewhere/shop/program", "application", name="program")
    skitai.mount("/wsgi", "elsewhere/shop/wsgi.py")
    skitai.mount("/folder", "folder")
    skitai.run(port=5000, name="targets")
