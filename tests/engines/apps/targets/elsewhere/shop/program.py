"""Says nothing of the framework itself."""

import beside

application = beside.make()
