"""What the installed layers add to `was`, `was.request` and `Atila`, for type checkers and editors.

There is no module of this name: nothing imports it while a program runs, so core needs no layer.
To a type checker these are base classes of `Was`, `Request` and `Atila`.
"""

# From a module of its own: where a name is imported twice, pyright does not take it for a base.
from atila.installed_layers import (
    AppOfAuth,
    AppOfRender,
    AppOfTasks,
    AppOfWebSocket,
    RequestOfAuth,
    WasOfAuth,
    WasOfRender,
    WasOfTasks,
    WasOfWebSocket,
)

class WasNames(WasOfAuth, WasOfRender, WasOfTasks, WasOfWebSocket): ...
class RequestNames(RequestOfAuth): ...
class AppNames(AppOfAuth, AppOfRender, AppOfTasks, AppOfWebSocket): ...
