// The verbs from end to end, in process: what they answer and what they leave on disk.
#include "shim/cni/plugin.hpp"

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/plugin_world.hpp"
#include "test/unit/support/values.hpp"

using test::Answer;
using test::contains;
using test::PluginWorld;

namespace {

const std::string kVersion = "1.1.0";
const std::string kWeb = "IgnoreUnknown=1;K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web";
const std::string kDb = "IgnoreUnknown=1;K8S_POD_NAMESPACE=prod;K8S_POD_NAME=db";

std::string node_conf(const PluginWorld& world, const std::string& more_ipam = "",
                      const std::string& more = "", const std::string& version = kVersion) {
  return world.conf(
      version,
      R"("delegate": {"type": "host-local", "ranges": [[{"subnet": "10.1.2.0/29"}]]})" +
          std::string(more_ipam.empty() ? "" : ", ") + more_ipam,
      "mynet", more);
}

std::string added(PluginWorld& world, const std::string& conf, const std::string& container_id,
                  const std::string& args) {
  const Answer answer = world.run("ADD", conf, container_id, "eth0", args);
  INFO(answer.out);
  REQUIRE(answer.exit_code == 0);
  return answer.addresses(kVersion);
}

}  // namespace

TEST_CASE("a pod returns to its address under a new container", "[plugin]") {
  PluginWorld world;
  const std::string conf = node_conf(world);
  CHECK(added(world, conf, "c1", kWeb) == "10.1.2.2/29 gw 10.1.2.1");
  CHECK(added(world, conf, "c2", kDb) == "10.1.2.3/29 gw 10.1.2.1");
  CHECK(world.run("DEL", conf, "c1").exit_code == 0);
  CHECK(world.run("DEL", conf, "c2").exit_code == 0);
  CHECK(added(world, conf, "c3", kDb) == "10.1.2.3/29 gw 10.1.2.1");
  CHECK(added(world, conf, "c4", kWeb) == "10.1.2.2/29 gw 10.1.2.1");
}

TEST_CASE("without retain a pod does not return", "[plugin]") {
  PluginWorld world;
  const std::string conf =
      node_conf(world, GENERATE(R"("retain": false)", R"("retain": {"exclude": ["prod/w*"]})"));
  added(world, conf, "c1", kWeb);
  world.run("DEL", conf, "c1");
  CHECK(added(world, conf, "c2", kWeb) == "10.1.2.3/29 gw 10.1.2.1");
}

TEST_CASE("a glob of retain.exclude matches one namespace and one pod", "[plugin]") {
  PluginWorld world;
  const auto [glob, kept] = GENERATE(table<std::string, bool>({
      {"prod/*", false},
      {"*/web", false},
      {"prod/we?", false},
      {"*/*", false},
      {"dev/*", true},
      {"prod/db", true},
      {"*/we", true},
  }));
  INFO("glob " << glob);
  const std::string conf = node_conf(world, R"("retain": {"exclude": [")" + glob + R"("]})");
  added(world, conf, "c1", kWeb);
  world.run("DEL", conf, "c1");
  CHECK((added(world, conf, "c2", kWeb) == "10.1.2.2/29 gw 10.1.2.1") == kept);
}

TEST_CASE("an answer that cannot be written is taken back", "[plugin]") {
  PluginWorld world;
  const std::string conf = node_conf(world);
  world.stdout_is_full = true;
  CHECK(world.run("ADD", conf, "c1", "eth0", kWeb).exit_code == 1);
  world.stdout_is_full = false;
  CHECK(world.network_file("mynet", "10.1.2.2") == "(missing)");
  CHECK(added(world, conf, "c2", kDb) == "10.1.2.3/29 gw 10.1.2.1");
}

TEST_CASE("DEL does not care about the ranges, CNI_ARGS or the network namespace", "[plugin]") {
  PluginWorld world;
  added(world, node_conf(world), "c1", kWeb);
  world.variables.erase("CNI_NETNS");
  const std::string ipam = GENERATE(R"("x": 1)", R"("subnet": "bad")", R"("ranges": {})");
  CHECK(world.run("DEL", world.conf(kVersion, ipam), "c1", "eth0", "=;bad").exit_code == 0);
  CHECK(world.network_file("mynet", "10.1.2.2") == "(missing)");
}

TEST_CASE("DEL without a data folder finds the network by its records", "[plugin]") {
  PluginWorld world;
  added(world, node_conf(world), "c1", kWeb);
  const std::string stripped =
      R"({"cniVersion": "1.1.0", "name": "mynet", "ipam": {"stateDir": ")" + world.file("state") +
      "\"}}";
  world.fs.redirections.emplace_back("/var/lib/cni/networks", world.file("default"));
  CHECK(world.run("DEL", stripped, "c1").exit_code == 0);
  CHECK(world.network_file("mynet", "10.1.2.2") == "(missing)");
}

TEST_CASE("CHECK compares what is reserved with what the runtime believes", "[plugin]") {
  PluginWorld world;
  added(world, node_conf(world), "c1", kWeb);
  const auto check = [&](const std::string& address, const std::string& container_id = "c1") {
    const std::string previous = R"("prevResult": {"cniVersion": "1.1.0", "ips": [{"address": ")" +
                                 address + R"("}, {"address": "192.168.7.7/24"}]})";
    return world.run("CHECK", node_conf(world, "", previous), container_id).error();
  };
  CHECK(check("10.1.2.2/29").empty());
  CHECK(check("10.1.2.2/24").empty());
  CHECK(contains(check("10.1.2.3/29"),
                 "address 10.1.2.2 is reserved for the attachment but prevResult lacks it"));
  CHECK(contains(check(R"(10.1.2.2/29"}, {"address": "10.1.2.3/29)"),
                 "address 10.1.2.3 of prevResult is not reserved for the attachment"));
  CHECK(check("10.1.2.2/29", "c2")
            .starts_with("999 host-local: Failed to find address added by container"));
}

TEST_CASE("GC frees what the runtime does not list, and nothing without a list", "[plugin]") {
  PluginWorld world;
  added(world, node_conf(world), "c1", kWeb);
  added(world, node_conf(world), "c2", kDb);
  const auto gc = [&](const std::string& more) {
    return world.run("GC", node_conf(world, "", more)).error();
  };
  CHECK(gc("").empty());
  CHECK(gc(R"("cni.dev/valid-attachments": null)").empty());
  CHECK(gc(R"("cni.dev/valid-attachments": [{"containerID": "c1"}])").starts_with("7 "));
  CHECK(gc(R"("cni.dev/valid-attachments": {})").starts_with("7 "));
  CHECK(world.network_file("mynet", "10.1.2.3") == "c2\r\neth0");
  CHECK(gc(R"("cni.dev/valid-attachments": [],
            "cni.dev/attachments": [{"containerID": "c1", "ifname": "eth0"}])")
            .empty());
  CHECK(world.network_file("mynet", "10.1.2.2") == "c1\r\neth0");
  CHECK(world.network_file("mynet", "10.1.2.3") == "(missing)");
}

TEST_CASE("STATUS is silent when ADD can work, and 50 when it cannot", "[plugin]") {
  PluginWorld world;
  const Answer fine = world.run("STATUS", node_conf(world));
  CHECK(fine.exit_code == 0);
  CHECK(fine.out.empty());
  CHECK_FALSE(test::exists(world.data_dir()));
  test::write_text(world.data_dir(), "in the way");
  CHECK(world.run("STATUS", node_conf(world)).error().starts_with("50 "));
}

TEST_CASE("commands are allowed from their version on", "[plugin]") {
  PluginWorld world;
  const auto [command, version, error] = GENERATE(table<std::string, std::string, std::string>({
      {"CHECK", "0.3.1", "1 config version does not allow CHECK"},
      {"GC", "1.0.0", "1 config version does not allow GC"},
      {"STATUS", "1.0.0", "1 config version does not allow STATUS"},
      {"ADD", "1.2.0", "1 incompatible CNI versions"},
      {"DEL", "0.4", "1 incompatible CNI versions"},
      {"ADD", "v1.0.0", "1 incompatible CNI versions"},
      {"CHECK", "1.2.0", "1 plugin version does not allow CHECK"},
      {"add", "1.1.0", "4 unknown CNI_COMMAND: add"},
      {"UPDATE", "1.1.0", "4 unknown CNI_COMMAND: UPDATE"},
  }));
  INFO(command << " " << version);
  CHECK(world.run(command, node_conf(world, "", "", version)).error() == error);
  CHECK_FALSE(test::exists(world.data_dir()));
}

TEST_CASE("an error is one object on stdout and one line on stderr", "[plugin]") {
  PluginWorld world;
  const Answer answer = world.run("ADD", "{", "c1");
  CHECK(answer.exit_code == 1);
  const auto document = shim::parse_json(answer.out);
  CHECK(document.at("code") == 6);
  CHECK(document.at("cniVersion") == "1.1.0");
  CHECK(answer.err.ends_with("\n"));
  CHECK(answer.err.find('\n') == answer.err.size() - 1);
}

TEST_CASE("an error is told in the caller's version where we speak it", "[plugin]") {
  PluginWorld world;
  const auto [given, told] = GENERATE(table<std::string, std::string>({
      {"0.3.1", "0.3.1"},
      {"1.0.0", "1.0.0"},
      {"9.9.9", "1.1.0"},
  }));
  const Answer answer = world.run("ADD", world.conf(given, R"("x": 1)"));
  CHECK(shim::parse_json(answer.out).at("cniVersion") == told);
}

TEST_CASE("VERSION does not read stdin", "[plugin]") {
  PluginWorld world;
  const Answer answer = world.run("VERSION", "no JSON at all");
  CHECK(answer.exit_code == 0);
  CHECK(answer.out == R"({"cniVersion":"1.1.0","supportedVersions":)"
                      R"(["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]})"
                      "\n");
}

TEST_CASE("a DEL that fails does not use words that containerd takes for success", "[plugin]") {
  PluginWorld world;
  added(world, node_conf(world), "c1", kWeb);
  const int error = GENERATE(ENOENT, EIO, EACCES);
  world.fs.before = [&](const test::Call& call) {
    if (call.method == "unlink") {
      throw std::system_error(error, std::generic_category(), "unlink: not found");
    }
  };
  const Answer answer = world.run("DEL", node_conf(world), "c1");
  CHECK(answer.exit_code == 1);
  CHECK_FALSE(contains(answer.out, "not found"));
  CHECK_FALSE(contains(answer.out, "no such file or directory"));
}

TEST_CASE("a disk that is full, read-only or broken is code 11", "[plugin]") {
  PluginWorld world;
  const int error = GENERATE(ENOSPC, EDQUOT, EROFS, EIO);
  world.fs.before = [&](const test::Call& call) {
    if (call.method == "link_file") {
      throw std::system_error(error, std::generic_category(), "link " + call.subject);
    }
  };
  CHECK(world.run("ADD", node_conf(world), "c1", "eth0", kWeb)
            .error()
            .starts_with("11 link 10.1.2.2: "));
}

TEST_CASE("nothing is written outside the three folders", "[plugin]") {
  PluginWorld world;
  std::string strange;
  world.fs.after = [&](const test::Call& call) {
    if (call.method != "make_directory") return;
    const bool ours = call.subject.starts_with(world.data_dir()) ||
                      call.subject.starts_with(world.file("state")) ||
                      call.subject.starts_with(world.file("run")) ||
                      call.subject.starts_with("/run/delegated-ipam");
    if (!ours) strange += call.subject + " ";
  };
  added(world, node_conf(world), "c1", kWeb);
  world.run("DEL", node_conf(world), "c1");
  CHECK(strange.empty());
}
