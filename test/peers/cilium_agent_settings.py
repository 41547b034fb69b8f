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

OFF = "disabled"
# Helm values on top of the generated ones; the rule of validate; the agent's own words.
BROKEN_VALUES = [
    ("endpoint health checks", {"endpointHealthChecking": {"enabled": True}}, "cilium-endpoint-health",
     "--enable-endpoint-health-checking must be disabled"),
    ("Envoy's configuration", {"envoyConfig": {"enabled": True}}, "cilium-envoy", "--enable-envoy-config must be"),
    ("an ingress", {"ingressController": {"enabled": True}}, "cilium-envoy", "--enable-envoy-config must be"),
    ("the Gateway API", {"gatewayAPI": {"enabled": True}}, "cilium-envoy", "--enable-envoy-config must be"),
    ("Envoy as a load balancer", {"loadBalancer": {"l7": {"backend": "envoy"}}}, "cilium-envoy",
     "--enable-envoy-config must be"),
    ("IPsec", {"encryption": {"enabled": True, "type": "ipsec"}}, "cilium-ipsec", "Cannot specify local-router-ipv4"),
    ("a tunnel", {"routingMode": "tunnel"}, "cilium-routing", "Cannot specify local-router-ipv4"),
    ("no router of IPv6", {"ipv6": {"enabled": True}, "ipv6NativeRoutingCIDR": "fd00:9::/64"}, "cilium-local-router",
     "--local-router-ipv6 must be provided"),
    ("iptables, and no interface named", {"bpf": {"masquerade": False}, "ipMasqAgent": {"enabled": False}},
     "cilium-masquerade", "panic"),
    ("the masquerading agent without BPF", {"bpf": {"masquerade": False}}, "cilium-masquerade",
     "BPF ip-masq-agent requires"),
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
    ("masquerading by iptables through a named interface",
     {"bpf": {"masquerade": False}, "ipMasqAgent": {"enabled": False}, "egressMasqueradeInterfaces": NEAR}),
]

_numbers = itertools.count(1)


class Bench:
    """Where agents are tried, one after the other, that nobody else notices; for a with block."""

    def __init__(self, folder):
        self.folder = folder
        self.netns = f"{folder}/netns"
        self.etcd = Etcd(folder, self.netns)
        self.values = values_of(FOUR)

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
        return cilium_agent.Agent(folder, self.netns, settings, self.etcd, alone=True)


def broken_values(change, rule, words, bench):
    values = merged(bench.values, change)
    assert rule in errors_in(bench, values), f"validate does not say {rule}"
    assert_ends(bench.agent(settings_of(values)), words)


def broken_settings(change, rule, words, bench):
    settings = {**settings_of(bench.values), **change}
    settings = {name: text for name, text in settings.items() if text is not None}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cilium-config"}, "data": settings}
    assert rule in errors_in(bench, made), f"validate does not say {rule}"
    assert_ends(bench.agent(settings), words)


def right_values(change, bench):
    values = merged(bench.values, change)
    assert not errors_in(bench, values), errors_in(bench, values)
    with bench.agent(settings_of(values)) as agent:
        assert agent.ask("/healthz")[0] == 200


def assert_ends(agent, words):
    agent.begin()
    try:
        said = agent.ends()
    finally:
        agent.kill()
    assert words in said, said[-cilium_agent.SHOWN:]


def errors_in(bench, document):
    """The rules that validate says are broken in a document, which is an error each."""
    path = f"{bench.folder}/document.yaml"
    with open(path, "w") as file:
        json.dump(document, file)
    found = json.loads(tool.call("validate", "-o", "json", path).stdout)["findings"]
    return {one["rule"] for one in found if one["severity"] == "error"}


def merged(values, change):
    """Values as by a second values file."""
    if not (isinstance(values, dict) and isinstance(change, dict)):
        return change
    return {**values, **{key: merged(values.get(key), below) for key, below in change.items()}}


def tests(bench):
    for what, change, rule, words in BROKEN_VALUES:
        yield f"{what}: validate says {rule}, and the agent does not start", broken_values, change, rule, words, bench
    for what, change, rule, words in BROKEN_SETTINGS:
        yield f"{what}: validate says {rule}, and the agent does not start", broken_settings, change, rule, words, bench
    for what, change in RIGHT:
        yield f"{what}: validate has nothing against it, and the agent comes up", right_values, change, bench
