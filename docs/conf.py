"""How the pages are built: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

import sys
from pathlib import Path

import gmmfast

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

from style import RCPARAMS  # noqa: E402 (beside the other extensions)

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
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "blocks",
    "console",
    "mathml",
    "source",
]
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings say more than the hints
numpydoc_show_class_members = False

plot_formats = [("svg", 100)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_rcparams = RCPARAMS

# scripts of docs/examples are run, and become pages in docs/gallery
sphinx_gallery_conf = {
    "abort_on_example_error": True,
    "capture_repr": (),
    "download_all_examples": False,
    "examples_dirs": "examples",
    "filename_pattern": r"\.py$",
    "gallery_dirs": "gallery",
    "ignore_pattern": r"cluster\.py$",  # starts processes
    "image_srcset": ["2x"],
    "min_reported_time": 3600,
    "plot_gallery": True,
    "reset_modules": ("matplotlib", "style.apply"),
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
}

# the prompts of examples and commands, and what they print, are not copied
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "gmmfast"
html_static_path = ["_static"]
html_css_files = ["gmmfast.css"]
html_copy_source = False
html_favicon = "_static/logo.svg"
html_sidebars = {"**": ["site-nav"]}
html_theme_options = {
    "footer_end": [],
    "footer_start": ["copyright"],
    "logo": {
        "alt_text": "gmmfast, to the front page",
        "image_dark": "_static/logo.svg",
        "image_light": "_static/logo.svg",
        "text": f"gmmfast {release}",
    },
    "navbar_center": [],
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
}
