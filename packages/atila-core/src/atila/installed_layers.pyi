"""What each layer adds, if it is installed, else nothing; for type checkers and editors only.

An import by * of what is not installed imports nothing, whereas one by name would make a base class
unknown, and with it all other names. Of two imports of one name mypy takes the first and others
take the last, so the layers stand on both sides of what they are where they are absent.
"""

# ruff: noqa: F403, I001
# mypy: disable-error-code="assignment, misc"

from atila_auth.names import *
from atila_render.names import *
from atila_tasks.names import *
from atila_ws.names import *

from atila.absent_layers import *

from atila_auth.names import *
from atila_render.names import *
from atila_tasks.names import *
from atila_ws.names import *
