// Attachments with several addresses of one family, one a range set: all of them are learned, held
// and kept, whoever made the files.
#include <string>

#include "allocator/store/state/stamp.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/cached_world.hpp"

using test::CachedWorld;
using test::kOwnNamespace;
using test::kSecondBoot;
using test::owner;
using test::pod;
using test::sets_of;

namespace {

constexpr const char* kBoth = "10.0.0.3 10.0.1.3";

struct TwoSets : CachedWorld {
  TwoSets() { sets = sets_of({"10.0.0.0/29", "10.0.1.0/29"}); }

  /// What host-local makes for an attachment.
  void put_both(const std::string& container_id) {
    put("10.0.0.3", owner(container_id));
    put("10.0.1.3", owner(container_id));
  }
  /// The pod in a new sandbox, after newcomers.
  std::string comes_back(const std::string& pod_name) {
    add_cached("c-newcomer", "newcomer");
    return add_cached("c-again", pod_name);
  }
};

}  // namespace

TEST_CASE("both addresses of a pod that host-local started are learned from the cache", "[sets]") {
  TwoSets node;
  node.put_both("c-go");
  const bool lives = GENERATE(true, false);
  node.cache.add("c-go", "web", lives ? kOwnNamespace : "/run/netns/gone",
                 {"10.0.0.3", "10.0.1.3"});
  node.add_cached("c1", "db");
  CHECK(node.binding("10.0.0.3")->pod == pod("web"));
  CHECK(node.binding("10.0.1.3")->pod == pod("web"));
  SECTION("kept after its DEL") {
    CHECK(node.release("c-go") == kBoth);
    CHECK(node.comes_back("web") == kBoth);
  }
  SECTION("kept over a reboot without any DEL") {
    node.boot(kSecondBoot);
    node.cache.entries.clear();
    CHECK(node.comes_back("web") == kBoth);
  }
}

TEST_CASE("both addresses are learned from DEL's own arguments", "[sets]") {
  TwoSets node;
  node.put_both("c-go");
  CHECK(node.release("c-go", "eth0", pod("web")) == kBoth);
  CHECK(node.comes_back("web") == kBoth);
}

TEST_CASE("both addresses are learned of a pod whose files are gone too", "[sets]") {
  TwoSets node;
  node.cache.add("c-go", "web", "/run/netns/gone", {"10.0.0.3", "10.0.1.3"});
  node.add_cached("c1", "db");
  CHECK(node.comes_back("web") == kBoth);
}

TEST_CASE("both addresses are learned from OpenYurt's marker files", "[sets]") {
  TwoSets node;
  node.put_both("c-yurt");
  node.put("10.0.0.3_default_web", "");
  node.put("10.0.1.3_default_web", "");
  node.add_cached("c1", "db");
  node.release("c-yurt");
  CHECK(node.comes_back("web") == kBoth);
}

TEST_CASE("what an earlier version learned by half is completed", "[sets]") {
  TwoSets node;
  node.put_both("c-go");
  node.cache.add("c-go", "web", kOwnNamespace, {"10.0.0.3", "10.0.1.3"});
  node.add_cached("c1", "db");
  std::filesystem::remove(node.record_dir() + "/ip.10.0.0.3");
  std::filesystem::remove(node.record_dir() + "/" + allocator::store::hint_name(pod("web")));
  std::filesystem::create_symlink(
      "1~10.0.1.3~", node.record_dir() + "/" + allocator::store::hint_name(pod("web")));
  const bool at_boot = GENERATE(true, false);
  if (at_boot) {
    node.boot(kSecondBoot);
    node.add_cached("c2", "mq");
  }
  CHECK(node.release("c-go", "eth0", pod("web")) == kBoth);
  CHECK(node.comes_back("web") == kBoth);
}

TEST_CASE("of two sandboxes of a pod the newer one's addresses are the pod's, all of them",
          "[sets]") {
  TwoSets node;
  node.put_both("c-2");
  node.put("10.0.0.4", owner("c-1"));
  node.put("10.0.1.4", owner("c-1"));
  node.cache.add("c-2", "web", kOwnNamespace, {"10.0.0.3", "10.0.1.3"}).written_ns = 2;
  node.cache.add("c-1", "web", kOwnNamespace, {"10.0.0.4", "10.0.1.4"}).written_ns = 1;
  node.add_cached("c-new", "db");
  CHECK(test::joined(node.hint("web")->addresses) == kBoth);
  CHECK_FALSE(node.binding("10.0.0.4").has_value());
  CHECK_FALSE(node.binding("10.0.1.4").has_value());
}

TEST_CASE("another address of the family that the pod has had stays away from a stranger's DEL",
          "[sets]") {
  TwoSets node;
  CHECK(node.add_cached("c1", "web") == "10.0.0.2 10.0.1.2");
  node.put_both("c-old");
  CHECK(node.release("c-old", "eth0", pod("web")) == kBoth);
  CHECK_FALSE(node.binding("10.0.0.3").has_value());
  node.release("c1");
  CHECK(node.comes_back("web") == "10.0.0.2 10.0.1.2");
}

TEST_CASE("at most four addresses of a family are learned", "[sets]") {
  CachedWorld node;
  node.sets = sets_of({"10.0.0.0/29", "10.0.1.0/29", "10.0.2.0/29", "10.0.3.0/29", "10.0.4.0/29"});
  for (const char* set : {"0", "1", "2", "3", "4"})
    node.put("10.0." + std::string(set) + ".3", owner("c-go"));
  const bool by_cache = GENERATE(true, false);
  if (by_cache) {
    node.cache.add("c-go", "web", kOwnNamespace,
                   {"10.0.0.3", "10.0.1.3", "10.0.2.3", "10.0.3.3", "10.0.4.3"});
    node.add_cached("c1", "db");
  }
  node.release("c-go", "eth0", pod("web"));
  CHECK(test::joined(node.hint("web")->addresses) == "10.0.0.3 10.0.1.3 10.0.2.3 10.0.3.3");
  CHECK(node.orphans().empty());
}
