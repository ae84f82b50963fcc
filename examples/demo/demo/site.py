"""The app, its settings, and what belongs to every answer."""

from atila import Atila

app = Atila("demo")
app.config.METRICS_PATH = "/metrics"
app.config.HEALTH_PATH = "/health"
app.config.OPENAPI_PATH = "/docs"
app.config.OPENAPI_INFO = {"title": "The demo", "version": "1"}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from other hosts, and no scripts or styles in the page itself."""


@app.before_request
def protect(was):
    for name, value in (
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
    ):
        was.response.set_header(name, value)
