"""Compiled code: what runs once for every row. `options` says how it is compiled and run."""
