"""Feed a parser with bytes, guided by which lines of it they reach, by atheris.

    python -m trials.guided websocket 60

`hatch run fuzz --parser websocket --guided` calls it: atheris ends its process. What crashes a
parser is written to the folder of its corpus, so that the tests have it from then on.
"""

from __future__ import annotations

import sys
from importlib import import_module

MODULES = {
    "body": ("atila.skitai.framing", "h11"),
    "interfaces": ("atila.engines", "atila.http", "atila.routing", "atila.serving"),
    "head": ("atila.skitai.channel", "h11"),
    "cookies": ("atila.http.cookies",),
    "form": ("atila.http.forms",),
    "multipart": ("atila.http.uploads", "multipart"),
    "json": ("atila.http.forms", "atila.values.json", "atila.validation"),
    "websocket": ("websockets.protocol", "websockets.frames", "atila.skitai.websocket"),
    "grpc": ("atila_render.grpc.wire",),
    "sql": ("atila_tasks.databases.sql.conditions",),
    "operators": ("atila_tasks.databases.sql.conditions",),
    "safes": ("atila.validation.html", "html.parser"),
}
"""Those whose lines are watched."""


def main() -> None:
    """Run until the time is over, or something was found: the exit code is not 0 then."""
    import atheris

    name, seconds = sys.argv[1:]
    with atheris.instrument_imports(include=list(MODULES[name])):
        for module in MODULES[name]:
            import_module(module)
    from trials.parsers import CORPUS, TARGETS, WORDS

    words = CORPUS / f"{name}.dict"
    quoted = ["".join(f"\\x{byte:02x}" for byte in word) for word in WORDS[name] if word]
    words.write_text("".join(f'"{word}"\n' for word in quoted))
    options = [f"-max_total_time={seconds}", f"-dict={words}", "-max_len=4096", "-timeout=20"]
    crashes = f"-artifact_prefix={CORPUS / name}/"
    # New inputs are kept where nothing is committed; what is in the corpus is only read.
    found = CORPUS / ".found" / name
    found.mkdir(parents=True, exist_ok=True)
    target = TARGETS[name]
    atheris.Setup([sys.argv[0], str(found), str(CORPUS / name), crashes, *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
