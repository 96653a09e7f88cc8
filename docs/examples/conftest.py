"""Lies here so that pytest can import what the examples' pages import."""
