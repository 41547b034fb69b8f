#pragma once
/// IP addresses and CIDR blocks as values: parse, compare, count, print in Go's text form.
///
/// Pure: no I/O. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) *is* the IPv4 address, as in Go's net
/// package, on which every file name in host-local's directory depends.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/wide_number.hpp"

namespace allocator {

#ifdef __SIZEOF_INT128__
__extension__ using Uint128 = unsigned __int128;
#else
using Uint128 = WideNumber;
#endif

enum class Family : std::uint8_t { v4, v6 };

/// The number of bits in an address of `family`: 32 or 128.
constexpr unsigned address_bits(Family family) { return family == Family::v4 ? 32 : 128; }

/// One IPv4 or IPv6 address. Ordered by family, then by number.
class Address {
 public:
  constexpr Address(Family family, Uint128 number) : family_(family), number_(number) {}

  /// Reads an address as Go's net.ParseIP does: no leading zeros in IPv4 octets, no zone, mapped
  /// folded to IPv4.
  /// Errors: nullopt for anything else.
  static std::optional<Address> parse(std::string_view text);

  /// The text that Go prints: dotted IPv4; RFC 5952 IPv6, never with a dotted tail.
  [[nodiscard]] std::string to_string() const;

  [[nodiscard]] constexpr Family family() const { return family_; }
  /// The address as a number in host order.
  [[nodiscard]] constexpr Uint128 number() const { return number_; }
  /// The following address; nullopt after the last one of the family.
  [[nodiscard]] std::optional<Address> next() const;

  friend constexpr bool operator==(const Address&, const Address&) = default;
  /// What maps compare by: a defaulted <=> is four times the instructions.
  friend constexpr bool operator<(const Address& one, const Address& other) {
    return one.family_ != other.family_ ? one.family_ < other.family_ : one.number_ < other.number_;
  }
  // clang-tidy 14 takes the 0 of a defaulted <=> for a pointer.
  friend constexpr auto operator<=>(const Address&, const Address&) = default;  // NOLINT

 private:
  Family family_;
  Uint128 number_;
};

/// An address with a prefix length; the host part is kept (Go's net.ParseCIDR and types.IPNet).
struct Cidr {
  Address address;
  /// Length of the prefix in bits of the address' family.
  unsigned prefix_length;
  /// Written as an IPv4-mapped IPv6 address: fine in a result, not as a subnet to allocate from.
  bool mapped = false;

  /// Reads "address/prefix length". A mapped address folds to IPv4 with 96 taken off its prefix
  /// (not below 0).
  /// Errors: nullopt for anything else, netmask forms included.
  static std::optional<Cidr> parse(std::string_view text);

  /// "address/prefix length" with the host part as it was written.
  [[nodiscard]] std::string to_string() const;
  /// The first address of the block: all host bits zero.
  [[nodiscard]] Address network() const;
  /// The last address of the block: all host bits one.
  [[nodiscard]] Address last() const;
  [[nodiscard]] bool contains(const Address& other) const;

  friend constexpr bool operator==(const Cidr&, const Cidr&) = default;
};

/// True when it is one of them.
bool contains(const std::vector<Address>& addresses, const Address& address);

}  // namespace allocator
