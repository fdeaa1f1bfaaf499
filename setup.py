"""
What pyproject.toml cannot say: the plugin directory, which belongs to Twisted.

``twisted.plugins`` is named by hand since no package finder may see it: the
directory must not hold an ``__init__.py``, or Twisted would skip it.  The
``package_dir`` makes an editable install put the checkout itself on ``sys.path``,
which is where Twisted looks for plugins.  Everything else is in pyproject.toml.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["rangedaemon", "rangedaemon.*"]), "twisted.plugins"],
    package_dir={"": "."},
    package_data={
        "rangedaemon": ["py.typed"],
        "rangedaemon.storage": ["migrations/*.mako", "migrations/versions/*.py"],
        "rangedaemon.control": ["web/*", "web/**/*"],
    },
    zip_safe=False,
)
