"""Django (WSGI) with psycopg and its pool, and statements as they are: without models."""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

from benchmarks.apps.database.stock import CONNECTIONS, DSN, FEW, LOW, ROW, SUMMARY, UP_TO

_server = urlsplit(DSN)

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    ROOT_URLCONF=__name__,
    SECRET_KEY="benchmark",
    USE_I18N=False,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": _server.hostname,
            "PORT": _server.port,
            "USER": unquote(_server.username or ""),
            "PASSWORD": unquote(_server.password or ""),
            "NAME": _server.path[1:],
            "OPTIONS": {"pool": {"min_size": CONNECTIONS, "max_size": CONNECTIONS}},
        }
    },
)


def _rows(statement: str, value: int) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("$1", "%s"), [value])
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def row(request: HttpRequest, number: int) -> JsonResponse:
    return JsonResponse(_rows(ROW, number)[0])


def two(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"low": _rows(LOW, FEW), "summary": _rows(SUMMARY, UP_TO)[0]})


urlpatterns: list[Any] = [path("row/<int:number>", row), path("two", two)]

app = get_wsgi_application()
