#pragma once
/// One range: a subnet, the part of it that is handed out, and its gateway. Pure.
#include <optional>
#include <string>

#include "allocator/address.hpp"

namespace allocator {

/// A range as it is written in a configuration; everything but the subnet may be missing.
struct RangeSpec {
  std::optional<Cidr> subnet;
  std::optional<Address> start;
  std::optional<Address> end;
  std::optional<Address> gateway;
};

/// A valid range: start <= end, both inside the subnet. The gateway may lie outside and be of the
/// other family: host-local's users rely on that (off-subnet IPv6 gateways).
struct Range {
  Cidr subnet;
  Address start;
  Address end;
  Address gateway;

  [[nodiscard]] bool contains(const Address& address) const;
  /// True when both hand out a common address.
  [[nodiscard]] bool overlaps(const Range& other) const;
  /// "start-end", as host-local's messages name a range.
  [[nodiscard]] std::string to_string() const;
};

/// The range that `spec` means: gateway and start default to the first host address, end to the
/// last (IPv4: the one before the broadcast address; IPv6: all ones).
/// Errors: throws Error{invalid_range} with host-local's texts.
Range complete(const RangeSpec& spec);

}  // namespace allocator
