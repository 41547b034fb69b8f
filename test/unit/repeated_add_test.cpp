// What a repeated ADD is told when its attachment has two addresses of a range set: the disk did
// not give a file for a while, or the runtime's cache of yesterday brought one back.
#include <filesystem>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/cached_world.hpp"
#include "test/unit/support/clock_tick.hpp"

using test::owner;

namespace {

constexpr const char* kTold = "10.0.0.3";
constexpr const char* kOther = "10.0.0.2";

/// The sandbox c1 was told kTold and has kOther as well, which comes first.
struct TwoAddresses : test::CachedWorld {
  explicit TwoAddresses(const std::string& name) : pod_name(name) {
    sets = test::sets_of({"10.0.0.0/28", "2001:db8::/124"});
    add("c0");
    REQUIRE(add("c1", pod_name) == std::string(kTold) + " 2001:db8::3");
    release("c0");
    put(kOther, owner("c1"));
  }

  std::string add_again() { return add_cached("c1", pod_name); }
  /// Gives the file another time of change than those of before.
  void touch(const std::string& address) {
    test::wait_for_next_tick();
    std::filesystem::permissions(network_file(address), std::filesystem::perms::owner_read);
  }

  std::string pod_name;
};

}  // namespace

TEST_CASE("of two addresses a repeated ADD is told the one that its pod is bound to",
          "[repeated]") {
  TwoAddresses node("web");
  node.touch(kOther);
  if (GENERATE(false, true)) node.cache.add("c1", "web", test::kOwnNamespace, {kOther});
  CHECK(node.add_again() == "10.0.0.3 2001:db8::3");
  CHECK(node.add_again() == "10.0.0.3 2001:db8::3");
  CHECK(node.files()[kOther] == owner("c1"));
  CHECK(node.binding(kTold)->pod == test::pod("web"));
}

TEST_CASE("of two addresses of nobody's a repeated ADD is told what the runtime's cache tells",
          "[repeated]") {
  TwoAddresses node("");
  const std::string newest = GENERATE(kTold, kOther);
  node.touch(newest);
  node.cache.add("c1", "", test::kOwnNamespace, {newest == kTold ? kOther : kTold});
  CHECK(node.add_again() == std::string(newest == kTold ? kOther : kTold) + " 2001:db8::3");
}

TEST_CASE("of two addresses that nothing else tells of a repeated ADD is told the newest",
          "[repeated]") {
  TwoAddresses node("");
  const std::string newest = GENERATE(kTold, kOther);
  node.touch(newest);
  CHECK(node.add_again() == newest + " 2001:db8::3");
}

TEST_CASE("of two addresses a repeated ADD that is refused is told the first, as by host-local",
          "[repeated]") {
  TwoAddresses node("web");
  node.touch(kTold);
  auto request = node.request("c1", "web");
  request.on_duplicate = allocator::store::OnDuplicate::error;
  CHECK(test::contains(test::failure_of([&] { node.add(request); }), kOther));
}
