"""The options of `skitai.run`, and slips in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atila.errors import SetupError, nearest, setup_step

_NAMES = """
    address backlog certfile enable_async executors_process_start executors_workers
    executors_zombie_timeout file_loggings fws_address fws_domain fws_port fws_to keep_alive keyfile
    log_off logpath max_ages max_upload_size media_path media_url mount name network_timeout
    passphrase poll port quic tasks threads varpath verbose wasc workers
"""
NAMES = frozenset(_NAMES.split())
"""The options that `skitai.run` of Skitai 0.57 reads."""
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


def _check(name: str, value: Any, source: str) -> None:
    if name not in NAMES:
        hint = nearest(name, NAMES) or f"; there are {', '.join(sorted(NAMES))}"
        raise SetupError(f"skitai.run has no option {name!r}{hint}", source)
    least, most = _NUMBERS.get(name, (0, 0))
    if most and not (str(value).isdecimal() and least <= int(value) <= most):
        raise SetupError(
            f"skitai.run({name}={value!r}): it must be a number from {least} to {most}", source
        )
