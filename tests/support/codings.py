"""Decompression of the codings of compressed answers."""

from __future__ import annotations

import gzip

import brotli

try:
    from compression.zstd import decompress as unzstd  # from 3.14
except ImportError:
    from backports.zstd import decompress as unzstd

READ = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": unzstd}
"""By the name of a coding, the function that undoes it."""
