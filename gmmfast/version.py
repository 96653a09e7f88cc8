"""The version, which packages and pickles are marked with."""

__version__ = "0.1.0"
