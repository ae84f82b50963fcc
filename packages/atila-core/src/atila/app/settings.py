"""`app.config`: settings by attribute or by key, their defaults, and the checks of their values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from atila.app import environment
from atila.errors import SetupError, caller, setup_step

ALIKE = 0.85
"""How alike a name that is not known must be to a setting's to be taken for a slip (0 to 1)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that the framework or a layer knows.

    Attributes:
        default: its value unless it is set.
        must_be: the rule of its values, for the error: "a number from 1".
        fits: whether a value obeys it.
        is_secret: its value is shown in no error.
        parse: makes a value of the text of its environment variable, see `environment`; None if it
            has none.
        is_port: a server of its own listens there: 50051, or "0.0.0.0:50051".
    """

    default: Any
    must_be: str = "anything"
    fits: Callable[[Any], bool] = lambda value: True
    is_secret: bool = False
    parse: environment.Parse | None = None
    is_port: bool = False


def number(default: int | None, least: int = 1) -> Setting:
    """A setting that is an integer, or None if that is its default."""
    return _or_none(
        default, f"a number from {least}", lambda v: _is_int(v) and v >= least, environment.number
    )


def seconds(default: float | None, *, is_positive: bool = False) -> Setting:
    """A setting that is a number of seconds, or None if that is its default."""
    must_be = "a number of seconds" + (" above 0" if is_positive else "")

    def fits(value: Any) -> bool:
        is_number = _is_int(value) or isinstance(value, float)
        return is_number and (value > 0 or (value == 0 and not is_positive))

    return _or_none(default, must_be, fits, environment.number)


def flag(default: bool | None) -> Setting:
    """A setting that is True or False, or None if that is its default."""
    return _or_none(default, "True or False", lambda v: isinstance(v, bool), environment.flag)


def text(default: str | None, *, is_secret: bool = False) -> Setting:
    """A setting that is a str, or None if that is its default."""
    return _or_none(default, "a str", lambda v: isinstance(v, str), str, is_secret=is_secret)


def choice(default: str | None, *values: str) -> Setting:
    """A setting that is one of some texts, or None if that is its default."""
    quoted = [f'"{value}"' for value in values]
    must_be = " or ".join(quoted) if len(quoted) < 4 else f"one of {', '.join(quoted)}"
    return _or_none(default, must_be, lambda v: isinstance(v, str) and v in values, str)


def path(example: str) -> Setting:
    """A setting that is None or a path below the app's mount point.

    Args:
        example: such a path, for the error.
    """

    def fits(value: Any) -> bool:
        return isinstance(value, str) and re.fullmatch(r"(/[\w.\-]+)+", value) is not None

    return _or_none(None, f'a path: "{example}"', fits, str)


def folder(default: str | None) -> Setting:
    """A setting that is the path of a folder, or None if that is its default."""
    return _or_none(
        default, "the path of a folder", lambda v: isinstance(v, str | os.PathLike), str
    )


def folders(default: Any) -> Setting:
    """A setting that is the path of a folder, a list of such paths, or None."""

    def fits(value: Any) -> bool:
        each = value if isinstance(value, list | tuple) else [value]
        return all(isinstance(v, str | os.PathLike) for v in each)

    must_be = "the path of a folder, or a list"
    return _or_none(None, must_be, fits, environment.folders, default)


def names(default: tuple[str, ...]) -> Setting:
    """A setting that is a list of texts, or None."""

    def fits(value: Any) -> bool:
        is_list = isinstance(value, list | tuple | set | frozenset)
        return is_list and all(isinstance(v, str) for v in value)

    return _or_none(None, "a list of str", fits, environment.names, default)


def mapping(default: Mapping[str, Any] | None, example: str) -> Setting:
    """A setting that is a dict, or None if that is its default."""
    must_be = f"a dict: {example}"
    return _or_none(default, must_be, lambda v: isinstance(v, Mapping), environment.mapping)


def function(default: Callable[..., Any] | None, must_be: str) -> Setting:
    """A setting that can be called, or None if that is its default."""
    return _or_none(default, must_be, callable, None)


_REQUIRED: Any = object()


def _or_none(
    default: Any,
    must_be: str,
    fits: Callable[[Any], bool],
    parse: environment.Parse | None,
    given: Any = _REQUIRED,
    *,
    is_secret: bool = False,
) -> Setting:
    if default is None:
        inner, must_be = fits, f"{must_be}, or None"
        fits = lambda value: value is None or inner(value)  # noqa: E731 - a part of this one
    return Setting(default if given is _REQUIRED else given, must_be, fits, is_secret, parse)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


SETTINGS: dict[str, Setting] = {
    "MAX_UPLOAD_SIZE": number(256 * 1024 * 1024),
    "MAX_BODY_SIZE": number(16 * 1024 * 1024),
    "MAX_FIELDS": number(1000),
    "MAX_FILES": number(100, 0),
    "UPLOAD_FOLDER": folder(None),
    "STATIC_URL": text("/static"),
    "STATIC_ROOT": folders(None),
    "STATIC_FOLDERS": mapping({}, '{"/docs": "/srv/docs"}'),
    "STATIC_MAX_AGE": seconds(None),
    "COMPRESS": Setting(
        False,
        'True, False or "static"',
        lambda value: isinstance(value, bool) or value == "static",
        parse=environment.flag_or_text,
    ),
    "COMPRESS_MINIMUM": number(1024, 0),
    "MEDIA_URL": text("/media"),
    "MEDIA_ROOT": folders(None),
    "THREADS": number(32),
    "SPARE_THREADS": number(64, 0),
    "QUEUE_SIZE": number(1024),
    "AFTER_THREADS": number(8),
    "EVENT_HEARTBEAT": seconds(15.0, is_positive=True),
    "EVENT_SEND_TIMEOUT": seconds(30.0, is_positive=True),
    "SHUTDOWN_TIMEOUT": seconds(30.0),
    "MAINTAIN_INTERVAL": seconds(60.0, is_positive=True),
    "ACCESS_LOG": choice(None, "combined", "json"),
    "TRUSTED_PROXIES": names(()),
    "MAX_CONNECTIONS_PER_ADDRESS": number(0, 0),
    "LOG_FORMAT": choice(None, "json", "text"),
    "LOG_LEVEL": choice(None, "debug", "info", "warning", "error", "critical"),
    "METRICS_PATH": path("/metrics"),
    "HEALTH_PATH": path("/health"),
    "HEALTH_TIMEOUT": seconds(5.0, is_positive=True),
    "TRACES": flag(False),
    "OPENAPI_PATH": path("/openapi"),
    "OPENAPI_INFO": mapping(None, '{"title": "Shop", "version": "1.0"}'),
}
"""Settings of the core:

- MAX_UPLOAD_SIZE: bytes of a request body of any type; a larger one is refused with 413.
- MAX_BODY_SIZE: bytes of a body that is not multipart/form-data, and of all the text fields of one
  that is, if that is less.
- MAX_FIELDS: fields of a query string or form; more are refused with 400.
- MAX_FILES: files of a form; more are refused with 400.
- UPLOAD_FOLDER: where large bodies and uploaded files are while their request is processed; None
  for the system's temporary folder. On the disk of the folder they are saved to, saving is free.
- STATIC_URL, STATIC_ROOT: where static files are on the site, and the folder that they are in, or
  several; None for no files.
- STATIC_FOLDERS: more folders of static files, by their URL: {"/docs": "/srv/docs"}.
- STATIC_MAX_AGE: seconds that caches may keep static and media files; None for not without asking.
- COMPRESS: True to compress answers, as far as the client takes that, and to serve precompressed
  static files; "static" for the latter alone.
- COMPRESS_MINIMUM: bytes of a body from which on it is compressed.
- MEDIA_URL, MEDIA_ROOT: the same for files that come from users.
- THREADS: worker threads of a process that work at a time, started as they are needed.
- SPARE_THREADS: further threads, in place of those that wait: for a task, a lock, a password hash.
- QUEUE_SIZE: requests that may wait for a thread; a further one is refused with 503.
- AFTER_THREADS: threads of a process for the functions of `was.after`.
- EVENT_HEARTBEAT: seconds after which a silent event stream sends a comment, by which proxies keep
  it open and clients that are gone are found.
- EVENT_SEND_TIMEOUT: seconds that a client may take nothing of its event stream; then it is closed.
- SHUTDOWN_TIMEOUT: seconds that running requests and the work after answers have to end when the
  server stops.
- MAINTAIN_INTERVAL: seconds that the counts of `@app.maintain` are in.
- ACCESS_LOG: "combined" or "json", a line for each request on the logger "atila.access"; None for
  none.
- TRUSTED_PROXIES: addresses and networks of the proxies before the server, ["10.0.0.0/8"]; their
  X-Forwarded-For, -Proto, -Host and -Prefix are trusted. "unix" stands for peers of a Unix socket.
- MAX_CONNECTIONS_PER_ADDRESS: connections that one address may have to a worker; further ones are
  refused with 429. 0 for any number. On Skitai alone, and not for trusted proxies.
- LOG_FORMAT: "json" for one object of JSON per record of apps and framework, or "text"; unless
  logging is configured already.
- LOG_LEVEL: the least level of the records of apps and framework that are written; None for "info",
  or "debug" in development.
- METRICS_PATH: a path below the app's mount point, "/metrics", where the metrics of the whole site
  are, for Prometheus; None for none, and nothing is counted.
- HEALTH_PATH: a path below the app's mount point, "/health": "/health/live" answers 200 as long as
  the process can, "/health/ready" 200 or 503, by the readiness checks of the app. None for neither.
- HEALTH_TIMEOUT: seconds that each readiness check has.
- TRACES: whether requests, calls of other servers, queries, WebSockets and calls of RPC make spans
  of OpenTelemetry.
- OPENAPI_PATH: a path below the app's mount point, "/openapi", for a page that shows the app's
  routes and lets users try them; the document itself is "/openapi.json". None for neither.
- OPENAPI_INFO: title, version and other facts of the app in it: {"title": "Shop"}.
"""


class Config(dict[str, Any]):
    """A dict whose keys are attributes too: `app.config.MAX_FIELDS`.

    It knows where its values were set. Names that are no settings are the app's own.

    Args:
        settings: by name, the settings that it has; their defaults are its first values.
    """

    __slots__ = ("_settings", "_sources")

    def __init__(self, settings: Mapping[str, Setting] | None = None) -> None:
        settings = settings or {}
        super().__init__({name: setting.default for name, setting in settings.items()})
        object.__setattr__(self, "_settings", dict(settings))
        object.__setattr__(self, "_sources", {})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            hint = _hint(name, self)
            raise AttributeError(f"there is no setting {name!r}{hint}") from None

    def __setitem__(self, name: str, value: Any) -> None:
        self._sources[name] = caller()
        super().__setitem__(name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"there is no setting {name!r}") from None

    def update(self, *others: Any, **named: Any) -> None:
        """Set several values. Those of another Config are known to come from where it has them."""
        for other in (*others, named):
            sources = other._sources if isinstance(other, Config) else {}
            for name, value in dict(other).items():
                self[name] = value
                self._sources[name] = sources.get(name) or self._sources[name]

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The value of a name, which is set first if there is none."""
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, other: Any) -> Config:  # type: ignore[override,misc]  # as `update`
        self.update(other)
        return self

    def copy(self) -> Config:
        """Another one of the same settings and values."""
        made = Config(self._settings)
        made.update(self)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._settings, dict(self), dict(self._sources))

    def take_environment(self) -> None:
        """Take the values of environment variables, which go before all others.

        Raises:
            SetupError: one is not of the kind of its setting.
        """
        for name, setting in self._settings.items():
            text = environment.given(name)
            if text is not None:
                with setup_step():
                    super().__setitem__(name, _from_text(name, setting, text))

    def source(self, name: str) -> str:
        """Where a setting was set, "file:line"; "" for its default or by the environment."""
        return "" if environment.given(name) is not None else self._sources.get(name, "")

    def ports(self) -> Iterator[tuple[str, bool]]:
        """The ports where servers of its own listen, "50051" or "0.0.0.0:50051", and whether the
        environment says so.
        """
        for name, setting in self._settings.items():
            if setting.is_port and self[name]:
                yield str(self[name]), environment.given(name) is not None

    def check(self) -> None:
        """Take the values of environment variables; find invalid values, and misspelt names.

        Raises:
            SetupError: there is one. If errors are collected, wrong values become the defaults.
        """
        self.take_environment()
        for name, value in list(self.items()):
            source = self._sources.get(name, "")
            with setup_step():
                self._check(name, value, source)
                continue
            # Else what reads it would find another mistake in it.
            setting = self._settings.get(name)
            if setting is not None:
                super().__setitem__(name, setting.default)

    def _check(self, name: str, value: Any, source: str) -> None:
        setting = self._settings.get(name)
        if setting is None:
            if hint := _hint(name, self._settings):
                raise SetupError(
                    f"there is no setting {name!r}{hint} A setting of your own needs a name that is"
                    " less like it",
                    source,
                )
        elif not setting.fits(value):
            shown = f"a {type(value).__name__}" if setting.is_secret else repr(value)
            raise SetupError(f"app.config.{name} is {shown}; it must be {setting.must_be}", source)


def _from_text(name: str, setting: Setting, text: str) -> Any:
    """The value of an environment variable.

    Raises:
        SetupError: the setting cannot have it.
    """
    variable = environment.variable(name)
    parse = setting.parse or environment.parser_for(setting.default)
    if parse is None and setting.default is None and setting.must_be == "anything":
        parse = str
    if text.lower() == environment.NONE and setting.fits(None):
        return None
    if parse is None:
        raise SetupError(f"{variable} is set, but app.config.{name} is no text: set it in the code")
    try:
        value = parse(text)
        fits = setting.fits(value)
    except ValueError:
        fits = False
    if not fits:
        shown = "a text" if setting.is_secret else repr(text)
        raise SetupError(
            f"the environment variable {variable} is {shown}; it must be {setting.must_be}"
        )
    return value


def _restored(settings: Any, values: Any, sources: Any) -> Config:
    made = Config(settings)
    made.update(values)
    made._sources.update(sources)
    return made


def _hint(name: str, known: Iterable[str]) -> str:
    """The end of the error about a name that nearly matches a known one; "" if it does not."""
    found = max(_alike(name, known), default=None)
    return f"; did you mean {found[1]!r}?" if found else ""


def _alike(name: str, known: Iterable[str]) -> Iterator[tuple[float, str]]:
    folded = name.casefold()
    for each in known:
        other = each.casefold()
        if other in (folded, f"{folded}_path", f"{folded}_folder"):
            yield 1.0, each
            continue
        matcher = SequenceMatcher(None, folded, other)
        if matcher.real_quick_ratio() >= ALIKE and (ratio := matcher.ratio()) >= ALIKE:
            yield ratio, each


def settings_of(config: Mapping[str, Any]) -> dict[str, Setting]:
    """The settings of the core and of layers.

    Args:
        config: the settings of the layers: by name a `Setting`, or a default alone.
    """
    of_layers = {
        name: default if isinstance(default, Setting) else Setting(default)
        for name, default in config.items()
    }
    return {**SETTINGS, **of_layers}
