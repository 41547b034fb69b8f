#include "allocator/range.hpp"

#include "allocator/error.hpp"

namespace allocator {
namespace {

/// A subnet with fewer than two host bits has no room for a network address, a gateway and a pod.
void check_subnet(const Cidr& subnet) {
  const unsigned bits = address_bits(subnet.address.family());
  if (subnet.prefix_length > bits - 2) {
    throw Error(Kind::invalid_range,
                "Network " + subnet.to_string() + " too small to allocate from");
  }
  if (subnet.mapped) throw Error(Kind::invalid_range, "IPNet IP and Mask version mismatch");
  if (subnet.network() != subnet.address) {
    throw Error(Kind::invalid_range, "Network has host bits set. For a subnet mask of length " +
                                         std::to_string(subnet.prefix_length) +
                                         " the network address is " + subnet.network().to_string());
  }
}

Address default_end(const Cidr& subnet) {
  const Address last = subnet.last();
  if (last.family() == Family::v6) return last;
  return {Family::v4, last.number() - 1};
}

[[noreturn]] void throw_outside(const std::string& key, const Address& address,
                                const Cidr& subnet) {
  throw Error(Kind::invalid_range,
              key + " " + address.to_string() + " not in network " + subnet.to_string());
}

}  // namespace

bool Range::contains(const Address& address) const { return start <= address && address <= end; }

bool Range::overlaps(const Range& other) const { return start <= other.end && other.start <= end; }

std::string Range::to_string() const { return start.to_string() + "-" + end.to_string(); }

Range complete(const RangeSpec& spec) {
  if (!spec.subnet) throw Error(Kind::invalid_range, "IP <nil> not v4 nor v6");
  const Cidr subnet = *spec.subnet;
  check_subnet(subnet);
  const Address first_host(subnet.address.family(), subnet.address.number() + 1);
  const Address start = spec.start.value_or(first_host);
  // A start behind a given end is reported as a wrong start: host-local looks at the start first.
  const bool behind_end = spec.end && spec.end->family() == start.family() && start > *spec.end;
  if (spec.start && (!subnet.contains(start) || behind_end))
    throw_outside("RangeStart", start, subnet);
  const Address end = spec.end.value_or(default_end(subnet));
  if (spec.end && (!subnet.contains(end) || end < start)) throw_outside("RangeEnd", end, subnet);
  if (start > end) {
    // host-local lets rangeStart be the broadcast address and then walks out of the subnet.
    throw Error(Kind::invalid_range, "RangeStart " + start.to_string() +
                                         " is behind the end of the range, " + end.to_string() +
                                         "; set rangeEnd too, or lower rangeStart");
  }
  return {subnet, start, end, spec.gateway.value_or(first_host)};
}

}  // namespace allocator
