"""Compiled code: everything that runs per row. `compiling` sets the compile options."""
