#include "shim/cni/announce/frames.hpp"

#include <algorithm>

namespace shim::announce {
namespace {

constexpr Mac kEverybody = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr Mac kNobody = {};
constexpr Mac kAllNodesGroup = {0x33, 0x33, 0, 0, 0, 1};  // RFC 2464 7, of ff02::1
constexpr std::uint16_t kArp = 0x0806;
constexpr std::uint16_t kIpv6 = 0x86dd;
constexpr std::uint16_t kVlanTag = 0x8100;
constexpr std::uint8_t kIcmpv6 = 58;
constexpr char kOnThisLinkOnly = '\xff';  // the hop limit that RFC 4861 7.1.2 asks for

std::string text_of(const Mac& mac) { return {mac.begin(), mac.end()}; }

std::string big_endian(std::uint16_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

std::string ethernet(const Mac& target, const Mac& source, std::uint16_t type) {
  return text_of(target) + text_of(source) + big_endian(type);
}

enum class ArpForm : std::uint16_t { request = 1, reply = 2 };

/// Linux takes a reply for an announcement only when its target hardware address is the sender's.
std::string arp(ArpForm form, const std::string& address, const Mac& owner) {
  const Mac& target = form == ArpForm::reply ? owner : kNobody;
  return big_endian(1) + big_endian(0x0800) + "\x06\x04" +
         big_endian(static_cast<std::uint16_t>(form)) + text_of(owner) + address + text_of(target) +
         address;
}

/// RFC 1071: the one's complement sum of all 16-bit words. The text has an even length.
std::uint16_t checksum(const std::string& text) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    sum += static_cast<std::uint32_t>(static_cast<std::uint8_t>(text[i]) << 8) |
           static_cast<std::uint8_t>(text[i + 1]);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::string all_nodes() {
  std::string group(16, '\0');
  group[0] = '\xff';
  group[1] = '\x02';
  group[15] = '\x01';
  return group;
}

/// An IPv6 packet with a neighbour advertisement: type 136, flag "override", the address, the
/// option "target link-layer address".
std::string advertisement(const std::string& address, const Mac& owner) {
  const std::string to = all_nodes();
  const std::string flags("\x20\0\0\0", 4);
  const std::string rest = flags + address + "\x02\x01" + text_of(owner);
  const auto length = static_cast<std::uint16_t>(4 + rest.size());
  const std::string type("\x88\0", 2);
  const std::string pseudo_header = address + to + std::string(2, '\0') + big_endian(length) +
                                    std::string(3, '\0') + static_cast<char>(kIcmpv6);
  const std::string sum = big_endian(checksum(pseudo_header + type + std::string(2, '\0') + rest));
  return std::string("\x60\0\0\0", 4) + big_endian(length) + static_cast<char>(kIcmpv6) +
         kOnThisLinkOnly + address + to + type + sum + rest;
}

}  // namespace

bool is_unicast(const Mac& mac) { return (mac[0] & 1) == 0 && mac != kNobody; }

std::string bytes_of(const allocator::Address& address) {
  std::string bytes(address_bits(address.family()) / 8, '\0');
  auto number = address.number();
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, number >>= 8)
    *byte = static_cast<char>(number & 0xff);
  return bytes;
}

std::vector<std::string> announcements(const allocator::Address& address, const Mac& owner,
                                       const Mac& sender) {
  const std::string bytes = bytes_of(address);
  if (address.family() == allocator::Family::v6)
    return {ethernet(kAllNodesGroup, sender, kIpv6) + advertisement(bytes, owner)};
  const std::string header = ethernet(kEverybody, sender, kArp);
  return {header + arp(ArpForm::request, bytes, owner), header + arp(ArpForm::reply, bytes, owner)};
}

std::string tagged(const std::string& frame, std::uint16_t vlan) {
  constexpr std::size_t addresses = 2 * sizeof(Mac);
  return frame.substr(0, addresses) + big_endian(kVlanTag) + big_endian(vlan) +
         frame.substr(addresses);
}

}  // namespace shim::announce
