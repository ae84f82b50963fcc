"""Django's models with tasks for queries: `from atila.patches.djangopatch import Model`.

The tables are Django's, with its migrations, its validation and its admin; the statements are those
of `was.db`, so that nothing blocks a thread:

    User.get(uid="hans").execute()
    User.add({"uid": "hans", "email": "hans@example.com"}).returning("*").execute()
    User.set({"nick_name": "Hans"}, uid="hans").execute()
    User.remove(uid="hans").execute()
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, router
from django.utils import timezone
from sqlphile.d import D
from sqlphile.model import AbstractModel
from sqlphile.q import _Q
from sqlphile.sql import SQL

from atila import HTTPError, SetupError, current
from atila_tasks.upstream.aliases import Alias, alias, known
from atila_tasks.upstream.interfaces import DB_PGSQL, DB_SQLITE3

_KINDS = {"postgresql": DB_PGSQL, "postgis": DB_PGSQL, "sqlite3": DB_SQLITE3}
_naming = threading.Lock()


class Model(AbstractModel, models.Model):  # type: ignore[misc]  # sqlphile has no types
    """A model whose queries are tasks. Its subclasses are models of Django like any other.

    `get`, `add`, `set` and `remove` give statements of `was.db`, to be executed within a request:
    `Model.get(uid=1).limit(10).execute()`. A filter that is None says nothing, but at least one of
    those that `set` and `remove` are given has to say something.
    """

    class Meta:
        abstract = True

    @classmethod
    def db(cls) -> Any:
        """The database of this model, as `was.db(…)` gives it.

        The alias is that of the setting ATILA_ALIASES, {"default": "@mypg"}, or made of DATABASES.

        Raises:
            RuntimeError: no request is being processed.
            SetupError: the database is neither PostgreSQL nor SQLite.
        """
        was = current.get(None)
        if was is None:
            raise RuntimeError(
                f"{cls.__name__} makes tasks of a request, and there is none here; use"
                f" {cls.__name__}.objects, which waits"
            )
        return was.db(_alias_of(router.db_for_write(cls)))

    @classmethod
    def get_table_name(cls) -> str:
        return str(cls._meta.db_table)

    @classmethod
    def get_columns(cls) -> list[str]:
        return [field.column for field in cls._meta.concrete_fields]

    @classmethod
    def get_pk(cls) -> str:
        return str(cls._meta.pk.column)

    @classmethod
    def get_fks(cls) -> dict[str, tuple[str, Any]]:
        return {
            field.name: (field.column, field.related_model)
            for field in cls._meta.concrete_fields
            if field.is_relation
        }

    @classmethod
    def _check_pk(cls, Qs: tuple[Any, ...], filters: dict[str, Any]) -> Any:
        """Filters with values of the fields' types; a value by position is the primary key's."""
        if Qs and not isinstance(Qs[0], _Q):
            filters = {cls._meta.pk.name: Qs[0], **filters}
            Qs = Qs[1:]
        fields = _fields_of(cls)
        return Qs, {
            name: _converted(fields[name], value) if name in fields else value
            for name, value in filters.items()
        }

    @classmethod
    def validate(cls, payload: Mapping[str, Any], create: bool = False) -> dict[str, Any]:
        """The columns to write from a client's data.

        Args:
            payload: values by the names of fields or columns.
            create: whether a row is added, so that missing fields get defaults or raise the error.

        Raises:
            HTTPError: 400, a field is missing or invalid; it names the field.
        """
        fields = _fields_of(cls)
        columns: dict[str, Any] = {}
        for name, value in payload.items():
            field = fields.get(name)
            if field is None:
                if "__" not in name:  # "table__column" of a join is sqlphile's.
                    raise _refusal(name, "is no field")
                columns[name] = value
            elif _sets_itself(field) or (field.primary_key and not create):
                raise _refusal(name, "cannot be set")
            else:
                columns[field.column] = _cleaned(field, value)
        now = timezone.now()
        for field in cls._meta.concrete_fields:
            if _is_time(field, "auto_now") or (create and _is_time(field, "auto_now_add")):
                columns[field.column] = field.to_python(now)
            elif create and field.column not in columns and not _sets_itself(field):
                columns[field.column] = _default_of(field)
        return columns


def _fields_of(model: Any) -> dict[str, Any]:
    """The fields of a model by all of their names."""
    fields: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        for name in (field.column, field.attname, field.name):
            fields[name] = field
    if "pk" not in fields:
        fields["pk"] = model._meta.pk
    return fields


def _sets_itself(field: Any) -> bool:
    return (
        isinstance(field, models.AutoField | models.GeneratedField)
        or _is_time(field, "auto_now")
        or _is_time(field, "auto_now_add")
    )


def _is_time(field: Any, when: str) -> bool:
    return bool(getattr(field, when, False))


def _refusal(name: str, problem: str) -> HTTPError:
    return HTTPError(400, f"field {name!r} {problem}")


def _converted(field: Any, value: Any) -> Any:
    """A value in the column's type; statements, and the tests of null, are unchanged."""
    if value is None or isinstance(value, SQL | D | _Q):
        return value
    if field.is_relation:
        return _converted(field.target_field, getattr(value, "pk", value))
    try:
        return field.get_prep_value(field.to_python(value))
    except ValidationError as error:
        raise _refusal(field.name, "; ".join(error.messages)) from None


def _cleaned(field: Any, value: Any) -> Any:
    """A value that the field takes, as the column has it."""
    if isinstance(value, SQL | D):
        return value
    if field.is_relation:
        # Whether the other row is there the database says; asking it here would block.
        if value is None and not field.null:
            raise _refusal(field.name, "This field cannot be null.")
        return _converted(field, value)
    if value is None and field.null:
        return None
    if isinstance(value, dict | list) and isinstance(field, models.CharField | models.TextField):
        # Django would take Python's notation of it for the text.
        raise _refusal(field.name, "must be text")
    try:
        return field.get_prep_value(field.clean(value, None))
    except ValidationError as error:
        raise _refusal(field.name, "; ".join(error.messages)) from None


def _default_of(field: Any) -> Any:
    if field.has_default():
        return field.get_prep_value(field.get_default())
    if field.null:
        return None
    if field.blank and field.empty_strings_allowed:
        return ""
    raise _refusal(field.name, "is missing")


def _alias_of(using: str) -> str:
    """The name of the alias for a database of Django's settings."""
    named = getattr(settings, "ATILA_ALIASES", {}).get(using)
    if named is not None:
        return str(named)
    name = f"@django.{using}"
    with _naming:
        if known(name) is None:
            _make_alias(name, using)
    return name


def _make_alias(name: str, using: str) -> Alias:
    database = settings.DATABASES[using]
    engine = str(database["ENGINE"]).rpartition(".")[2]
    kind = _KINDS.get(engine)
    if kind is None:
        raise SetupError(
            f"the database {using!r} of Django is {engine}; tasks are for PostgreSQL and SQLite"
        )
    if kind == DB_SQLITE3:
        return alias(name, kind, str(database["NAME"]))
    user = quote(database.get("USER") or "", safe="")
    password = quote(database.get("PASSWORD") or "", safe="")
    credentials = f"{user}:{password}@" if user else ""
    port = f":{database['PORT']}" if database.get("PORT") else ""
    host = database.get("HOST") or "localhost"
    return alias(name, kind, f"{credentials}{host}{port}/{database['NAME']}")
