"""`atila serve --engine skitai`: like `python serve.py`, and for an app in a module too."""

from __future__ import annotations

import sys

from atila.errors import SetupError
from atila.launch import named, script


def serve(settings: script.Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        SetupError: Skitai cannot do what is asked for.
    """
    if settings.uds is not None:
        raise SetupError("Skitai cannot listen on a Unix socket. Mend: --engine granian")
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
    script.source, script.is_commanded = target, True
    if is_script:
        script.run_script(target)
        return
    app = named.load_app(target)
    import skitai

    skitai.mount("/", app)
    skitai.run()
