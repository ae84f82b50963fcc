"""Reads calls of XML-RPC from untrusted XML."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Fault, Unmarshaller

from defusedxml.common import DefusedXmlException
from defusedxml.xmlrpc import DefusedExpatParser

from atila_render.rpc.faults import INVALID_REQUEST, PARSE_ERROR, CallFault

DEEPEST = 100
"""Arrays and structs in each other that a parameter may have."""


class _Reader(Unmarshaller):
    """Python's own, which takes any root, and nests as deep as one likes."""

    def __init__(self) -> None:
        super().__init__(use_builtin_types=True)
        self._depth = 0
        self._root = ""

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        if not self._root:
            self._root = tag
        if tag in ("array", "struct"):
            self._depth += 1
            if self._depth > DEEPEST:
                raise CallFault(
                    PARSE_ERROR, f"more than {DEEPEST} arrays and structs in each other"
                )
        super().start(tag, attrs)

    def end(self, tag: str) -> None:
        if tag in ("array", "struct"):
            self._depth -= 1
        super().end(tag)

    @property
    def name(self) -> str:
        """Of the method."""
        return (self.getmethodname() or "").strip() if self._root == "methodCall" else ""


def parse(body: bytes) -> tuple[str, list[Any]]:
    """The method and the parameters of a call.

    Raises:
        CallFault: it is no call. Document type declarations are refused, and entities with them.
    """
    reader = _Reader()
    parser = DefusedExpatParser(reader, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
        params = list(reader.close())
    except CallFault:
        raise
    except DefusedXmlException:
        raise CallFault(PARSE_ERROR, "a document type declaration is not taken") from None
    except Fault:
        raise CallFault(INVALID_REQUEST, "it is no methodCall") from None
    except Exception as error:
        # Whatever Python's reader stumbles over: malformed XML, a malformed number, …
        raise CallFault(PARSE_ERROR, f"malformed XML-RPC ({type(error).__name__})") from None
    if not reader.name:
        raise CallFault(INVALID_REQUEST, "it is no methodCall with a methodName")
    return reader.name, params
