"""Names in single backticks and in signatures find what they name, or are plain code.

A docstring is read in the source too, where `Tensor` is enough for `minicnn.Tensor`. So a name is
looked for by its end. A text in single backticks that names nothing here is shown as code, but one
that begins with "minicnn." must exist: a name that is gone stays an error of the build.
"""

from __future__ import annotations

import pydoc
import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.inspect import TypeAliasForwardRef

HOMES = ("class", "exception", "function", "module", "data", "type")
# An array of any type is "ndarray", one of a certain type has its name.
ARRAY = re.compile(
    r"~?numpy\.ndarray\[~?tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?numpy\.dtype\[([^\[\]]*)\]\]"
)


def full_name(name: str, known: dict[str, str]) -> str | None:
    """The documented name that ends with this one; in a private module, with its last part.

    Args:
        name: As it stands in the text.
        known: The documented names, with the kind of each.
    """
    end = name.rpartition(".")[2] if name.startswith("minicnn.") else name
    found = [k for k in known if k == end or k.endswith(f".{end}")]
    at_home = sorted((k for k in found if known[k] in HOMES), key=lambda k: (len(k), k))
    if at_home:
        return at_home[0]
    return found[0] if len(found) == 1 else None


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Called for a reference that Sphinx itself cannot resolve."""
    if node.get("refdomain") != "py":
        return None
    target, domain = str(node["reftarget"]), env.domains.python_domain
    name = full_name(target, {k: entry.objtype for k, entry in domain.objects.items()})
    if name is not None:
        return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, content)
    gone = re.fullmatch(r"minicnn(\.\w+)+", target) and pydoc.locate(target) is None
    return content if node["reftype"] == "obj" and not gone else None


def shorten(app: Sphinx, what: str, name: str, obj: Any, options: Any, *texts: Any) -> Any:
    """Arrays in a signature by a short name; "<factory>", which is no Python, as dots."""
    return tuple(text and ARRAY.sub(array_name, text).replace("<factory>", "...") for text in texts)


def array_name(match: re.Match[str]) -> str:
    """``ndarray``, or with the type of its values."""
    kind = match[1].removeprefix("~").rpartition(".")[2]
    return "~numpy.ndarray" if kind == "Any" else f"~numpy.ndarray[~numpy.{kind}]"


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    # In a union, Sphinx shows an alias by its repr, which is for those who mend Sphinx.
    setattr(TypeAliasForwardRef, "__repr__", lambda self: str(self.name))  # noqa: B010
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-signature", shorten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
