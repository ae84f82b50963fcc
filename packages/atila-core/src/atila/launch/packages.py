"""Package apps of launch scripts: `skitai.mount("/", myapp, pref)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atila import layers
from atila.app.mounting import call_hook
from atila.errors import SetupError, source_of
from atila.serving.apps import Mount

if TYPE_CHECKING:
    from atila import Atila

_OWN = frozenset(
    {"bus", "g", "hooks", "import_name", "jobs", "mounting", "readiness", "router", "routes"}
    | {"store"}
)
_URLS = ("STATIC_URL", "MEDIA_URL")


@dataclass(frozen=True, slots=True)
class Package:
    """A module with `__app__`, to be mounted; its app is made in each worker process.

    Attributes:
        point: the path where it is mounted.
        module: the module.
        pref: a preference; see `prefer`.
        name: its name for other apps; if not given, the name of the module.
        host: the hosts that it serves; see `Mount`.
        subscribe: names of the apps whose events it gets.
        options: the options for `mntopt`.
    """

    point: str
    module: Any
    pref: Any
    name: str = ""
    host: str = "default"
    subscribe: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Mount:
        """Make the app.

        Raises:
            SetupError: `__app__` gives no app, or it is wrong in another way.
        """
        app = self._make_app()
        prefer(app, self.pref)
        name = self.name or self.module.__name__
        app.mounting.take_package(self.module, {"name": name, **self.options})
        return Mount(self.point, app, self.name, self.host, self.subscribe)

    def _make_app(self) -> Atila:
        from atila.app.application import Atila

        hook = self.module.__app__
        with layers.preferred(self.pref.get("layers")):
            app = call_hook(hook, self.pref)
        if not isinstance(app, Atila):
            raise SetupError(
                f"__app__ gave {type(app).__name__} where an Atila is wanted; write"
                " return Atila(__name__)",
                source_of(hook),
            )
        return app


def configure(module: Any, pref: Any) -> None:
    """Call `__config__` of a package, if it has one."""
    hook = getattr(module, "__config__", None)
    if hook is not None:
        call_hook(hook, pref)


def prefer(app: Atila, pref: Mapping[str, Any]) -> None:
    """Overwrite attributes and settings of an app by those of a preference.

    Args:
        app: the app.
        pref: attributes by name, and in `config` the settings. Of Skitai's class: `mountables` too.

    Raises:
        SetupError: an attribute would hide something of the app.
    """
    for name, value in pref.items():
        if name == "config":
            app.config.update(value or {})
        elif name != "layers" and not name.startswith("_"):
            _check_attribute(app, name)
            setattr(app, name, value)
    for name in _URLS:
        setattr(app, name, app.config[name])
    app.mounting.take_mountables(getattr(pref, "mountables", None) or [])


def _check_attribute(app: Atila, name: str) -> None:
    if hasattr(type(app), name) or name in _OWN:
        raise SetupError(
            f"pref.{name} would hide app.{name}; settings belong into pref.config, and attributes"
            " of your own need a name of their own"
        )
