"""The model."""

from django.db import models


class Notice(models.Model):
    title = models.CharField(max_length=100)
    text = models.TextField(max_length=2000)
    written = models.DateTimeField(auto_now_add=True)
    approved = models.BooleanField(default=False)

    def __str__(self):
        return self.title
