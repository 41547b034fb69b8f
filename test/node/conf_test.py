#!/usr/bin/python3
"""What an operator or a pod may configure, the verbs that no pod needs, and the state of another version."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import conf_annotations  # noqa: E402
import conf_copied  # noqa: E402
import conf_format  # noqa: E402
import conf_ranges  # noqa: E402
import conf_retain  # noqa: E402
import conf_sources  # noqa: E402
import conf_syslog  # noqa: E402
import conf_verbs  # noqa: E402
import conf_yurthub  # noqa: E402
import plugin  # noqa: E402
import sandbox  # noqa: E402
from node import fake_boots  # noqa: E402
from syslog_socket import private_dev  # noqa: E402
from tap import Suite  # noqa: E402

PARTS = (conf_retain, conf_annotations, conf_ranges, conf_sources, conf_copied, conf_yurthub, conf_syslog,
         conf_verbs, conf_format)


def main():
    sandbox.enter()
    fake_boots()
    private_dev()
    plugin.require(plugin.BINARY)
    suite = Suite("conf")
    for part in PARTS:
        for sentence, test in part.TESTS:
            suite.run(sentence, test)
    suite.finish()


if __name__ == "__main__":
    main()
