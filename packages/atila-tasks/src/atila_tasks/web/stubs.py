"""`was.stub`, `was.get` and the like: HTTP requests as tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict
from urllib.parse import urlencode

from atila_tasks.upstream.access import Access
from atila_tasks.upstream.calls import DEFAULT_TIMEOUT
from atila_tasks.upstream.interfaces import WithBlock
from atila_tasks.web import payloads, targets
from atila_tasks.web.http_request import HttpRequest
from atila_tasks.web.upstream_target import (
    OF_REQUESTS,
    OF_STUBS,
    Auth,
    UpstreamTarget,
    refuse_unknown,
)

if TYPE_CHECKING:
    from typing import Unpack

    from atila_tasks.core.waitable import Waitable


class Sending(TypedDict, total=False):
    """Keyword arguments of a request, and of a stub for all of its requests.

    Attributes:
        headers: sent with it, by name or as pairs.
        auth: a token (Bearer), or user and password (Basic).
        timeout: the task's time limit in seconds; None for none.
        filter: called with the data, on the task loop, to give the data.
        meta: any data of the caller, kept in the task.
    """

    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None
    auth: Auth | None
    timeout: float | None
    filter: Callable[[Any], Any] | None
    meta: dict[str, Any] | None


class Request(Sending, total=False):
    """The same, and those of a single request alone.

    Attributes:
        params: parameters added to the query of the path.
    """

    params: Mapping[str, Any] | None


class Stub(WithBlock):
    """A server, or the members of an alias, below one path; a context manager, too.

    Its methods take a path with a `{}` for each of the values that follow it, percent-encoded
    where they stand, then the payload: `put("/profiles/{}", 100, {"name": "Hans"})`. Each starts a
    task, whose data is that of the answer, by its media type: the value of JSON, a dict of a form,
    str of text, else bytes; None of nothing. A status of 400 or more makes it fail with
    `UpstreamStatus`. Status and headers are in `task.dispatch().response`.

    A payload of bytes is sent as it is, str as text, a `pathlib.Path` as the file there, read while
    it is sent; all else as JSON, a dict as a form if the header Content-Type says so.

    Args:
        upstream: the target of the requests.
        options: the options of requests that do not have their own.
    """

    __slots__ = ("_base", "_options", "_upstream")

    def __init__(self, upstream: UpstreamTarget, options: Sending) -> None:
        base = upstream.base
        refuse_unknown(options, OF_STUBS)
        if "?" in base or targets.places(base):
            raise ValueError(f"the path {base!r} of a stub has a query, or places for values")
        self._upstream = upstream
        self._base = targets.fill(base, ())
        self._options = options

    def get(self, path: str, *values: Any, **options: Unpack[Request]) -> Waitable:
        """GET."""
        return self._request("GET", path, values, options)

    def options(self, path: str, *values: Any, **options: Unpack[Request]) -> Waitable:
        """OPTIONS."""
        return self._request("OPTIONS", path, values, options)

    def delete(self, path: str, *values: Any, **options: Unpack[Request]) -> Waitable:
        """DELETE; a payload may follow the values."""
        return self._request("DELETE", path, values, options, takes_payload=True)

    def post(self, path: str, *values: Any, **options: Unpack[Request]) -> Waitable:
        """POST, with the payload after the values."""
        return self._request("POST", path, values, options, takes_payload=True)

    def put(self, path: str, *values: Any, **options: Unpack[Request]) -> Waitable:
        """PUT, with the payload after the values."""
        return self._request("PUT", path, values, options, takes_payload=True)

    def patch(self, path: str, *values: Any, **options: Unpack[Request]) -> Waitable:
        """PATCH, with the payload after the values."""
        return self._request("PATCH", path, values, options, takes_payload=True)

    def upload(self, path: str, *values: Any, **options: Unpack[Request]) -> Waitable:
        """POST of multipart/form-data (RFC 7578), files among it read while they are sent.

        The last value is a dict of the fields: text or a number; for a file its `pathlib.Path`, an
        open file, an uploaded one, or (filename, content, media type); a list for several.
        """
        *values_of_path, fields = values or (None,)
        if not isinstance(fields, Mapping):
            raise TypeError("upload(path, …, fields) takes a dict of fields")
        body = payloads.multipart(fields)
        return self._request("POST", path, values_of_path, options, body=body)

    def _request(
        self,
        method: str,
        path: str,
        values: Any,
        options: Request,
        *,
        takes_payload: bool = False,
        body: payloads.Body = None,
    ) -> Waitable:
        upstream = self._upstream
        if options:
            refuse_unknown(options, OF_REQUESTS)
        count = targets.places(path)
        payload = values[count] if takes_payload and len(values) == count + 1 else None
        if payload is None and len(values) != count:
            raise TypeError(f"{path!r} takes {count} values, not {len(values)}")
        target = self._target(path, values[:count], options.get("params"))
        merged: Any = {**self._options, **options} if self._options else options
        headers = upstream.headers(merged.get("headers"), merged.get("auth"))
        if payload is not None:
            given = next((value for name, value in headers if name == "content-type"), None)
            body, content_type = payloads.encode(payload, given)
            if given is None and content_type is not None:
                headers.append(("content-type", content_type))
        return upstream.start(
            HttpRequest(method, target, headers, body, upstream.server),
            timeout=merged.get("timeout", DEFAULT_TIMEOUT),
            filter=merged.get("filter"),
            meta=merged.get("meta"),
        )

    def _target(self, path: str, values: Any, params: Mapping[str, Any] | None) -> str:
        upstream, base = self._upstream, self._base
        if path.startswith("@"):
            # As the specification has it: the alias once more, from its root then.
            root, path = targets.split(path)
            if root != upstream.root:
                raise ValueError(f"the path {path!r} is one of {root}, not of {upstream.root}")
            base = ""
        target = targets.joined(base, targets.fill(path, values))
        if params:
            sign = "&" if "?" in target else "?"
            target += sign + urlencode(params, doseq=True)
        return upstream.prefix + target


class Stubs(Access):
    """`was.stub`."""

    def __call__(self, address: str, **options: Unpack[Sending]) -> Stub:
        """Talk to servers of HTTP.

        Args:
            address: an alias and a path, "@myapi/api", or an URL, "http://example.com".
            options: for all requests; see `Sending`.

        Raises:
            LookupError: there is no such alias.
            TypeError: it is no alias of servers of HTTP.
            ValueError: the address is malformed.
        """
        return Stub(UpstreamTarget(self._was, self._way, address), options)


class Shortcut(Access):
    """`was.get` and the like: one request to an address, "@myapi/profiles/{}" or an URL."""

    verb: ClassVar[str]

    def __call__(self, address: str, *values: Any, **options: Unpack[Request]) -> Waitable:
        """Send it; see the method of `Stub` by this name."""
        root, path = targets.split(address)
        stub = Stub(UpstreamTarget(self._was, self._way, root), {})
        task: Waitable = getattr(stub, self.verb)(path, *values, **options)
        return task


def shortcut(name: str) -> type[Shortcut]:
    """Makes `was.get` from "get"."""
    return type(name.capitalize(), (Shortcut,), {"verb": name, "__doc__": f"`was.{name}`."})
