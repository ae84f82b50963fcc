"""The options of `skitai.run`: the engines that honour them, and slips in them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from atila.errors import SetupError, nearest, setup_step

SKITAI, GRANIAN, OTHERS = "skitai", "granian", "others"
"""Engines: the two of `atila serve`, and servers that are started by themselves (ATILA_APP)."""

HONOURED, REFUSED, OF_SERVER = "honoured", "refused", "server"
"""The fate of an option on an engine. Of the server: its own options count, and that is logged."""

_OF_SERVERS = "address backlog certfile keyfile passphrase port workers"
_OF_SKITAI = """
    enable_async executors_process_start executors_workers executors_zombie_timeout file_loggings
    fws_address fws_domain fws_port fws_to keep_alive log_off logpath max_ages media_path media_url
    mount network_timeout poll quic tasks varpath verbose wasc
"""
_INSTEAD = {
    "max_upload_size": "app.config.MAX_UPLOAD_SIZE",
    "media_path": "app.config.MEDIA_ROOT",
    "media_url": "app.config.MEDIA_URL",
    "max_ages": "app.config.STATIC_MAX_AGE",
    "log_off": "app.config.ACCESS_LOG",
}
"""Settings that do the same on every engine."""

_EVERYWHERE = {SKITAI: HONOURED, GRANIAN: HONOURED, OTHERS: HONOURED}
_OURS = {SKITAI: HONOURED, GRANIAN: HONOURED, OTHERS: OF_SERVER}
_SKITAI_ALONE = {SKITAI: HONOURED, GRANIAN: REFUSED, OTHERS: REFUSED}
OPTIONS: dict[str, dict[str, str]] = {
    "name": _EVERYWHERE,
    "threads": _EVERYWHERE,
    **dict.fromkeys(_OF_SERVERS.split(), _OURS),
    **dict.fromkeys(_OF_SKITAI.split(), _SKITAI_ALONE),
    "max_upload_size": {SKITAI: REFUSED, GRANIAN: REFUSED, OTHERS: REFUSED},
}
"""By name and engine, what becomes of the options that `skitai.run` of Skitai 0.57 reads."""
NAMES = frozenset(OPTIONS)
log = logging.getLogger("atila.launch")

_NUMBERS = {"port": (1, 65535), "threads": (1, 10_000), "workers": (1, 1000)}
"""Options that are numbers, with their limits; as text, too."""


def check(options: Mapping[str, Any], source: str) -> None:
    """Find options that Skitai has not, and numbers that are none.

    Args:
        options: as given to `skitai.run`.
        source: "file:line" of the call.

    Raises:
        SetupError: there is one.
    """
    for name, value in options.items():
        with setup_step():
            _check(name, value, source)
    with setup_step():
        check_engine((name for name, value in options.items() if value is not None), SKITAI, source)


def check_engine(names: Iterable[str], engine: str, source: str) -> None:
    """Find options that an engine cannot honour, and log those that another place says for it.

    Args:
        names: of the options that are given.
        engine: one of `SKITAI`, `GRANIAN`, `OTHERS`.
        source: "file:line" of the call.

    Raises:
        SetupError: there is one.
    """
    left = []
    for name in names:
        does = OPTIONS.get(name, {}).get(engine, HONOURED)
        if does == REFUSED:
            raise SetupError(f"skitai.run({name}=…) {_why(name, engine)}", source)
        if does == OF_SERVER:
            left.append(name)
    if left:
        has_tls = not {"certfile", "keyfile"}.isdisjoint(left)
        level = logging.WARNING if has_tls else logging.INFO
        text = "the server's own options count, not those of skitai.run: %s"
        log.log(level, text, ", ".join(sorted(left)))


def _why(name: str, engine: str) -> str:
    setting = _INSTEAD.get(name)
    mend = f"write {setting}" if setting else "leave it out"
    if OPTIONS[name][SKITAI] == REFUSED:
        return f"counts for no app of ours. Mend: {mend}"
    where = "granian" if engine == GRANIAN else "this server"
    return f"is Skitai's alone, not of {where}. Mend: {mend}, or use --engine skitai"


def _check(name: str, value: Any, source: str) -> None:
    if name not in NAMES:
        hint = nearest(name, NAMES) or f"; there are {', '.join(sorted(NAMES))}"
        raise SetupError(f"skitai.run has no option {name!r}{hint}", source)
    least, most = _NUMBERS.get(name, (0, 0))
    if most and not (str(value).isdecimal() and least <= int(value) <= most):
        raise SetupError(
            f"skitai.run({name}={value!r}): it must be a number from {least} to {most}", source
        )
