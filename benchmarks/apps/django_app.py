"""Django (WSGI), without database and middleware, as a site that needs neither would have it."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path

from benchmarks.apps.payload import GREETING, ITEMS, ROWS, TITLE, posts_line

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    ROOT_URLCONF=__name__,
    SECRET_KEY="benchmark",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [Path(__file__).parent / "templates"],
        }
    ],
    USE_I18N=False,
)


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse(GREETING, content_type="text/plain")


def posts(request: HttpRequest, user_id: int) -> HttpResponse:
    line = posts_line(user_id, int(request.GET["limit"]), request.GET["q"])
    return HttpResponse(line, content_type="text/plain")


def items(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"message": GREETING, "items": ITEMS})


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html", {"title": TITLE, "rows": ROWS})


urlpatterns: list[Any] = [
    path("plain", plain),
    path("users/<int:user_id>/posts", posts),
    path("json", items),
    path("page", page),
]

app = get_wsgi_application()
