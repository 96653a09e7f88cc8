"""Formulas as MathML, which browsers draw themselves: pages need no network and no script."""

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)

# browsers set "log x" without a space; with a parenthesis there is none
APPLIED = re.compile(r"&ApplyFunction;</mo>(?!\s*(<mrow>\s*)?<mo[^>]*>\()")


def mathml(node: nodes.Element, as_block: bool) -> str:
    """Return the formula; what docutils cannot translate is a warning."""
    try:
        formula = tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
        logger.warning("%s", error, location=node)
        return ""
    return APPLIED.sub('&ApplyFunction;</mo><mspace width="0.17em"/>', formula)


def inline(self: Any, node: nodes.math) -> None:
    self.body.append(mathml(node, as_block=False))
    raise nodes.SkipNode


def block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="formula">{mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True}
