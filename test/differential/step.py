"""One command of a differential run, and how both plugins are told it.

A step holds the configuration as host-local knows it. Both plugins get it with our keys beside (the Go plugin ignores
them); ours gets it also in the other form, with the stock keys inside `delegate`.
"""
import copy
import json
from dataclasses import dataclass, field

from answer import same
import plugin

OUR_KEYS = {"retain": False, "onDuplicate": "error"}
NEWEST = "1.1.0"  # unknown to host-local 1.1.1
NEWEST_KNOWN = "1.0.0"


@dataclass
class Step:
    """A command, its environment and its configuration without dataDir."""

    command: str
    conf: dict
    container: str = "c1"
    ifname: str = "eth0"
    args: str = None
    env: dict = field(default_factory=dict)  # variables that replace those above; None leaves one out
    delegated: bool = False  # ours gets the stock keys inside `delegate`
    spelling: tuple = ()  # (text, replacement): changes of the encoded configuration, each done once
    plain_version: bool = False  # the Go plugin gets cniVersion 1.1.0 too
    damage: tuple = ()  # (path, entry or None) put into the data folder, or removed, before the command

    @property
    def network(self):
        return self.conf.get("name")

    @property
    def version(self):
        return self.conf.get("cniVersion") or "0.1.0"

    def environment(self):
        values = plugin.environment(self.command, self.container, self.ifname, args=self.args)
        values.update(self.env)
        return {key: value for key, value in values.items() if value is not None}

    def stdin(self, data_dir, ours):
        """The configuration as text, for our plugin or for the Go plugin; a data_dir of None leaves dataDir out."""
        conf = copy.deepcopy(self.conf)
        if isinstance(conf.get("ipam"), dict):
            conf["ipam"] = self.ipam(conf["ipam"], data_dir, ours)
        if not ours and self.stands_in:
            conf["cniVersion"] = NEWEST_KNOWN
        text = json.dumps(conf)
        for old, new in self.spelling:
            text = text.replace(old, new, 1)
        return text

    @property
    def stands_in(self):
        """Whether the Go plugin is told an older version because it does not know the one of the step."""
        return self.conf.get("cniVersion") == NEWEST and not self.plain_version

    def ipam(self, stock, data_dir, ours):
        if data_dir is not None and "dataDir" not in stock:
            stock = {**stock, "dataDir": data_dir}
        if ours and self.delegated and "type" not in stock:
            return {"type": "delegated-ipam", **OUR_KEYS, "delegate": {**stock, "type": "host-local"}}
        return {"type": "delegated-ipam", **OUR_KEYS, **stock}


@dataclass(frozen=True)
class Answer:
    """What a plugin did: exit code, the JSON value on stdout, and the data folder afterwards (its essence)."""

    exit: int
    doc: object
    state: dict

    @property
    def message(self):
        return self.doc.get("msg", "") if isinstance(self.doc, dict) else ""

    @property
    def code(self):
        return self.doc.get("code") if isinstance(self.doc, dict) else None


def agree(expected, got):
    """Whether a plugin did what was expected of it."""
    return expected.exit == got.exit and same(expected.doc, got.doc) and expected.state == got.state


def refusal(code, message, state):
    return Answer(1, {"code": code, "msg": message}, state)
