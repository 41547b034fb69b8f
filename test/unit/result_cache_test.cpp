#include <string>

#include "shim/cni/result/libcni_cache.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/hooked_file_system.hpp"
#include "test/unit/support/temp_dir.hpp"
#include "test/unit/support/values.hpp"

namespace {

std::string entry(const std::string& container_id, const std::string& more,
                  const std::string& network = "net") {
  return R"({"kind": "cniCacheV1", "containerId": ")" + container_id +
         R"(", "config": "e30=", "ifName": "eth0", "networkName": ")" + network + "\", " + more +
         "}";
}

const std::string kPod =
    R"("cniArgs": [["IgnoreUnknown", "1"], ["K8S_POD_NAME", "web-0"], ["K8S_POD_NAMESPACE", "shop"],
    ["K8S_POD_UID", "u1"]])";
const std::string kResult = R"("result": {"cniVersion": "1.0.0", "interfaces": [{"name": "br0"},
    {"name": "eth0", "sandbox": "/run/netns/x"}], "ips": [{"address": "10.0.0.2/24", "interface": 1},
    {"address": "2001:db8::2/64"}]})";

struct Cache {
  test::TempDir dir;
  test::HookedFileSystem fs;
  shim::ResultCache cache{fs, dir.path()};
};

}  // namespace

TEST_CASE("an entry tells attachment, pod, namespace and addresses", "[result_cache]") {
  Cache node;
  test::write_text(node.dir.file("net-c1-eth0"), entry("c1", kPod + ", " + kResult));
  const auto found = node.cache.attachments("net");
  REQUIRE(found.size() == 1);
  CHECK(found[0].attachment == allocator::Attachment{"c1", "eth0"});
  CHECK(found[0].pod == allocator::PodKey{"shop", "web-0", "eth0"});
  CHECK(found[0].uid == "u1");
  CHECK(found[0].netns_path == "/run/netns/x");
  CHECK(test::joined(found[0].addresses) == "10.0.0.2 2001:db8::2");
  CHECK(node.cache.still_has(found[0]));
  std::filesystem::remove(node.dir.file("net-c1-eth0"));
  CHECK_FALSE(node.cache.still_has(found[0]));
}

TEST_CASE("newer libraries say the namespace themselves", "[result_cache]") {
  Cache node;
  test::write_text(node.dir.file("net-c1-eth0"),
                   entry("c1", R"("netns": "/run/netns/y", )" + kResult));
  const auto found = node.cache.attachments("net");
  REQUIRE(found.size() == 1);
  CHECK(found[0].netns_path == "/run/netns/y");
  CHECK_FALSE(found[0].pod.has_value());
}

TEST_CASE("what cannot be read or belongs to another network is left out", "[result_cache]") {
  Cache node;
  const std::string good = entry("c1", kPod + ", " + kResult);
  test::write_text(node.dir.file("net-c1-eth0"), good);
  test::write_text(node.dir.file("net-c2-eth0"), "");
  test::write_text(node.dir.file("net-c3-eth0"), good.substr(0, good.size() / 2));
  test::write_text(node.dir.file("net-c4-eth0"), std::string(300, '\0'));
  test::write_text(node.dir.file("net-c5-eth0"), R"({"kind": "cniCacheV2"})");
  test::write_text(node.dir.file("net-x-c6-eth0"), entry("c6", kResult, "net-x"));
  test::write_text(node.dir.file("other-c7-eth0"), entry("c7", kResult, "other"));
  const auto found = node.cache.attachments("net");
  REQUIRE(found.size() == 1);
  CHECK(found[0].attachment.container_id == "c1");
}

TEST_CASE("a node without a result cache has no entries", "[result_cache]") {
  Cache node;
  CHECK(shim::ResultCache(node.fs, node.dir.file("missing")).attachments("net").empty());
}
