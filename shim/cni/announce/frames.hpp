#pragma once
/// The Ethernet frames that tell the neighbours on a link who has an address. Pure.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/address.hpp"

namespace shim::announce {

using Mac = std::array<std::uint8_t, 6>;

/// True for one device's own address: neither a group's nor all zero.
bool is_unicast(const Mac& mac);

/// The address in network order: 4 or 16 bytes.
std::string bytes_of(const allocator::Address& address);

/// The frames that say "`address` is at `owner`". `sender` is the source of the frames themselves:
/// what a bridge learns from them is where `sender` is, and nothing about `owner`.
///
/// IPv4: an ARP announcement in both forms, request and reply; IPv6: an unsolicited neighbour
/// advertisement that overrides what is known.
/// Source: RFC 5227 2.3; RFC 5944 4.6 for the reply; RFC 4861 4.4 and 7.2.6.
std::vector<std::string> announcements(const allocator::Address& address, const Mac& owner,
                                       const Mac& sender);

/// The frame as a member of a VLAN gets it that takes tagged frames.
/// Source: IEEE 802.1Q-2018 9.6.
std::string tagged(const std::string& frame, std::uint16_t vlan);

}  // namespace shim::announce
