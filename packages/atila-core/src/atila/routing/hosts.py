"""Finds the apps of a host, and the app that a path leads to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atila import Atila

DEFAULT = "default"
"""The rule for all hosts that no other rule fits; "*" is the same."""

Apps = list[tuple[str, "Atila"]]
"""Prefix ("" or "/shop") and app, longest prefix first."""


def normal(rule: str) -> tuple[str, ...]:
    """The hosts that a rule names, in lower case; none, for all others.

    Args:
        rule: "default", "example.com", ".example.com" (that host and all below it), or several of
            these separated by spaces.
    """
    rule = rule.strip().lower()
    return () if rule in ("", "*", DEFAULT) else tuple(rule.split())


class Hosts:
    """The apps of a site, by the rules for their hosts.

    The first rule that fits decides, in the order in which they were mounted, as Skitai has it.

    Args:
        mounts: rule, prefix and app.
    """

    def __init__(self, mounts: Iterable[tuple[str, str, Atila]]) -> None:
        self._rules: dict[tuple[str, ...], Apps] = {}
        for rule, prefix, app in mounts:
            self._rules.setdefault(normal(rule), []).append((prefix, app))
        for apps in self._rules.values():
            apps.sort(key=lambda mount: len(mount[0]), reverse=True)
        self._others = self._rules.pop((), [])

    def apps(self, host: str | None) -> Apps:
        """The apps of a host.

        Args:
            host: the Host header, with or without a port.
        """
        if host and self._rules:
            name = _without_port(host).lower()
            for rules, apps in self._rules.items():
                for rule in rules:
                    if name == rule:
                        return apps
                    if rule[0] == "." and (name.endswith(rule) or name == rule[1:]):
                        return apps
        return self._others

    @property
    def single(self) -> Atila | None:
        """The app that answers everything, if there is just one, at "/" of all hosts."""
        if self._rules or len(self._others) != 1 or self._others[0][0]:
            return None
        return self._others[0][1]


def app_at(path: str, apps: Apps) -> tuple[str, Atila] | None:
    """The prefix and the app that a path belongs to."""
    for mount in apps:
        prefix = mount[0]
        if not prefix or path == prefix or path.startswith(prefix + "/"):
            return mount
    return None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"  # IPv6 (RFC 3986, section 3.2.2)
    return host.partition(":")[0]
