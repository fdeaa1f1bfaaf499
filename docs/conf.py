"""How the documents are built: ``make docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from rangedaemon import __version__

project = "rangedaemon"
copyright = "the rangedaemon maintainers"
version = release = __version__
extensions = ["sphinx.ext.doctest", "sphinx_click", "generated"]
html_theme = "furo"
html_title = f"rangedaemon {__version__}"
exclude_patterns = ["_build"]
nitpicky = True
doctest_test_doctest_blocks = ""
man_pages = [("reference/rangectl", "rangectl", "steer a running rangedaemon", [], 1)]
man_show_urls = False
