"""`atila serve --engine skitai`: like `python serve.py`, and for an app in a module too."""

from __future__ import annotations

import sys

from atila.launch import script


def serve(settings: script.Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    target = settings.target
    is_script = target.endswith(".py")
    switches = [f"--port={settings.port}", f"--workers={settings.workers}"]
    if settings.threads:
        switches.append(f"--threads={settings.threads}")
    # Skitai reads them when it is imported, and names its data folder after the script.
    sys.argv = [target if is_script else target.replace(":", "."), *switches]
    script.overrides["address"] = settings.host
    if settings.tls:
        script.overrides.update(settings.tls.options())
    script.source = target
    if is_script:
        script.run_script(target)
        return
    app = script.load_app(target)
    import skitai

    skitai.mount("/", app)
    skitai.run()
