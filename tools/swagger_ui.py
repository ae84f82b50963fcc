"""Fetch the pinned release of Swagger UI, which the page of the setting OPENAPI_PATH is made of.

    python tools/swagger_ui.py      fetch it by `npm pack`, and write its files and licence

The files are part of the repository and of the wheel, so that neither installing nor serving needs
npm or another host. For a newer release, change VERSION, and INTEGRITY to what
`npm view swagger-ui-dist@VERSION dist.integrity` says.
"""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "5.35.0"
INTEGRITY = (
    "sha512-U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNN"
    "HC3sU8yVUQ=="
)
FILES = (
    "LICENSE",
    "NOTICE",
    "swagger-ui-bundle.js",
    "swagger-ui-bundle.js.LICENSE.txt",
    "swagger-ui.css",
)
TARGET = Path(__file__).resolve().parents[1] / "packages/atila-core/src/atila/openapi/swagger_ui"


def fetch() -> None:
    """Write the files.

    Raises:
        SystemExit: what came is not what is pinned here.
    """
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", f"swagger-ui-dist@{VERSION}"], cwd=folder, check=True
        )
        (archive,) = Path(folder).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != INTEGRITY:
            raise SystemExit(f"swagger-ui-dist {VERSION} has the digest sha512-{digest}")
        TARGET.mkdir(exist_ok=True)
        with tarfile.open(archive) as packed:
            for name in FILES:
                found = packed.extractfile(f"package/{name}")
                assert found is not None
                # Maps of the sources are left out, so nothing should ask for them.
                lines = found.read().split(b"\n")
                kept = [line for line in lines if b"# sourceMappingURL=" not in line]
                (TARGET / name).write_bytes(b"\n".join(kept))
    (TARGET / "VERSION").write_text(f"{VERSION}\n")


if __name__ == "__main__":
    fetch()
