#include "allocator/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>

#include "test/unit/catch.hpp"

using allocator::Address;
using allocator::Cidr;
using allocator::Family;
using allocator::Uint128;

namespace {

Address address(const std::string& text) {
  const auto parsed = Address::parse(text);
  INFO("address: " << text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

Cidr cidr(const std::string& text) {
  const auto parsed = Cidr::parse(text);
  INFO("CIDR: " << text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

std::string next_text(const std::string& text) {
  const auto next = address(text).next();
  return next ? next->to_string() : "none";
}

/// A random IPv6 address in which every group is zero with a chance of one half.
Address sparse_v6(std::mt19937& random) {
  Uint128 number = 0;
  for (int group = 0; group < 8; ++group) {
    const auto bits = random();
    number = (number << 16) | ((bits & 0x10000) != 0 ? bits & 0xffff : 0);
  }
  return {Family::v6, number};
}

bool is_mapped(const Address& candidate) { return candidate.number() >> 32 == 0xffff; }

std::array<unsigned char, 16> bytes_of(const Address& v6) {
  std::array<unsigned char, 16> bytes{};
  for (std::size_t i = 0; i < 16; ++i) {
    bytes[i] = static_cast<unsigned char>((v6.number() >> (120 - 8 * i)) & 0xff);
  }
  return bytes;
}

/// What the C library prints; it differs from Go for addresses with 96 leading zero bits only.
std::string c_library_text(const Address& v6) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  REQUIRE(inet_ntop(AF_INET6, bytes_of(v6).data(), text.data(), text.size()) != nullptr);
  return text.data();
}

constexpr int kRandomAddresses = 20000;

}  // namespace

TEST_CASE("an address is printed in Go's canonical text, however it was written", "[address]") {
  const auto [written, printed] = GENERATE(table<std::string, std::string>({
      {"10.1.2.3", "10.1.2.3"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"2001:DB8::2", "2001:db8::2"},
      {"2001:db8:0:0:1:0:0:0", "2001:db8:0:0:1::"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:0db8:0000:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
      {"0:0:0:0:0:0:0:0", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"::1.2.3.4", "::102:304"},
      {"::10.0.0.5", "::a00:5"},
      {"::ffff:10.1.2.4", "10.1.2.4"},
      {"::FFFF:a01:204", "10.1.2.4"},
      {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  }));
  CHECK(address(written).to_string() == printed);
}

TEST_CASE("an IPv4-mapped IPv6 address is the IPv4 address", "[address]") {
  CHECK(address("::ffff:10.1.2.4") == address("10.1.2.4"));
  CHECK(address("::ffff:10.1.2.4").family() == Family::v4);
  CHECK(address("::10.1.2.4").family() == Family::v6);
  CHECK(address("::fffe:10.1.2.4").family() == Family::v6);
}

TEST_CASE("text that Go does not take for an address is refused", "[address]") {
  const std::string text = GENERATE(values<std::string>({"",
                                                         " ",
                                                         "x",
                                                         "10.1.0",
                                                         "10.1.0.5.6",
                                                         "10.1.0.256",
                                                         "192.168.0.1000",
                                                         "010.1.0.1",
                                                         "10.1.0.01",
                                                         " 10.1.0.1",
                                                         "10.1.0.1 ",
                                                         "10.1.0.1\n",
                                                         "10.1.0.-1",
                                                         "0x0a.1.1.1",
                                                         "167772161",
                                                         "10.1.0.1/16",
                                                         "fe80::1%eth0",
                                                         "::1%",
                                                         "1:2:3:4:5:6:7",
                                                         "1:2:3:4:5:6:7:8:9",
                                                         "1::2::3",
                                                         "1:::2",
                                                         ":1",
                                                         "1:",
                                                         "12345::",
                                                         "g::",
                                                         "1::2:3:4:5:6:7:8",
                                                         "::1.2.3",
                                                         "1.2.3.4::",
                                                         "2001:db8::1/64",
                                                         "[::1]",
                                                         "1:2:3:4:5:6:7:1.2.3.4"}));
  INFO("text: " << text);
  CHECK_FALSE(Address::parse(text).has_value());
}

TEST_CASE("text with a NUL byte or of any length is refused, not cut off", "[address]") {
  CHECK_FALSE(Address::parse(std::string_view("10.1.0.1\0", 9)).has_value());
  CHECK_FALSE(Address::parse(std::string_view("10.1.0.1\0.5", 11)).has_value());
  CHECK_FALSE(Address::parse(std::string(46, '1')).has_value());
  CHECK_FALSE(Address::parse("::" + std::string(100000, '0')).has_value());
}

TEST_CASE("parsing the printed text gives the same address back", "[address][property]") {
  std::mt19937 random(20240117);
  for (int i = 0; i < kRandomAddresses; ++i) {
    const Address v4(Family::v4, random() & 0xffffffff);
    REQUIRE(Address::parse(v4.to_string()) == v4);
    const Address v6 = sparse_v6(random);
    if (!is_mapped(v6)) REQUIRE(Address::parse(v6.to_string()) == v6);
  }
}

TEST_CASE("IPv6 text is the C library's where that prints no dotted tail", "[address][property]") {
  std::mt19937 random(4291);
  int compared = 0;
  for (int i = 0; i < kRandomAddresses; ++i) {
    const Address v6 = sparse_v6(random);
    if (v6.number() >> 32 == 0 || is_mapped(v6)) continue;
    REQUIRE(v6.to_string() == c_library_text(v6));
    ++compared;
  }
  CHECK(compared > kRandomAddresses / 2);
}

TEST_CASE("the next address carries over, keeps leading zeros and ends with the family",
          "[address]") {
  const auto [from, to] = GENERATE(table<std::string, std::string>({
      {"192.168.0.1", "192.168.0.2"},
      {"192.168.0.255", "192.168.1.0"},
      {"0.1.0.5", "0.1.0.6"},
      {"0.0.0.0", "0.0.0.1"},
      {"ab12::123", "ab12::124"},
      {"ab12::ffff", "ab12::1:0"},
      {"::123", "::124"},
      {"::", "::1"},
      {"::ffff:ffff", "::1:0:0"},
      {"1:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2::"},
      {"255.255.255.255", "none"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "none"},
  }));
  CHECK(next_text(from) == to);
}

TEST_CASE("addresses are ordered by family, then by number", "[address]") {
  const std::array sorted{address("0.0.0.0"),    address("9.255.255.255"),
                          address("10.0.0.0"),   address("255.255.255.255"),
                          address("::"),         address("::1"),
                          address("2001:db8::"), address("ffff::")};
  CHECK(std::is_sorted(sorted.begin(), sorted.end()));
  CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
}

TEST_CASE("a CIDR keeps its host part and is printed canonically", "[cidr]") {
  const auto [written, printed] = GENERATE(table<std::string, std::string>({
      {"192.168.1.5/16", "192.168.1.5/16"},
      {"10.9.8.7/8", "10.9.8.7/8"},
      {"2001:db8:2::0/64", "2001:db8:2::/64"},
      {"2001:DB8::5/64", "2001:db8::5/64"},
      {"10.1.0.5/016", "10.1.0.5/16"},
      {"10.1.0.5/00000000000000000016", "10.1.0.5/16"},
      {"0.0.0.0/0", "0.0.0.0/0"},
      {"10.0.0.1/32", "10.0.0.1/32"},
      {"::/0", "::/0"},
      {"::1/128", "::1/128"},
      {"::10.0.0.5/120", "::a00:5/120"},
  }));
  CHECK(cidr(written).to_string() == printed);
  CHECK_FALSE(cidr(written).mapped);
}

TEST_CASE("a mapped CIDR folds to IPv4 and says that it was mapped", "[cidr]") {
  const auto [written, printed] = GENERATE(table<std::string, std::string>({
      {"::ffff:10.1.0.5/120", "10.1.0.5/24"},
      {"::ffff:10.1.0.5/128", "10.1.0.5/32"},
      {"::ffff:10.1.0.5/96", "10.1.0.5/0"},
      {"::ffff:10.1.0.5/90", "10.1.0.5/0"},
      {"::ffff:10.1.0.5/0", "10.1.0.5/0"},
  }));
  CHECK(cidr(written).to_string() == printed);
  CHECK(cidr(written).mapped);
}

TEST_CASE("text that Go does not take for a CIDR is refused", "[cidr]") {
  const std::string text = GENERATE(values<std::string>({"",
                                                         "/",
                                                         "10.1.0.5",
                                                         "10.1.0.5/",
                                                         "/16",
                                                         "10.1.0.5/33",
                                                         "2001:db8::1/129",
                                                         "2001:db8::1/256",
                                                         "::ffff:10.1.0.5/129",
                                                         "10.1.0.5/-1",
                                                         "10.1.0.5/+16",
                                                         "10.1.0.5/ 16",
                                                         "10.1.0.5 /16",
                                                         "10.1.0.5/16 ",
                                                         "10.1.0.5/1.6",
                                                         "10.1.0.5/0x10",
                                                         "10.1.0.5/255.255.0.0",
                                                         "10.1.0/16",
                                                         "010.1.0.5/16",
                                                         "fe80::1%eth0/64",
                                                         "2001:db8::5::1/64",
                                                         "10.1.0.5/16/16",
                                                         "<nil>",
                                                         "10.1.0.5/99999999999999999999"}));
  INFO("text: " << text);
  CHECK_FALSE(Cidr::parse(text).has_value());
}

TEST_CASE("a CIDR knows its first and last address", "[cidr]") {
  const auto [block, first, last] = GENERATE(table<std::string, std::string, std::string>({
      {"192.0.2.12/24", "192.0.2.0", "192.0.2.255"},
      {"192.168.127.0/23", "192.168.126.0", "192.168.127.255"},
      {"10.1.2.3/32", "10.1.2.3", "10.1.2.3"},
      {"10.1.2.3/31", "10.1.2.2", "10.1.2.3"},
      {"10.1.2.3/0", "0.0.0.0", "255.255.255.255"},
      {"2001:db8:24:19ff::/63", "2001:db8:24:19fe::", "2001:db8:24:19ff:ffff:ffff:ffff:ffff"},
      {"2001:db8::1/128", "2001:db8::1", "2001:db8::1"},
      {"2001:db8::1/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  }));
  CHECK(cidr(block).network().to_string() == first);
  CHECK(cidr(block).last().to_string() == last);
}

TEST_CASE("a CIDR contains the addresses of its own family between first and last", "[cidr]") {
  const Cidr v4 = cidr("10.1.2.77/24");
  CHECK(v4.contains(address("10.1.2.0")));
  CHECK(v4.contains(address("10.1.2.255")));
  CHECK(v4.contains(address("::ffff:10.1.2.9")));
  CHECK_FALSE(v4.contains(address("10.1.1.255")));
  CHECK_FALSE(v4.contains(address("10.1.3.0")));
  CHECK_FALSE(v4.contains(address("::10.1.2.9")));
  CHECK_FALSE(cidr("0.0.0.0/0").contains(address("::1")));
  CHECK_FALSE(cidr("::/0").contains(address("10.1.2.3")));
}
