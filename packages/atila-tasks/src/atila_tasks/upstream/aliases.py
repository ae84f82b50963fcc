"""Aliases: names of the servers and databases that tasks call.

`skitai.alias("@mypg", skitai.DB_PGSQL, ["user:pass@localhost/mydb"])` names them for all apps of a
process, `app.alias(…)` for one app.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from atila import SetupError
from atila.errors import caller, nearest
from atila.runtime.keeping import found, kept
from atila_tasks.upstream.interfaces import find

if TYPE_CHECKING:
    from atila import Atila, Was

_NAME = re.compile(r"@[\w.-]+")
_WEIGHT = re.compile(r"(.*\S)\s+(\d+)", re.DOTALL)
_SCHEME = re.compile(r"\A[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Member:
    """One of the servers of an alias.

    Attributes:
        address: the address as written, without the weight; it may hold a password.
        weight: its share of the requests, compared with that of the others.
    """

    address: str = field(repr=False)
    weight: int = 1

    @property
    def location(self) -> str:
        """The address without user and password: "localhost:5432/mydb"."""
        return _SCHEME.sub("", self.address, count=1).rpartition("@")[2]

    @property
    def user(self) -> str:
        """The user's name; "" for none."""
        return unquote(self._credentials.partition(":")[0])

    @property
    def password(self) -> str:
        """The password; "" for none."""
        return unquote(self._credentials.partition(":")[2])

    @property
    def _credentials(self) -> str:
        return _SCHEME.sub("", self.address, count=1).rpartition("@")[0]

    @property
    def host(self) -> str:
        """The host: a name, or an address, of IPv6 without its brackets."""
        host = self._netloc
        if host.startswith("["):
            return host[1:].partition("]")[0]
        return host.partition(":")[0]

    @property
    def port(self) -> int | None:
        """The port, if it is given."""
        port = self._netloc.rpartition("]")[2].rpartition(":")[2]
        return int(port) if ":" in self._netloc.rpartition("]")[2] and port.isdecimal() else None

    @property
    def path(self) -> str:
        """The part after host and slash: "mydb"."""
        return self.location.partition("/")[2]

    @property
    def _netloc(self) -> str:
        return self.location.partition("/")[0]


@dataclass(frozen=True, slots=True, eq=False)
class Alias:
    """A name for one or more servers of one kind.

    Attributes:
        name: with its sign: "@mypg".
        kind: the kind of the servers: one of DB_* and PROTO_*, or one that `add_database_interface`
            added.
        members: the servers.
        options: the options of this kind's interface; complete with its defaults.
        folder: the folder of the file that names it; paths are relative to it.
    """

    name: str
    kind: str
    members: tuple[Member, ...]
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    folder: str = ""


_of_process: dict[str, Alias] = {}
_OF_APP = "aliases"


def alias(name: str, kind: str, members: str | Sequence[str], **options: Any) -> Alias:
    """Name one or more servers, for all apps of this process.

    Args:
        name: its name for tasks: "@mypg". A second one of the same name takes its place.
        kind: the kind of the servers: `skitai.DB_PGSQL`, `skitai.PROTO_HTTPS`, …
        members: `[user:password@]host[:port][/path] [weight]` of each; user and password may be
            percent-encoded, and have to be where they contain a slash.
        options: the options of the kind, such as `max_conns`.

    Raises:
        SetupError: the alias has a mistake; the text names it.
    """
    made = _of_process[name] = _make(name, kind, members, options)
    return made


def app_alias(
    app: Atila, name: str, kind: str, members: str | Sequence[str], **options: Any
) -> Alias:
    """Name one or more servers for this app, which does not see the process's of that name then.

    Args:
        app: the app.
        name: its name for tasks: "@mypg".
        kind: see `alias`.
        members: see `alias`.
        options: see `alias`.

    Raises:
        SetupError: see `alias`.
    """
    made = _make(name, kind, members, options)
    aliases: dict[str, Alias] = kept(app, _OF_APP, dict)
    aliases[name] = made
    return made


def known(name: str) -> Alias | None:
    """The process's alias of a name, if there is one."""
    return _of_process.get(name)


def resolve(was: Was, name: str) -> Alias:
    """The alias of a name, as the app of this request sees it.

    Raises:
        LookupError: there is none.
    """
    own: dict[str, Alias] | None = found(was.app, _OF_APP)
    alias = own.get(name) if own else None
    if alias is None:
        alias = _of_process.get(name)
    if alias is None:
        known = sorted({*_of_process, *(own or ())})
        raise LookupError(
            f"there is no alias {name!r}, only {', '.join(known) or 'none at all'}"
            f"{nearest(name, known)}; write"
            f' skitai.alias("{name}", skitai.DB_…, ["host/path"]) in the launch script'
        )
    return alias


def _make(name: str, kind: str, members: str | Sequence[str], options: Mapping[str, Any]) -> Alias:
    if not _NAME.fullmatch(name):
        raise SetupError(f'{name!r} is no name of an alias; write "@" and a word', caller(__name__))
    interface = find(kind, name)
    given = (members,) if isinstance(members, str) else tuple(members)
    if not given:
        raise SetupError(f"the alias {name!r} has no members", caller(__name__))
    if unknown := sorted(set(options) - set(interface.defaults)):
        raise SetupError(
            f"the alias {name!r} has no option {unknown[0]!r}; {kind} takes"
            f" {', '.join(sorted(interface.defaults)) or 'none'}"
            f"{nearest(unknown[0], interface.defaults)}",
            caller(__name__),
        )
    for option, value in options.items():
        _check_option(name, option, interface.defaults[option], value)
    made = Alias(
        name,
        kind,
        tuple(_member(name, text) for text in given),
        MappingProxyType({**interface.defaults, **options}),
        os.path.dirname(os.path.abspath(caller(__name__).rpartition(":")[0])),
    )
    interface.check(made)
    return made


def _check_option(name: str, option: str, default: Any, value: Any) -> None:
    """Raise a SetupError if an option is not of the kind that its default is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match default:
        case bool():
            fits, must_be = isinstance(value, bool), "True or False"
        case int():
            fits, must_be = is_number and not isinstance(value, float), "a number"
        case float():
            fits, must_be = value is None or is_number, "a number of seconds, or None"
        case _:
            return
    if not fits:
        raise SetupError(
            f"the alias {name!r} has the option {option}={value!r}; it must be {must_be}",
            caller(__name__),
        )


def _member(name: str, text: str) -> Member:
    address, weight = text.strip(), 1
    if match := _WEIGHT.fullmatch(address):
        address, weight = match[1], int(match[2])
    if not address or weight < 1:
        # Without the text, which may hold a password.
        raise SetupError(
            f'a member of the alias {name!r} is not "[user:password@]host[:port][/path] [weight]"'
            " with a weight of 1 or more",
            caller(__name__),
        )
    return Member(address, weight)
