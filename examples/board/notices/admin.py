"""What the admin shows."""

from django.contrib import admin

from notices.models import Notice


@admin.register(Notice)
class NoticeAdmin(admin.ModelAdmin):
    list_display = ("title", "written", "approved")
    list_editable = ("approved",)
    list_filter = ("approved",)
