"""How the pages are built: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

import sys
from pathlib import Path

import gmmfast

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "gmmfast"
author = "The gmmfast developers"
copyright = author
version = release = gmmfast.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "blocks",
    "console",
    "mathml",
    "source",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings say more than the hints
numpydoc_show_class_members = False

plot_formats = [("svg", 100)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_rcparams = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.figsize": (7.0, 4.4),
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "svg.fonttype": "path",
    "svg.hashsalt": "gmmfast",
}

html_theme = "pydata_sphinx_theme"
html_title = "gmmfast"
html_static_path = ["_static"]
html_css_files = ["gmmfast.css"]
html_copy_source = False
# only the API is long enough to need one
pages = [path.stem for path in Path(__file__).parent.glob("*.md")]
html_sidebars = {page: [] for page in [*pages, "examples/*"]}
html_theme_options = {
    "footer_end": [],
    "footer_start": ["copyright"],
    "header_links_before_dropdown": 4,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
}
