// The scenarios that host-local's own tests run, in all seven versions.
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/plugin_world.hpp"
#include "test/unit/support/values.hpp"

using test::Answer;
using test::PluginWorld;

namespace {

/// Makes us what the tests were written for.
const std::string kStock = R"("retain": false, "onDuplicate": "error", )";

std::string any_version() {
  return GENERATE(
      values<std::string>({"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}));
}

bool is_pair_version(const std::string& version) {
  return version == "0.1.0" || version == "0.2.0";
}

/// ADD that must succeed; before 1.0.0 and since 0.3.0 each address says its version.
Answer add(PluginWorld& world, const std::string& version, const std::string& conf,
           const std::string& container_id = "dummy", const std::string& ifname = "eth0") {
  Answer answer = world.run("ADD", conf, container_id, ifname);
  INFO(answer.out);
  REQUIRE(answer.exit_code == 0);
  if (version.starts_with("0.3.") || version == "0.4.0") {
    CHECK(test::contains(answer.out, "\"version\":"));
  }
  CHECK(answer.err.empty());
  return answer;
}

void del(PluginWorld& world, const std::string& conf, const std::string& container_id = "dummy",
         const std::string& ifname = "eth0") {
  const Answer answer = world.run("DEL", conf, container_id, ifname);
  INFO(answer.out);
  CHECK(answer.exit_code == 0);
  CHECK(answer.out.empty());
}

bool has_route(const shim::Result& result, const std::string& dst, const std::string& gw) {
  return std::any_of(result.routes.begin(), result.routes.end(), [&](const shim::Route& route) {
    return route.dst->to_string() == dst && route.gw == test::maybe_ip(gw);
  });
}

std::string args_ips(const std::string& ips) { return R"("args": {"cni": {"ips": )" + ips + "}}"; }

}  // namespace

TEST_CASE("H1: ADD and DEL of a dual-stack network with routes and DNS", "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  test::write_text(world.file("resolv.conf"), "nameserver 192.0.2.3");
  const std::string conf =
      world.conf(version, kStock + R"("resolvConf": ")" + world.file("resolv.conf") + R"(",
        "ranges": [[{"subnet": "10.1.2.0/24"}, {"subnet": "10.2.2.0/24"}],
                   [{"subnet": "2001:db8:1::0/64"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"},
                   {"dst": "192.168.0.0/16", "gw": "1.1.1.1"},
                   {"dst": "2001:db8:2::0/64", "gw": "2001:db8:3::1"}])");
  const Answer answer = add(world, version, conf);
  CHECK(answer.addresses(version) == "10.1.2.2/24 gw 10.1.2.1, 2001:db8:1::2/64 gw 2001:db8:1::1");
  const auto result = answer.result(version);
  CHECK(result.routes.size() == 4);
  CHECK(has_route(result, "0.0.0.0/0", ""));
  CHECK(has_route(result, "::/0", ""));
  CHECK(has_route(result, "192.168.0.0/16", "1.1.1.1"));
  CHECK(has_route(result, "2001:db8:2::/64", "2001:db8:3::1"));
  CHECK(result.dns.nameservers == std::vector<std::string>{"192.0.2.3"});
  CHECK(world.network_file("mynet", "10.1.2.2") == "dummy\r\neth0");
  CHECK(world.network_file("mynet", "2001:db8:1::2") == "dummy\r\neth0");
  CHECK(world.network_file("mynet", "last_reserved_ip.0") == "10.1.2.2");
  CHECK(world.network_file("mynet", "last_reserved_ip.1") == "2001:db8:1::2");
  del(world, conf);
  CHECK(world.network_file("mynet", "10.1.2.2") == "(missing)");
  CHECK(world.network_file("mynet", "2001:db8:1::2") == "(missing)");
}

TEST_CASE("H2: two networks with two interfaces of one container", "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  const auto conf0 =
      world.conf(version, kStock + R"("ranges": [[{"subnet": "10.1.2.0/24"}]])", "mynet0");
  const auto conf1 =
      world.conf(version, kStock + R"("ranges": [[{"subnet": "10.2.2.0/24"}]])", "mynet1");
  CHECK(add(world, version, conf0).addresses(version) == "10.1.2.2/24 gw 10.1.2.1");
  CHECK(add(world, version, conf1, "dummy", "eth1").addresses(version) ==
        "10.2.2.2/24 gw 10.2.2.1");
  CHECK(world.network_file("mynet0", "10.1.2.2") == "dummy\r\neth0");
  CHECK(world.network_file("mynet1", "10.2.2.2") == "dummy\r\neth1");
  del(world, conf0);
  CHECK(world.network_file("mynet0", "10.1.2.2") == "(missing)");
  CHECK(world.network_file("mynet1", "10.2.2.2") == "dummy\r\neth1");
  del(world, conf1, "dummy", "eth1");
  CHECK(world.network_file("mynet1", "10.2.2.2") == "(missing)");
}

TEST_CASE("H3: a repeated ADD is an error", "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  const auto conf =
      world.conf(version, kStock + R"("ranges": [[{"subnet": "10.1.2.0/24"}]])", "mynet0");
  CHECK(add(world, version, conf).addresses(version) == "10.1.2.2/24 gw 10.1.2.1");
  CHECK(world.run("ADD", conf).error() ==
        "999 failed to allocate for range 0: 10.1.2.2 has been allocated to dummy, duplicate "
        "allocation is not allowed");
  CHECK(add(world, version, conf, "dummy1").addresses(version) == "10.1.2.3/24 gw 10.1.2.1");
  CHECK(world.run("ADD", conf).exit_code == 1);
  del(world, conf);
  CHECK(world.network_file("mynet0", "10.1.2.2") == "(missing)");
  del(world, conf, "dummy1");
  CHECK(world.network_file("mynet0", "10.1.2.3") == "(missing)");
}

TEST_CASE("H4: DEL frees a file of the old format", "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  const auto conf = world.conf(version, kStock + R"("ranges": [[{"subnet": "10.1.2.0/24"}]])");
  add(world, version, conf);
  test::write_text(world.data_dir() + "/mynet/10.1.2.2", "dummy");
  del(world, conf);
  CHECK(world.network_file("mynet", "10.1.2.2") == "(missing)");
}

TEST_CASE("H5: DEL of an unknown container is no error", "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  del(world, world.conf(version, kStock + R"("subnet": "10.1.2.0/24")"));
}

TEST_CASE("H6: white space in a container ID never reaches the directory", "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  const auto conf = world.conf(version, kStock + R"("subnet": "10.1.2.0/24")");
  CHECK(world.run("ADD", conf, "   dummy\n ").error() == "4 invalid characters in containerID");
  CHECK(world.run("DEL", conf, "   dummy\n ").error() == "4 invalid characters in containerID");
  CHECK_FALSE(test::exists(world.data_dir()));
}

TEST_CASE("H7: the first ADD on a node is quiet", "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  const auto conf = world.conf(version, kStock + R"("subnet": "10.1.2.0/24")");
  const Answer answer = add(world, version, conf, "testing");
  CHECK_FALSE(test::contains(answer.out, "Error retrieving last reserved ip"));
  CHECK(answer.err.empty());
}

TEST_CASE("H8: an address requested by args is given", "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  const auto conf = world.conf(version, kStock + R"("ranges": [[{"subnet": "10.1.2.0/24"}]])",
                               "mynet", args_ips(R"(["10.1.2.88"])"));
  CHECK(add(world, version, conf).addresses(version) == "10.1.2.88/24 gw 10.1.2.1");
}

TEST_CASE("H9: two requested addresses come from two sets of a family", "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  const auto conf = world.conf(
      version, kStock + R"("ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "10.1.3.0/24"}]])",
      "mynet", args_ips(R"(["10.1.2.88", "10.1.3.77"])"));
  if (is_pair_version(version)) {
    CHECK(world.run("ADD", conf).error() ==
          "999 CNI version " + version + " does not support more than 1 address per family");
  } else {
    CHECK(add(world, version, conf).addresses(version) ==
          "10.1.2.88/24 gw 10.1.2.1, 10.1.3.77/24 gw 10.1.3.1");
  }
}

TEST_CASE("H10: requested addresses of two families are given in the order of the sets",
          "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  const auto conf = world.conf(
      version, kStock + R"("ranges": [[{"subnet": "172.16.1.0/24"}, {"subnet": "10.1.2.0/24"}],
                                      [{"subnet": "2001:db8:1::/48"}]])",
      "mynet", args_ips(R"(["10.1.2.88", "2001:db8:1::999"])"));
  CHECK(add(world, version, conf).addresses(version) ==
        "10.1.2.88/24 gw 10.1.2.1, 2001:db8:1::999/48 gw 2001:db8:1::1");
}

TEST_CASE("H11: a requested address that no set takes is an error", "[plugin]") {
  const std::string version = any_version();
  PluginWorld world;
  const auto conf = world.conf(
      version, kStock + R"("ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "10.1.3.0/24"}]])",
      "mynet", args_ips(R"(["10.1.2.88", "10.1.2.77"])"));
  const std::string error = world.run("ADD", conf).error();
  CHECK(error.starts_with(is_pair_version(version)
                              ? "999 CNI version " + version + " does not support"
                              : "999 failed to allocate all requested IPs: 10.1.2."));
  CHECK(world.network_file("mynet", "10.1.2.88") == "(missing)");
}
