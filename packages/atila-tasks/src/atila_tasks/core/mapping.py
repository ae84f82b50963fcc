"""`was.Map` and its kin: answers built from several tasks once all are finished.

How they are written is another layer's: `was.API`, `was.render` and `was.render_or_API`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from atila.runtime.offload import in_worker
from atila_tasks.core.group import Tasks
from atila_tasks.core.mask import mask
from atila_tasks.core.waitable import Waitable

if TYPE_CHECKING:
    from atila import Was

Status = int | str


class Mapped:
    """The result of `was.Map(…)`, for the handler to return: awaiting it gives the answer.

    Args:
        was: the request.
        tasks: the tasks to wait for.
        write: makes the answer from the data.
        status: the status of the answer; None for 200.
        blocks: whether `write` may block.
    """

    __slots__ = ("_blocks", "_status", "_tasks", "_was", "_write")

    def __init__(
        self,
        was: Was,
        tasks: Waitable,
        write: Callable[[Any], Any],
        status: Status | None,
        *,
        blocks: bool = False,
    ) -> None:
        self._blocks = blocks
        self._was = was
        self._tasks = tasks
        self._write = write
        self._status = status

    def __await__(self) -> Generator[Any, None, Any]:
        return self._respond().__await__()

    async def _respond(self) -> Any:
        tasks = await self._tasks
        data = tasks.fetch()
        if self._status is not None:
            self._was.response.set_status(self._status)
        if self._blocks:
            return await in_worker(self._was, self._write, data)
        return self._write(data)


def map(was: Was, /, *members: Any, **named: Any) -> Mapped:
    """Answer with the data of tasks: `return was.Map(result=task, count__one__cnt=other, page=1)`.

    Args:
        was: the request.
        members: a status for the answer ("201 Created", 201), if one is given, then tasks that are
            waited for, whose errors are raised, and whose data is not in the answer.
        named: tasks, and lists and dicts of tasks, by names as in `was.Tasks`; anything else is a
            value that goes into the answer as it is.

    Raises:
        MissingLayer: no layer has `was.API`.
        TypeError: one of `members` is no task.
    """
    status, members = _split(members)
    return Mapped(was, _group(was, members, named), _fields(_of_others(was).API), status)


def mapped(was: Was, /, *values: Any) -> Mapped:
    """Answer with the data of `was.Tasks`: `return was.Mapped(tasks)`.

    Args:
        was: the request.
        values: a status, if one is given, and tasks to wait for: named ones or a single one; the
            data of a list of tasks is answered as a list.

    Raises:
        MissingLayer: no layer has `was.API`.
        TypeError: the value is no task.
    """
    status, tasks = _one(values, "was.Mapped")
    return Mapped(was, tasks, _value(_of_others(was).API), status)


def render_or_map(was: Was, template: str, /, *members: Any, **named: Any) -> Mapped:
    """Answer with a page or, to clients that accept none, as `was.Map` does.

    Args:
        was: the request.
        template: the template, as for `was.render_or_API`.
        members: as in `map`.
        named: as in `map`.

    Raises:
        MissingLayer: no layer has `was.render_or_API`.
        TypeError: one of `members` is no task.
    """
    status, members = _split(members)
    write = _of_others(was).render_or_API
    group = _group(was, members, named)
    return Mapped(was, group, lambda data: write(template, **_named(data)), status, blocks=True)


def render_or_mapped(was: Was, template: str, /, *values: Any) -> Mapped:
    """Answer with a page or, to clients that accept none, as `was.Mapped` does.

    Args:
        was: the request.
        template: the template, as for `was.render_or_API`.
        values: a status, if one is given, and named tasks, or a task whose data is a dict.

    Raises:
        MissingLayer: no layer has `was.render_or_API`.
        TypeError: the value is no task, or its data has no names.
    """
    status, tasks = _one(values, "was.render_or_Mapped")
    write = _of_others(was).render_or_API

    def page(data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise TypeError(
                f"was.render_or_Mapped({template!r}, …) has no names for a {type(data).__name__}:"
                " name the tasks, was.Tasks(result=task)"
            )
        return write(template, **data)

    return Mapped(was, tasks, page, status, blocks=True)


def _of_others(was: Was) -> Any:
    # Looked up before anything is waited for: a missing layer is an error at once.
    return was


def _split(members: tuple[Any, ...]) -> tuple[Status | None, tuple[Any, ...]]:
    if members and isinstance(members[0], int | str):
        return members[0], members[1:]
    return None, members


def _one(values: tuple[Any, ...], name: str) -> tuple[Status | None, Waitable]:
    status, tasks = _split(values)
    if len(tasks) != 1 or not isinstance(tasks[0], Waitable):
        kinds = ", ".join(type(value).__name__ for value in tasks) or "nothing"
        raise TypeError(f"{name} takes a task or was.Tasks(…), not {kinds}")
    return status, tasks[0]


def _group(was: Was, members: tuple[Any, ...], named: Mapping[str, Any]) -> Tasks:
    return Tasks(was, *members, **{name: _task(was, value) for name, value in named.items()})


def _task(was: Was, value: Any) -> Waitable:
    """A value as a task, and a list or dict with tasks in it as a group of them."""
    if isinstance(value, Waitable):
        return value
    if _has_task(value):
        if isinstance(value, Mapping):
            return Tasks(was, {name: _task(was, part) for name, part in value.items()})
        return Tasks(was, [_task(was, part) for part in value])
    return mask(was, value)


def _has_task(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(isinstance(part, Waitable) or _has_task(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(isinstance(part, Waitable) or _has_task(part) for part in value)
    return False


def _fields(write: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda data: write(**_named(data))


def _value(write: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda data: write(**data) if isinstance(data, dict) else write(data)


def _named(data: Any) -> dict[str, Any]:
    # Of tasks without names there is a list, which nobody has asked for.
    return data if isinstance(data, dict) else {}
