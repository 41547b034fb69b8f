#include "shim/cni/result/resolv_conf.hpp"

#include <string>

#include "test/unit/catch.hpp"

using shim::Dns;
using shim::parse_resolv_conf;

using Texts = std::vector<std::string>;

TEST_CASE("D1: indented nameserver lines count", "[resolv_conf]") {
  const Dns dns = parse_resolv_conf("\n\t\tnameserver 192.0.2.0\n\t\tnameserver 192.0.2.1\n\t\t");
  CHECK(dns == Dns{{"192.0.2.0", "192.0.2.1"}, "", {}, {}});
}

TEST_CASE("D2: a nameserver line behind a semicolon is ignored", "[resolv_conf]") {
  const Dns dns = parse_resolv_conf("\nnameserver 192.0.2.0\n;nameserver 192.0.2.1\n");
  CHECK(dns.nameservers == Texts{"192.0.2.0"});
}

TEST_CASE("D3: all keywords are read, comments are not, lists accumulate", "[resolv_conf]") {
  const Dns dns = parse_resolv_conf(
      "\nnameserver 192.0.2.0\nnameserver 192.0.2.2\ndomain example.com\n;nameserver comment\n"
      "#nameserver comment\nsearch example.net example.org\nsearch example.gov\n"
      "options one two three\noptions four\n");
  CHECK(dns == Dns{{"192.0.2.0", "192.0.2.2"},
                   "example.com",
                   {"example.net", "example.org", "example.gov"},
                   {"one", "two", "three", "four"}});
}

TEST_CASE("the last domain counts, extra words of nameserver and domain do not", "[resolv_conf]") {
  const Dns dns = parse_resolv_conf("domain a b\nnameserver fe80::1%eth0 # x\ndomain c d");
  CHECK(dns == Dns{{"fe80::1%eth0"}, "c", {}, {}});
}

TEST_CASE("words behind search and options are all taken, comments included", "[resolv_conf]") {
  CHECK(parse_resolv_conf("search a # b").search == Texts{"a", "#", "b"});
  CHECK(parse_resolv_conf("options ndots:5\ttimeout:1\r").options == Texts{"ndots:5", "timeout:1"});
}

TEST_CASE("a line of 64 KiB is refused with host-local's message", "[resolv_conf]") {
  const std::string longest = "#" + std::string(65534, 'x');
  CHECK(parse_resolv_conf(longest + "\nnameserver 192.0.2.1").nameservers.size() == 1);
  CHECK_THROWS_WITH(parse_resolv_conf("nameserver 192.0.2.1\n" + longest + "x"),
                    "bufio.Scanner: token too long");
}

TEST_CASE("keywords without a value, unknown and differently written ones are ignored",
          "[resolv_conf]") {
  CHECK(parse_resolv_conf("nameserver\nsearch\nsortlist 1.2.3.4\nNameserver 1.2.3.4\n\n \n") ==
        Dns{});
  CHECK(parse_resolv_conf("") == Dns{});
}
