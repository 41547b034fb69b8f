// Addresses of the living whose file somebody removed, while something else is wrong as well: the
// cache cannot be read for a while, the disk takes nothing, the pod is not retained any more.
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/cached_world.hpp"

using test::CachedWorld;
using test::kOwnNamespace;
using test::owner;

namespace {

constexpr const char* kAddress = "10.0.0.2";

/// A living sandbox that the cache tells of.
void start(CachedWorld& node, const std::string& pod_name) {
  REQUIRE(node.add_cached("c-live", pod_name) == kAddress);
  node.cache.add("c-live", pod_name, kOwnNamespace, {kAddress});
}

void remove_file(CachedWorld& node) { std::filesystem::remove(node.network_file(kAddress)); }

/// Until nothing is left.
void let_newcomers_in(CachedWorld& node) {
  for (const char* name : {"c-1", "c-2", "c-3", "c-4", "c-5"}) {
    static_cast<void>(test::failure_of([&] { node.add_cached(name, name); }));
    CHECK(node.files()[kAddress] != owner(name));
  }
}

void is_its_own_again(CachedWorld& node) {
  let_newcomers_in(node);
  CHECK(node.files()[kAddress] == owner("c-live"));
}

}  // namespace

TEST_CASE("a cache that could not be read when the folder was wiped is asked again", "[lost]") {
  CachedWorld node;
  start(node, "web");
  node.wipe(true);
  const auto entries = std::exchange(node.cache.entries, {});
  static_cast<void>(node.cached_leases().collect({}));
  static_cast<void>(node.cached_leases().release(node.release_request("c-unknown")));
  static_cast<void>(node.add_cached("c-other"));
  node.cache.entries = entries;
  is_its_own_again(node);
}

TEST_CASE("a binding whose file is missing leaves a mark when its pod is not retained any more",
          "[lost]") {
  CachedWorld node;
  start(node, "web");
  remove_file(node);
  auto request = node.request("c-now", "web");
  request.owner.is_retained = false;
  static_cast<void>(node.cached_leases().add(request));
  REQUIRE(node.binding(kAddress) == std::nullopt);
  is_its_own_again(node);
}

TEST_CASE("a file that cannot be made again keeps its address from newcomers", "[lost]") {
  const int number = GENERATE(ENOSPC, EROFS, EIO);
  CachedWorld node;
  start(node, GENERATE("web", ""));
  remove_file(node);
  node.fs.before = [&](const test::Call& call) {
    if (call.method == "link_file" && call.subject == kAddress)
      throw std::system_error(number, std::generic_category(), "link");
  };
  let_newcomers_in(node);
  CHECK(node.files().count(kAddress) == 0);
  CHECK(node.files().size() == 4);  // all others of the range
  SECTION("and is made as soon as it can be") {
    node.fs.before = [](const test::Call&) {};
    is_its_own_again(node);
  }
  SECTION("whoever asks for it is told why") {
    auto request = node.request("c-pin", "pin");
    request.requested = {test::ip(kAddress)};
    const auto failure =
        test::failure_of([&] { static_cast<void>(node.cached_leases().add(request)); });
    CHECK(test::contains(failure, "is not available"));
    node.reservations.pins = {test::pin("pin", kAddress)};
    CHECK(test::contains(test::failure_of([&] { node.add_cached("c-pin", "pin"); }),
                         "somebody whose file cannot be restored"));
  }
}

TEST_CASE("who cannot be looked at keeps his address from newcomers", "[lost]") {
  CachedWorld node;
  start(node, "web");
  remove_file(node);
  node.fs.before = [&](const test::Call& call) {
    if (call.method == "network_namespace" && call.subject == kOwnNamespace)
      throw std::system_error(EACCES, std::generic_category(), "stat");
  };
  let_newcomers_in(node);
  node.fs.before = [](const test::Call&) {};
  is_its_own_again(node);
}

// The address of a dead pod has the command look a second time.
TEST_CASE("what is kept back stays so when a command looks for lost files twice", "[lost]") {
  CachedWorld node;
  const auto hinder = [&](bool is_on) {
    node.fs.before = [=](const test::Call& call) {
      if (is_on && call.method == "link_file" && call.subject == kAddress)
        throw std::system_error(EIO, std::generic_category(), "link");
    };
  };
  start(node, "");
  REQUIRE(node.add_cached("c-dead", "dead") == "10.0.0.3");
  std::filesystem::remove_all(node.options.network_dir);
  std::filesystem::remove_all(node.options.run_dir);  // the marks of who had which address
  SECTION("as it cannot be restored") {
    hinder(true);
    CHECK(node.add_cached("c-again", "dead") == "10.0.0.3");
    hinder(false);
    is_its_own_again(node);
  }
  SECTION("as two claim it") {
    node.cache.add("c-rival", "", kOwnNamespace, {kAddress});
    CHECK(node.add_cached("c-again", "dead") == "10.0.0.3");
    let_newcomers_in(node);
    CHECK(node.files().count(kAddress) == 0);
  }
}

// The message of a damaged file says: remove it.
TEST_CASE("a living sandbox whose damaged file is removed is given its file back", "[lost]") {
  CachedWorld node;
  const std::string damaged =
      GENERATE(as<std::string>(), kAddress, "ip.10.0.0.2", "user.delegated-ipam");
  const std::string pod_name = GENERATE(as<std::string>(), "", "web", "another's");
  if (pod_name == "another's") {
    node.add_cached("c-old", "web");
    node.release("c-old", "eth0", test::pod("web"));
    node.put(kAddress, owner("c-live"));  // by host-local
    node.cache.add("c-live", "", kOwnNamespace, {kAddress});
  } else {
    start(node, pod_name);
  }
  std::filesystem::remove_all(node.options.run_dir);
  node.fs.before = [&](const test::Call& call) {
    if (call.subject == damaged && call.method != "identify")
      throw std::system_error(EIO, std::generic_category(), call.method);
  };
  static_cast<void>(test::failure_of([&] { node.add_cached("c-other", "other"); }));
  node.fs.before = [](const test::Call&) {};
  remove_file(node);
  is_its_own_again(node);
}
