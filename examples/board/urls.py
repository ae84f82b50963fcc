"""Django answers below /admin, where it is mounted."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("", admin.site.urls)]
