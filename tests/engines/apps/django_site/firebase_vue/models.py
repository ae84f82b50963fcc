"""The model of the specification, word for word, and the log that its service refers to."""

from pathlib import Path

from django.db import models
from support.specified import blocks

from atila.patches.djangopatch import Model

BLOCKS = blocks(Path(__file__).parents[3] / "blocks.txt")
exec(compile(BLOCKS["django: models"], "block of the specification", "exec"))


class UserLog(Model):
    user = models.ForeignKey("User", on_delete=models.DO_NOTHING, db_constraint=False)
    action = models.CharField(max_length=16)
    at = models.DateTimeField(auto_now_add=True)
    note = models.JSONField(null=True, blank=True)
