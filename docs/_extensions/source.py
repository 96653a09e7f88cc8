"""``{source}`` roles: dotted names within the package, which must exist."""

from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

logger = logging.getLogger(__name__)


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for split in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:split]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[split:]:
            if not hasattr(found, attribute):
                return attribute in getattr(found, "__annotations__", {})
            found = getattr(found, attribute)
        return True
    return False


class Source(SphinxRole):
    """A name, given without the leading ``gmmfast.``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        if not exists(f"gmmfast.{self.text}"):
            logger.warning("gmmfast has no %s", self.text, location=self.get_location())
        return [nodes.literal(self.rawtext, self.text)], []


def setup(app: Any) -> dict[str, Any]:
    app.add_role("source", Source())
    return {"parallel_read_safe": True}
