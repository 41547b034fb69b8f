// The frames that announce an address, byte by byte.
#include <cstdio>

#include "shim/cni/announce/frames.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/values.hpp"

using namespace shim::announce;

namespace {

constexpr Mac kPod = {0x0a, 0x58, 0x0a, 0xf4, 0x01, 0x07};
constexpr Mac kBridge = {0xb2, 0x9d, 0xd7, 0xb7, 0x6e, 0x20};

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(byte));
    text += digits;
  }
  return text;
}

std::vector<std::string> frames_of(const char* text) {
  return announcements(*allocator::Address::parse(text), kPod, kBridge);
}

/// RFC 1071: with its own checksum in it, a packet and its pseudo header add up to all ones.
unsigned sum_of(const std::string& frame) {
  const std::string packet = frame.substr(14);
  const std::string upper = packet.substr(40);
  const std::string summed = packet.substr(8, 32) + std::string(3, '\0') +
                             static_cast<char>(upper.size()) + std::string(3, '\0') +
                             static_cast<char>(58) + upper;
  unsigned sum = 0;
  for (std::size_t i = 0; i < summed.size(); i += 2)
    sum += static_cast<unsigned char>(summed[i]) * 256U + static_cast<unsigned char>(summed[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

}  // namespace

TEST_CASE("an IPv4 address is announced by an ARP request and a reply", "[announce]") {
  const auto frames = frames_of("10.244.1.7");
  REQUIRE(frames.size() == 2);
  CHECK(hex(frames[0]) ==
        "ffffffffffff"  // to everybody
        "b29dd7b76e20"  // from the bridge
        "0806"          // ARP
        "0001"
        "0800"
        "06"
        "04"    // Ethernet, IPv4
        "0001"  // request
        "0a580af40107"
        "0af40107"  // the pod has the address
        "000000000000"
        "0af40107");  // who has it?
  CHECK(hex(frames[1]) ==
        "ffffffffffff"
        "b29dd7b76e20"
        "0806"
        "0001"
        "0800"
        "06"
        "04"
        "0002"  // reply
        "0a580af40107"
        "0af40107"
        "0a580af40107"
        "0af40107");
}

TEST_CASE("an IPv6 address is announced by a neighbour advertisement", "[announce]") {
  const auto frames = frames_of("fd00:79::3");
  REQUIRE(frames.size() == 1);
  const std::string text = hex(frames[0]);
  CHECK(text.substr(0, 28) ==
        "333300000001"
        "b29dd7b76e20"
        "86dd");
  CHECK(text.substr(28, 16) ==
        "60000000"
        "0020"
        "3a"
        "ff");  // 32 bytes, ICMPv6, hop limit 255
  CHECK(text.substr(44, 64) ==
        "fd000079000000000000000000000003"
        "ff020000000000000000000000000001");
  CHECK(text.substr(108, 4) == "8800");
  CHECK(text.substr(116) ==
        "20000000"                          // override, not solicited, no router
        "fd000079000000000000000000000003"  // target
        "0201"
        "0a580af40107");  // its link-layer address
  CHECK(sum_of(frames[0]) == 0xffff);
}

TEST_CASE("the checksum is right whatever the address", "[announce]") {
  for (const char* address :
       {"::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::1", "2001:db8::"})
    CHECK(sum_of(frames_of(address).at(0)) == 0xffff);
}

TEST_CASE("a MAC address of nobody or of a group is none of a pod's", "[announce]") {
  CHECK(is_unicast(kPod));
  CHECK_FALSE(is_unicast(Mac{}));
  CHECK_FALSE(is_unicast(Mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
  CHECK_FALSE(is_unicast(Mac{0x01, 0, 0x5e, 0, 0, 1}));
}

TEST_CASE("a tag stands behind the addresses", "[announce]") {
  const std::string frame = std::string(12, 'a') + "\x08\x06rest";
  CHECK(tagged(frame, 0x105) ==
        std::string(12, 'a') + std::string("\x81\0\x01\x05", 4) + "\x08\x06rest");
}
