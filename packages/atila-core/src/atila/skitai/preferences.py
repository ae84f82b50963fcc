"""The methods of Skitai's preferences: what they assert about each other is not asked for.

Folders may be added before their URL is known, several apps have media, a package be extended that
says by `__skitai__` where its app is. All of it ends up in the settings of the app, which serves
its files itself; Skitai gets them as well, for the apps of others.
"""

from __future__ import annotations

import os
from typing import Any

import wrapt

from atila.app.mounting import located

_HOOKS = ("__config__", "__setup__", "__mount__")


def install(module: Any) -> None:
    """Wrap the methods; relied on, of `skitai.wastuff.preference.Preference`: `add_static`,
    `set_static`, `set_media`, their other names, `extends` and `overrides`; and `skitai.dconf`.
    """
    methods = Methods(module)
    for name, wrapper in (
        ("add_static", methods.add_static),
        ("set_static", methods.set_static),
        ("mount_static", methods.set_static),
        ("set_media", methods.set_media),
        ("mount_media", methods.set_media),
        ("extends", _compose),
        ("overrides", _compose),
    ):
        wrapt.wrap_function_wrapper(module.Preference, name, wrapper)


class Methods:
    """The methods that have to do with folders.

    Args:
        module: the `skitai` module.
    """

    def __init__(self, module: Any) -> None:
        self._skitai = module

    def add_static(self, method: Any, pref: Any, args: Any, kwargs: Any) -> None:
        """In place of `pref.add_static(path, front=False)`."""

        def add(path: str, front: bool = False) -> None:
            path = self._skitai.joinpath(os.fspath(path))
            config, folders = pref.config, _listed(pref.config.get("STATIC_ROOT"))
            if path not in folders:
                config.STATIC_ROOT = [path, *folders] if front else [*folders, path]
            if "STATIC_URL" in config:
                self._mount(config.STATIC_URL, path, first=front)

        add(*args, **kwargs)

    def set_static(self, method: Any, pref: Any, args: Any, kwargs: Any) -> None:
        """In place of `pref.set_static(url, path=None)`."""

        def set_static(url: str, path: str | None = None) -> None:
            config, folders = pref.config, _listed(pref.config.get("STATIC_ROOT"))
            config.STATIC_URL = url
            if path is not None:
                path = self._skitai.joinpath(os.fspath(path))
                folders = [path, *(each for each in folders if each != path)]
            if folders:
                config.STATIC_ROOT = folders if len(folders) > 1 else folders[0]
            for each in reversed(folders):
                self._mount(url, each, first=True)

        set_static(*args, **kwargs)

    def set_media(self, method: Any, pref: Any, args: Any, kwargs: Any) -> None:
        """In place of `pref.set_media(url="/media", path=None)`."""

        def set_media(url: str = "/media", path: str | None = None) -> None:
            if path is not None:
                path = self._skitai.joinpath(os.fspath(path))
            pref.config.MEDIA_URL, pref.config.MEDIA_ROOT = url, path
            # Skitai has one such folder, ahead of which each app serves its own.
            if not _is_captured() and self._skitai.dconf["media_path"] is None:
                self._skitai.set_media(url, path)

        set_media(*args, **kwargs)

    def _mount(self, url: str, path: str, *, first: bool) -> None:
        if not _is_captured():
            self._skitai.mount(url, path, first=first)


def _compose(method: Any, pref: Any, args: Any, kwargs: Any) -> Any:
    """In place of `pref.extends(module)` and `pref.overrides(module)`."""
    (module, *rest) = args
    return method(located(module, *_HOOKS), *rest, **kwargs)


def _is_captured() -> bool:
    from atila.launch import script

    return script.is_captured()


def _listed(folders: Any) -> list[str]:
    if not folders:
        return []
    return [folders] if isinstance(folders, str) else list(folders)
