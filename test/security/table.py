"""Where odd things are put: every place that a command names, but for those that are left.

Names with an @ are a node's folders, see places.py; those in capitals stand for any of their kind.
"""

# No files of ours, nor of a configuration: why odd things need not be put there.
LEFT = {
    "/|/var|/var/lib|/var/lib/cni|/var/lib/cni/security|@home": "folders above ours, which are flushed",
    "/etc/localtime": "the C library's",
    "/etc/kubernetes/cache.*": "YurtHub's, which `report` reads: torn and odd ones are in report_test.py",
    "/proc/.*": "the kernel's",
    "/run/netns/security|/var/run/netns/none": "the caller's CNI_NETNS, see netns_test.py",
}

# A folder of ours may be a link to another one, as an operator has moved it: what lies there stays as it is.
FOLLOWED = ("@data", "@home/log", "@network", "@plugin", "@plugin/attachments", "@plugin/journal", "@plugin/repeats",
            "@plugin/tombs", "@records", "@run", "@run/repeats", "@run/tombs", "@run/unbound", "@state")
# A link in place of the log, or of its folder, leads to where the log shall be: only root can have made it there.
LOG = ("@home/log", "@home/log/ipam.log")


# Of these kinds in these places something is known to be wrong: (place, kind).
SPARED = ()

# Refusals in the words of others, which have no path or remedy of ours: host-local's, Go's, the plugin's that is run.
OTHERS_WORDS = {
    "@home/resolv.conf": "^bufio.Scanner: token too long$",
    "@home/delegate/bin/ledger": "^failed to find plugin |fork/exec .*: permission denied$",
    "@network": "^host-local: Failed to find address ",
    "@network/ADDRESS": "^host-local: Failed to find address ",
    "@plugin": "^duplicate allocation$",
    "@plugin/attachments": "^duplicate allocation$",
    "@plugin/attachments/KEY": "^duplicate allocation$",
}

OURS = {
    "built-in": [
        "/var/lib/cni/results", "@conf", "@conf/10-pods.conflist", "@conf/net", "@data", "@entry-ID", "@home/log",
        "@home/log/ipam.log", "@home/resolv.conf", "@home/subnet.env", "@network", "@network/ADDRESS",
        "@network/last_reserved_ip.0", "@network/lock", "@network/net", "@records", "@records/.new", "@records/boots",
        "@records/ip.ADDRESS", "@records/netdir", "@records/node-ranges", "@records/pins", "@records/pod.POD", "@run",
        "@run/aside", "@run/evicted", "@run/index", "@run/pending", "@run/pending/KEY", "@run/repeats", "@run/repeats/KEY", "@run/scan",
        "@run/scan.new", "@run/sequence", "@run/sequence.new", "@run/tombs", "@run/tombs/KEY", "@run/unbound",
        "@run/unbound/ADDRESS", "@run/unflushed.KEY", "@run/used", "@state",
    ],
    "delegated": [
        "/dev/log", "/var/lib/cni/results", "@entry-ID", "@home/delegate/bin/ledger", "@plugin", "@plugin/attachments",
        "@plugin/attachments/KEY", "@plugin/attachments/KEY.new", "@plugin/boot", "@plugin/journal",
        "@plugin/journal/KEY", "@plugin/repeats", "@plugin/repeats/KEY", "@plugin/sequence", "@plugin/sequence.new",
        "@plugin/since", "@plugin/tombs", "@plugin/tombs/KEY", "@records", "@records/.new", "@records/boots",
        "@records/ip.ADDRESS", "@records/lock", "@records/netdir", "@records/pod.POD", "@runs/NUMBER", "@runs/versions",
        "@state",
    ],
}
