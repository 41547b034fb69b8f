"""What this machine's apt knows of Debian."""
import glob
import os
import re


def archive():
    """The address of Debian's archive that apt asks here; None when it asks none."""
    text = ""
    for path in ("/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))):
        if os.path.exists(path):
            with open(path) as file:
                text += file.read() + "\n"
    found = re.search(r"^(?:deb +(?:\[[^]]*\] +)?|URIs: *)(https?://\S+/debian/?)(?=\s)", text, re.MULTILINE)
    return found and found[1]
