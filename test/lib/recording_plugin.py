#!/usr/bin/python3 -EBS
"""An IPAM plugin that notes each call in a file and has another plugin do it, whose answer goes straight to the caller.

RECORD_LOG: the file, two lines of JSON a call, at its begin and at its end. RECORD_PLUGIN: the other plugin.
RECORD_NETWORK: where it keeps its addresses. RECORD_REFUSED: a file; when it is there, the next ADD takes it away and
cannot be answered, as if the caller's disk were full.
"""
import contextlib
import json
import os
import subprocess
import sys
import time


def main():
    stdin = sys.stdin.buffer.read()
    args = dict(pair.split("=", 1) for pair in os.environ.get("CNI_ARGS", "").split(";") if "=" in pair)
    call = {"call": f"{os.getpid()} {time.monotonic_ns()}"}
    note({**call, "verb": os.environ.get("CNI_COMMAND"), "sandbox": os.environ.get("CNI_CONTAINERID", ""),
          "netns": os.environ.get("CNI_NETNS", ""), "is_there": os.path.exists(os.environ.get("CNI_NETNS", "")),
          "pod": f"{args.get('K8S_POD_NAMESPACE', '')}/{args.get('K8S_POD_NAME', '')}",
          "uid": args.get("K8S_POD_UID", ""), "has_result": bool(json.loads(stdin or b"{}").get("prevResult"))})
    with answer() as stdout:
        done = subprocess.run([os.environ["RECORD_PLUGIN"]], input=stdin, stdout=stdout)
    note({**call, "exit": done.returncode, "addresses": addresses(os.environ.get("CNI_CONTAINERID", ""))})
    sys.exit(done.returncode)


@contextlib.contextmanager
def answer():
    """Where the plugin's answer goes: to our caller (None), or where there is no room for it."""
    if os.environ.get("CNI_COMMAND") != "ADD" or not taken_away(os.environ["RECORD_REFUSED"]):
        yield None
        return
    with open("/dev/full", "wb") as full:
        yield full


def taken_away(path):
    """True for the one process that has removed the file."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def addresses(sandbox):
    """Those that the network's folder has for this sandbox."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(os.environ["RECORD_NETWORK"]):
            with contextlib.suppress(OSError), open(entry.path) as file:
                if sandbox and file.readline().rstrip() == sandbox:
                    found.append(entry.name)
    return sorted(found)


def note(line):
    """Append it as a whole, beside others."""
    log = os.open(os.environ["RECORD_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(log, f"{json.dumps(line)}\n".encode())
    os.close(log)


main()
