"""A package that says where its app is, in the way of the specification's own examples."""

from . import inner as __skitai__  # noqa: F401
