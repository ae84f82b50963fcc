"""Several apps of these tests in one server, each with a host of its own, on all engines."""

import hooked
import inspection
import layers
import parts
import skitai

from atila import Mount, Site

app = layers.app
"""That of hosts without an app of their own."""
HOSTED = {"hooked.test": hooked.app, "inspection.test": inspection.app, "parts.test": parts.app}

MOUNTS = [("/", app, "layers", "default")]
MOUNTS += [("/", each, host.partition(".")[0], host) for host, each in HOSTED.items()]

if __name__ == "__main__":
    for point, each, name, host in MOUNTS:
        skitai.mount(point, each, name=name, host=host)
    skitai.run(port=5000, name="together")
else:
    # Any of the apps is the way into the site that it is in.
    Site([Mount(*mount) for mount in MOUNTS])
