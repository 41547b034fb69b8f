#include "allocator/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace allocator {
namespace {

constexpr Uint128 kMappedPrefix = 0xffff;  // bits 32 to 47 of ::ffff:0:0/96

constexpr Uint128 all_ones(unsigned bits) {
  return bits >= 128 ? ~Uint128{0} : (Uint128{1} << bits) - 1;
}

template <std::size_t N>
Uint128 from_bytes(const std::array<std::uint8_t, N>& bytes) {
  Uint128 number = 0;
  for (const auto byte : bytes) number = (number << 8) | byte;
  return number;
}

std::string v4_text(Uint128 number) {
  std::array<char, INET_ADDRSTRLEN> text{};
  char* end = text.data();
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (end != text.data()) *end++ = '.';
    const auto byte = static_cast<unsigned>((number >> shift) & 0xff);
    end = std::to_chars(end, text.data() + text.size(), byte).ptr;
  }
  return {text.data(), end};
}

struct ZeroRun {
  std::size_t start = 8;  // behind the last group: none
  std::size_t length = 0;
};

/// The longest run of at least two zero groups, the leftmost of equals (RFC 5952 section 4.2).
ZeroRun longest_zero_run(const std::array<unsigned, 8>& groups) {
  ZeroRun best;
  for (std::size_t start = 0; start < groups.size(); ++start) {
    std::size_t length = 0;
    while (start + length < groups.size() && groups[start + length] == 0) ++length;
    if (length >= 2 && length > best.length) best = {start, length};
  }
  return best;
}

std::string v6_text(Uint128 number) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] = static_cast<unsigned>((number >> (112 - 16 * i)) & 0xffff);
  }
  const ZeroRun run = longest_zero_run(groups);
  std::string text;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i == run.start) {
      text += "::";
      i += run.length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), groups[i], 16);
    text.append(digits.data(), end.ptr);
  }
  return text;
}

struct Parsed {
  Address address;
  bool mapped;
};

std::optional<Parsed> parse_any(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.empty() || text.size() >= terminated.size()) return std::nullopt;
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(terminated.data(), text.data(), text.size());
  std::array<std::uint8_t, 4> v4{};
  if (inet_pton(AF_INET, terminated.data(), v4.data()) == 1) {
    return Parsed{Address(Family::v4, from_bytes(v4)), false};
  }
  std::array<std::uint8_t, 16> v6{};
  if (inet_pton(AF_INET6, terminated.data(), v6.data()) != 1) return std::nullopt;
  const Uint128 number = from_bytes(v6);
  if (number >> 32 == kMappedPrefix) {
    return Parsed{Address(Family::v4, number & all_ones(32)), true};
  }
  return Parsed{Address(Family::v6, number), false};
}

/// Go's prefix syntax: decimal digits only; leading zeros are allowed ("/016" is 16).
std::optional<unsigned> parse_prefix_length(std::string_view text, unsigned limit) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  unsigned value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc{} || value > limit) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  const auto parsed = parse_any(text);
  if (!parsed) return std::nullopt;
  return parsed->address;
}

std::string Address::to_string() const {
  return family_ == Family::v4 ? v4_text(number_) : v6_text(number_);
}

std::optional<Address> Address::next() const {
  if (number_ == all_ones(address_bits(family_))) return std::nullopt;
  return Address(family_, number_ + 1);
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto parsed = parse_any(text.substr(0, slash));
  if (!parsed) return std::nullopt;
  const unsigned written_bits = parsed->mapped ? 128 : address_bits(parsed->address.family());
  const auto length = parse_prefix_length(text.substr(slash + 1), written_bits);
  if (!length) return std::nullopt;
  if (!parsed->mapped) return Cidr{parsed->address, *length, false};
  return Cidr{parsed->address, *length > 96 ? *length - 96 : 0, true};
}

std::string Cidr::to_string() const {
  return address.to_string() + "/" + std::to_string(prefix_length);
}

Address Cidr::network() const {
  const unsigned host_bits = address_bits(address.family()) - prefix_length;
  return {address.family(), address.number() & ~all_ones(host_bits)};
}

Address Cidr::last() const {
  const unsigned host_bits = address_bits(address.family()) - prefix_length;
  return {address.family(), network().number() | all_ones(host_bits)};
}

bool Cidr::contains(const Address& other) const {
  return other.family() == address.family() && network() <= other && other <= last();
}

bool contains(const std::vector<Address>& addresses, const Address& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

}  // namespace allocator
