"""Of another framework."""

import sys


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"wsgi in {'atila.skitai.worker' in sys.modules}".encode()]
