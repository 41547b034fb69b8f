"""Services as kube-proxy makes them of EndpointSlices: nftables rules that translate a cluster IP to pods' addresses.

The shape is that of kube-proxy's nftables mode, but for the choice of the endpoint: in turn instead of by chance, so
that as many requests as a Service has endpoints meet each of them once.
"""
from dataclasses import dataclass

TABLE = "kube-proxy"


@dataclass
class Service:
    """One port of a Service, and what the EndpointSlices say of it: {pod: its addresses}.

    cluster_ips: one or two, of different families. port: of the cluster IP; target: of the pods.
    """

    name: str
    cluster_ips: list
    protocol: str
    port: int
    target: int
    endpoints: dict

    def of_family(self, family):
        """Its cluster IP and its endpoints in "ip" or "ip6": ("10.96.0.20", ["10.244.1.3", ...])."""
        def belong(addresses):
            return [address for address in addresses if (":" in address) == (family == "ip6")]
        (cluster_ip,) = belong(self.cluster_ips)
        return cluster_ip, belong(address for addresses in self.endpoints.values() for address in addresses)


def rules(services, families):
    """The text that nft -f reads, for families of "ip" and "ip6"; it puts whole tables in place, at once."""
    return "".join(_table(family, services) for family in families)


def _table(family, services):
    lines = [f"table {family} {TABLE}", f"delete table {family} {TABLE}", f"table {family} {TABLE} {{"]
    lines += _chain("prerouting", "type nat hook prerouting priority dstnat;", "jump services")
    lines += _chain("output", "type nat hook output priority -100;", "jump services")
    # A pod that is sent to itself would see its own address as the sender's, and answer itself.
    lines += _chain("postrouting", "type nat hook postrouting priority srcnat;",
                    "meta mark & 0x4000 == 0x4000 masquerade")
    dispatch = []
    for service in services:
        cluster_ip, addresses = service.of_family(family)
        dispatch.append(f"{family} daddr {cluster_ip} {service.protocol} dport {service.port} "
                        f"goto service-{service.name}")
        lines += _service(family, service, addresses)
    return "\n".join([*lines, *_chain("services", *dispatch), "}", ""])


def _service(family, service, addresses):
    """The chains of one Service: one an endpoint, and the one that chooses."""
    lines, turns = [], []
    for number, address in enumerate(addresses):
        target = f"[{address}]:{service.target}" if family == "ip6" else f"{address}:{service.target}"
        lines += _chain(f"endpoint-{service.name}-{number}",
                        f"{family} saddr {address} meta mark set meta mark | 0x4000",
                        f"meta l4proto {service.protocol} dnat to {target}")
        turns.append(f"{number} : goto endpoint-{service.name}-{number}")
    return lines + _chain(f"service-{service.name}", f"numgen inc mod {len(turns)} vmap {{ {', '.join(turns)} }}")


def _chain(name, *lines):
    return [f"  chain {name} {{", *(f"    {line}" for line in lines), "  }"]
