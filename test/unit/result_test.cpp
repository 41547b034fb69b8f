#include "shim/cni/result/result.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "shim/cni/result/convert.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/result_text.hpp"

using allocator::Address;
using allocator::Cidr;
using shim::Json;
using shim::Result;
using shim::Route;

namespace {

Route route(const std::string& dst, const std::string& gw = "") {
  Route made;
  made.dst = Cidr::parse(dst);
  made.gw = Address::parse(gw);
  return made;
}

shim::IpConfig ip(const std::string& address, const std::string& gateway = "") {
  return {Cidr::parse(address), Address::parse(gateway), std::nullopt};
}

/// A dual-stack answer with everything that an IPAM plugin can say.
Result full_result() {
  Result result;
  result.ips = {ip("10.1.2.2/24", "10.1.2.1"), ip("2001:db8:1::2/64", "2001:db8:1::1")};
  Route last = route("2001:db8:2::0/64", "2001:db8:3::1");
  last.mtu = 1400;
  last.advmss = 1360;
  last.priority = 10;
  last.table = 5;
  last.scope = 0;
  result.routes = {route("0.0.0.0/0"), route("::/0"), route("192.168.0.0/16", "1.1.1.1"), last};
  result.dns = {{"192.0.2.3"}, "x.y", {"a.b", "c.d"}, {"ndots:5"}};
  return result;
}

/// `text` with every @ replaced by `version`.
std::string with_version(std::string text, const std::string& version) {
  return text.replace(text.find('@'), 1, version);
}

constexpr const char* kFull02 = R"({
    "cniVersion": "@",
    "ip4": {
        "ip": "10.1.2.2/24",
        "gateway": "10.1.2.1",
        "routes": [
            {
                "dst": "0.0.0.0/0"
            },
            {
                "dst": "192.168.0.0/16",
                "gw": "1.1.1.1"
            }
        ]
    },
    "ip6": {
        "ip": "2001:db8:1::2/64",
        "gateway": "2001:db8:1::1",
        "routes": [
            {
                "dst": "::/0"
            },
            {
                "dst": "2001:db8:2::/64",
                "gw": "2001:db8:3::1"
            }
        ]
    },
    "dns": {
        "nameservers": [
            "192.0.2.3"
        ],
        "domain": "x.y",
        "search": [
            "a.b",
            "c.d"
        ],
        "options": [
            "ndots:5"
        ]
    }
})";

constexpr const char* kFull04 = R"({
    "cniVersion": "@",
    "ips": [
        {
            "version": "4",
            "address": "10.1.2.2/24",
            "gateway": "10.1.2.1"
        },
        {
            "version": "6",
            "address": "2001:db8:1::2/64",
            "gateway": "2001:db8:1::1"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0"
        },
        {
            "dst": "::/0"
        },
        {
            "dst": "192.168.0.0/16",
            "gw": "1.1.1.1"
        },
        {
            "dst": "2001:db8:2::/64",
            "gw": "2001:db8:3::1",
            "mtu": 1400,
            "advmss": 1360,
            "priority": 10,
            "table": 5,
            "scope": 0
        }
    ],
    "dns": {
        "nameservers": [
            "192.0.2.3"
        ],
        "domain": "x.y",
        "search": [
            "a.b",
            "c.d"
        ],
        "options": [
            "ndots:5"
        ]
    }
})";

constexpr const char* kFull10 = R"({
    "cniVersion": "@",
    "dns": {
        "domain": "x.y",
        "nameservers": [
            "192.0.2.3"
        ],
        "options": [
            "ndots:5"
        ],
        "search": [
            "a.b",
            "c.d"
        ]
    },
    "ips": [
        {
            "address": "10.1.2.2/24",
            "gateway": "10.1.2.1"
        },
        {
            "address": "2001:db8:1::2/64",
            "gateway": "2001:db8:1::1"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0"
        },
        {
            "dst": "::/0"
        },
        {
            "dst": "192.168.0.0/16",
            "gw": "1.1.1.1"
        },
        {
            "advmss": 1360,
            "dst": "2001:db8:2::/64",
            "gw": "2001:db8:3::1",
            "mtu": 1400,
            "priority": 10,
            "scope": 0,
            "table": 5
        }
    ]
})";

}  // namespace

TEST_CASE("a full dual-stack result is printed to the byte in each of the seven versions",
          "[result]") {
  const auto [version, document, size] = GENERATE(table<std::string, const char*, std::size_t>({
      {"0.1.0", kFull02, 817},
      {"0.2.0", kFull02, 817},
      {"0.3.0", kFull04, 955},
      {"0.3.1", kFull04, 955},
      {"0.4.0", kFull04, 955},
      {"1.0.0", kFull10, 899},
      {"1.1.0", kFull10, 899},
  }));
  const std::string printed = shim::print_result(full_result(), version);
  CHECK(printed == with_version(document, version));
  CHECK(printed.size() == size);
}

TEST_CASE("an empty version prints as 0.1.0", "[result]") {
  CHECK(shim::print_result(full_result(), "") == with_version(kFull02, "0.1.0"));
}

TEST_CASE("an empty dns is printed before 1.0.0 only", "[result]") {
  Result result;
  result.ips = {ip("10.1.2.2/24")};
  CHECK(
      shim::print_result(result, "0.2.0") ==
      "{\n    \"cniVersion\": \"0.2.0\",\n    \"ip4\": {\n        \"ip\": \"10.1.2.2/24\"\n    },\n"
      "    \"dns\": {}\n}");
  CHECK(Json::parse(shim::print_result(result, "0.4.0")).dump() ==
        R"({"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.1.2.2/24"}],"dns":{}})");
  CHECK(Json::parse(shim::print_result(result, "1.0.0")).dump() ==
        R"({"cniVersion":"1.0.0","ips":[{"address":"10.1.2.2/24"}]})");
}

TEST_CASE("versions before 0.3.0 get the first address of each family and its routes", "[result]") {
  Result result;
  result.ips = {ip("10.1.2.2/24"), ip("10.2.2.2/24")};
  result.routes = {route("::/0", "2001:db8::1"), route("0.0.0.0/0", "10.1.2.1")};
  CHECK(Json::parse(shim::print_result(result, "0.1.0")).dump() ==
        R"({"cniVersion":"0.1.0","ip4":{"ip":"10.1.2.2/24",)"
        R"("routes":[{"dst":"0.0.0.0/0","gw":"10.1.2.1"}]},"dns":{}})");
}

TEST_CASE("a result that the caller's version cannot express is an error", "[result]") {
  CHECK(error_of([] { shim::print_result(Result{}, "0.2.0"); }) ==
        "cannot convert: no valid IP addresses");
  CHECK(error_of([] { shim::print_result(Result{}, "1.2.0"); }) ==
        "no converter for CNI result version 1.1.0 to 1.2.0");
}

TEST_CASE("reading a printed result gives the same result back in 1.0.0 and 1.1.0", "[result]") {
  const std::string version = GENERATE("1.0.0", "1.1.0");
  Result result = full_result();
  result.cni_version = version;
  result.interfaces = {
      {"eth0", "0a:00:00:00:00:01", "/run/netns/a", 1450, "/s.sock", "0000:04:00.5"}};
  result.ips[0].interface = 0;
  const auto read = shim::read_result(shim::print_result(result, version), version);
  REQUIRE(std::holds_alternative<Result>(read));
  CHECK(std::get<Result>(read) == result);
}

TEST_CASE("an interface loses what 0.4.0 does not have", "[result]") {
  CHECK(converted(
            R"({"cniVersion":"1.1.0","interfaces":[{"name":"e","mac":"m","mtu":9,"sandbox":"s",)"
            R"("socketPath":"p","pciID":"i"}]})",
            "1.1.0", "0.4.0") ==
        R"({"cniVersion":"0.4.0","interfaces":[{"name":"e","mac":"m","sandbox":"s"}],"dns":{}})");
}

TEST_CASE("the text of version decides the way down, the address decides the way up and back",
          "[convert]") {
  const std::string wrong =
      R"({"cniVersion":"0.4.0","ips":[{"version":"6","address":"10.0.0.1/8"}]})";
  CHECK(converted(wrong, "0.4.0", "0.2.0") ==
        R"({"cniVersion":"0.2.0","ip6":{"ip":"10.0.0.1/8"},"dns":{}})");
  CHECK(delegated(wrong, "0.4.0", "0.2.0") ==
        R"({"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.1/8"},"dns":{}})");
  CHECK(delegated(wrong, "0.4.0", "0.4.0") ==
        R"({"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.0.0.1/8"}],"dns":{}})");
}

TEST_CASE("converting to the version that a document has changes nothing", "[convert]") {
  const auto document = shim::read_result(
      R"({"cniVersion":"0.3.1","ips":[{"version":"x","address":"10.0.0.1/8"}]})", "0.3.1");
  CHECK(shim::convert(document, "0.3.1") == document);
}
