"""Examples without the empty line that doctest needs before the closing fence."""

from typing import Any

from docutils import nodes


def trim(app: Any, doctree: nodes.document) -> None:
    for block in doctree.findall(nodes.literal_block):
        text = block.astext().rstrip()
        if block.rawsource == block.astext():
            block.rawsource = text
            block.children = [nodes.Text(text)]


def setup(app: Any) -> dict[str, Any]:
    app.connect("doctree-read", trim)
    return {"parallel_read_safe": True}
