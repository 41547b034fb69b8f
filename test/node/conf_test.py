#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What an operator or a pod may configure, the verbs that no pod needs, and the state of another version."""
import conf_annotations
import conf_copied
import conf_format
import conf_ranges
import conf_retain
import conf_sources
import conf_syslog
import conf_verbs
import conf_yurthub
import plugin
import sandbox
import tap
from node import fake_boots
from syslog_socket import private_dev

PARTS = (conf_retain, conf_annotations, conf_ranges, conf_sources, conf_copied, conf_yurthub, conf_syslog,
         conf_verbs, conf_format)


def tests():
    for part in PARTS:
        for sentence, test in part.TESTS:
            yield sentence, test


if __name__ == "__main__":
    tap.main("conf", tests, sandbox.enter, fake_boots, private_dev, lambda: plugin.require(plugin.BINARY))
