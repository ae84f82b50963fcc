"""Neither database nor admin nor middleware."""

ALLOWED_HOSTS = ["*"]
DEBUG = False
INSTALLED_APPS = ["django_bolt"]
ROOT_URLCONF = "benchmarks.apps.bolt.urls"
SECRET_KEY = "benchmark"
USE_I18N = False
BOLT_API = ["benchmarks.apps.bolt.api:api"]
# Its access log would be measured too.
LOGGING = {"version": 1, "disable_existing_loggers": True}
