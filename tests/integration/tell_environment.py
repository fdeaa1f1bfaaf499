"""A command for uploads: writes down beside the file what it was told of it."""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """The environment, the argument and the input; the file appears whole."""
    told = {name: value for name, value in os.environ.items() if name.startswith("RANGEDAEMON_")}
    told["argument"], told["input"] = sys.argv[1], sys.stdin.read()
    name = told["RANGEDAEMON_PATH"] + ".told"
    with open(name + ".tmp", "w") as out:
        json.dump(told, out)
    os.rename(name + ".tmp", name)


if __name__ == "__main__":
    main()
