"""What `validate` says of the agent's settings, tried on the agent: with what is an error there it does not start, and
with what is right it comes up. Each is a change of what `generate` writes for Cilium.
"""
import itertools
import json
import os

import cilium_agent
import nsmount
import tool
from cilium_agent_node import FAR4, FOUR, NEAR4, settings_of, values_of
from etcd import Etcd
from uplink import NEAR

# Helm values on top of the generated ones; the rule of validate; the agent's own words.
BROKEN_VALUES = [
    ("endpoint health checks", {"endpointHealthChecking": {"enabled": True}}, "cilium-endpoint-health",
     "--enable-endpoint-health-checking must be disabled"),
    ("Envoy's configuration", {"envoyConfig": {"enabled": True}}, "cilium-envoy", "--enable-envoy-config must be"),
    ("an ingress", {"ingressController": {"enabled": True}}, "cilium-envoy", "--enable-envoy-config must be"),
    ("the Gateway API", {"gatewayAPI": {"enabled": True}}, "cilium-envoy", "--enable-envoy-config must be"),
    ("Envoy as a load balancer", {"loadBalancer": {"l7": {"backend": "envoy"}}}, "cilium-envoy",
     "--enable-envoy-config must be"),
    ("IPsec", {"encryption": {"enabled": True, "type": "ipsec"}}, "cilium-ipsec",
     "Cannot specify local-router-ipv4 or local-router-ipv6 with enable-ipsec"),
    ("a tunnel", {"routingMode": "tunnel"}, "cilium-routing", "Cannot specify local-router-ipv4"),
    ("no router of IPv6", {"ipv6": {"enabled": True}, "ipv6NativeRoutingCIDR": "fd00:9::/64"}, "cilium-local-router",
     "--local-router-ipv6 must be provided"),
    ("iptables, and no interface named", {"bpf": {"masquerade": False}, "ipMasqAgent": {"enabled": False}},
     "cilium-masquerade", "panic"),
    ("the masquerading agent without BPF", {"bpf": {"masquerade": False}, "egressMasqueradeInterfaces": NEAR},
     "cilium-masquerade", "BPF ip-masq-agent requires"),
    ("masquerading off, and BPF for it on", {"ipMasqAgent": {"enabled": False}, "enableIPv4Masquerade": False},
     "cilium-masquerade", "BPF masquerade requires"),
    ("masquerading off, and its agent on", {"bpf": {"masquerade": False}, "enableIPv4Masquerade": False},
     "cilium-masquerade", "BPF ip-masq-agent requires"),
    ("BPF masquerading, and an interface named", {"egressMasqueradeInterfaces": NEAR}, "cilium-masquerade",
     "BPF masquerade does not allow to specify devices"),
    ("BPF masquerading as the route says", {"enableMasqueradeRouteSource": True}, "cilium-masquerade",
     "--enable-masquerade-to-route-source"),
]
# The agent's own settings, for what the chart refuses itself or does not know; None removes one.
BROKEN_SETTINGS = [
    ("no router", {"local-router-ipv4": None}, "cilium-local-router", "--local-router-ipv4 must be provided"),
    ("masquerading without the pods' range", {"enable-ip-masq-agent": None, "ipv4-native-routing-cidr": None},
     "cilium-native-cidr", "native routing cidr must be configured with option --ipv4-native-routing-cidr"),
    ("the same for IPv6", {"enable-ip-masq-agent": None, "enable-ipv6": "true", "local-router-ipv6": "fe80::"},
     "cilium-native-cidr", "native routing cidr must be configured with option --ipv6-native-routing-cidr"),
]
RIGHT = [
    ("no masquerading", {"bpf": {"masquerade": False}, "ipMasqAgent": {"enabled": False},
                         "enableIPv4Masquerade": False}),
    ("a Gateway API that the chart did not switch on", {"extraConfig": {"enable-gateway-api": "true"}}),
    ("masquerading by iptables through a named interface",
     {"bpf": {"masquerade": False}, "ipMasqAgent": {"enabled": False}, "egressMasqueradeInterfaces": NEAR}),
]

AT_ONCE = 4
IPSEC_KEY = f"3+ rfc4106(gcm(aes)) {'0123456789' * 4} 128\n"

_numbers = itertools.count(1)


class Bench:
    """Where agents are tried, one after the other, that nobody else notices; for a with block."""

    def __init__(self, folder):
        self.folder = folder
        self.netns = f"{folder}/netns"
        self.etcd = Etcd(folder, self.netns)
        self.values = values_of(FOUR)
        self.settings = settings_of(self.values)

    def __enter__(self):
        os.makedirs(self.folder)
        nsmount.make(self.netns)
        for words in ("link set lo up", f"link add {NEAR} type veth peer name wire", f"link set {NEAR} up",
                      "link set wire up", f"address add {NEAR4}/24 dev {NEAR}", f"route add default via {FAR4}"):
            nsmount.inside(self.netns, "ip", *words.split())
        self.etcd.__enter__()
        return self

    def __exit__(self, *error):
        self.etcd.__exit__(*error)
        nsmount.remove(self.netns)

    def agent(self, settings):
        """An agent with these settings that has not been started."""
        folder = f"{self.folder}/{next(_numbers)}"
        os.makedirs(folder)
        with open(f"{folder}/keys", "w") as file:
            file.write(IPSEC_KEY)
        return cilium_agent.Agent(folder, self.netns, {**settings, "ipsec-key-file": file.name}, self.etcd, alone=True)


class Trial:
    """A change that validate calls an error. change: of the values, or of the settings (None removes one). rule: of
    validate. words: what the agent says."""

    def __init__(self, bench, change, rule, words, is_of_values):
        self.rule = rule
        self.words = words
        self._bench = bench
        self._change = change
        self._is_of_values = is_of_values
        self._agent = None

    def begin(self):
        """Start the agent, if it has not been started."""
        if self._agent:
            return
        settings = settings_of(self._document()) if self._is_of_values else self._document()["data"]
        self._agent = self._bench.agent(settings)
        self._agent.begin()

    def check(self, next_ones):
        """It is as validate says. next_ones: those to start meanwhile, as most of the time they wait."""
        for trial in (self, *next_ones):
            trial.begin()
        try:
            said = self._agent.ends()
        finally:
            self._agent.kill()
        assert self.words in said, self._agent.trouble()
        assert self.rule in errors_in(self._bench.folder, self._document()), f"validate does not say {self.rule}"

    def _document(self):
        if self._is_of_values:
            return merged(self._bench.values, self._change)
        settings = {**self._bench.settings, **self._change}
        return config_map({name: text for name, text in settings.items() if text is not None})


def comes_up(bench, change):
    values = merged(bench.values, change)
    assert not errors_in(bench.folder, values), errors_in(bench.folder, values)
    with bench.agent(settings_of(values)) as agent:
        assert agent.ask("/healthz")[0] == 200


def config_map(settings):
    """The agent's ConfigMap with these settings."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cilium-config"}, "data": settings}


def errors_in(folder, *documents):
    """The rules that validate says are broken in documents that are used together, which is an error each."""
    paths = [f"{folder}/document-{number}.conflist" if "plugins" in one else f"{folder}/document-{number}.yaml"
             for number, one in enumerate(documents)]
    for path, document in zip(paths, documents):
        with open(path, "w") as file:
            json.dump(document, file)
    found = json.loads(tool.call("validate", "-o", "json", *paths).stdout)["findings"]
    return {one["rule"] for one in found if one["severity"] == "error"}


def merged(values, change):
    """Values as by a second values file."""
    if not (isinstance(values, dict) and isinstance(change, dict)):
        return change
    return {**values, **{key: merged(values.get(key), below) for key, below in change.items()}}


def tests(bench):
    trials = [(what, Trial(bench, *rest, table is BROKEN_VALUES))
              for table in (BROKEN_VALUES, BROKEN_SETTINGS) for what, *rest in table]
    for place, (what, trial) in enumerate(trials):
        next_ones = [one for _, one in trials[place + 1:place + AT_ONCE]]
        yield f"{what}: validate says {trial.rule}, and the agent does not start", trial.check, next_ones
    for what, change in RIGHT:
        yield f"{what}: validate has nothing against it, and the agent comes up", comes_up, bench, change
