"""The site: docs/ and tutorials/, built from the top of the checkout.

    pip install -e '.[docs]'
    sphinx-build -W --keep-going -c docs . site        # then open site/index.html

The source folder is the checkout itself, so that a link from a page to a lesson, or from a lesson
to a page, is the same on the site and in the files. Lessons and how-to pages are executed. What
came of it is kept in .jupyter_cache beside the site, and used until a page's cells change or
minicnn does. Nothing is loaded from elsewhere when the site is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import minicnn

project = "minicnn"
author = copyright = "minicnn contributors"
version = release = minicnn.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# Those of docs/_ext:
extensions += ["docstrings", "mathml", "notebooks", "pictures", "references", "tables"]
root_doc = "docs/index"
include_patterns = ["docs/**", "tutorials/**", "CHANGELOG.md", "CONTRIBUTING.md"]
exclude_patterns = ["docs/_*"]
default_role = "py:obj"  # `minicnn.metrics.accuracy` in a docstring is a link

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_output_stderr = "remove"

nitpicky = True  # a name that leads nowhere is an error
nitpick_ignore_regex = [
    ("py:.*", r"(collections|matplotlib|np|npt|numpy|os|pathlib|types|typing)\..*"),
    ("py:class", r"(Any)?Array(Like)?|FloatArray|IntArray|Axes|Figure|Path"),  # of NumPy and so on
    ("py:class", r".*\._\w+(\.\w+)*|Program"),  # private
    ("py:class", r"minicnn\..*\.(Container|Module|Self|Splittable)"),  # shown where they are bases
    # Names of types, which say no more than the types:
    ("py:class", r"(minicnn\..*\.)?(Augmentation|Batches|Pair|Plane|Row|Shape|Sizes)"),
]

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints_format = "short"
autodoc_type_aliases = {"npt.ArrayLike": "ArrayLike", "FloatArray": "FloatArray"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "minicnn"
html_favicon = "_static/favicon.svg"
html_extra_path = ["_extra"]
html_static_path = ["_static"]
html_css_files = ["minicnn.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#00507d", "color-brand-content": "#0064a0"},
    "dark_css_variables": {"color-brand-primary": "#6cb6e8", "color-brand-content": "#6cb6e8"},
}
