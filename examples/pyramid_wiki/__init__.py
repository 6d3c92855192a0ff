"""A small wiki, written with Pyramid: some pages found by route, the rest by walking a tree of pages (traversal).

``/`` and ``/search`` are routes. Below ``/pages`` the path is walked through the tree: ``/pages/walls/brick`` asks the
root for ``walls`` and that page for ``brick``; what is left over, such as ``edit``, names the view.
"""

import warnings

# Pyramid 2.1 imports pkg_resources, which announces its own end to everybody who starts the app.
warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)

from .factory import main  # noqa: E402

__all__ = ["main"]
