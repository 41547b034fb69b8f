// Whether somebody had an address in this boot: only then are its neighbours told of a new owner.
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using test::kSecondBoot;
using test::pod;
using test::sets_of;
using test::StoreWorld;

namespace {

/// The addresses of an ADD that somebody had in this boot; the others in brackets.
std::string used(StoreWorld& world, const allocator::store::AddRequest& request) {
  std::string text;
  for (const auto& pick : world.leases().add(request).picks) {
    const std::string address = pick.address.to_string();
    text += (text.empty() ? "" : " ") + (pick.was_used ? address : "[" + address + "]");
  }
  return text;
}

std::string used(StoreWorld& world, const std::string& container, const std::string& name = "") {
  return used(world, world.request(container, name));
}

}  // namespace

TEST_CASE("a new address is nobody's", "[former-use]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  CHECK(used(world, "c1", "web") == "[10.0.0.2] [2001:db8::2]");
  CHECK(used(world, "c2", "db") == "[10.0.0.3] [2001:db8::3]");
  CHECK(used(world, "c3") == "[10.0.0.4] [2001:db8::4]");
}

TEST_CASE("a pod that comes back in one boot has a used address", "[former-use]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  world.add("c1", "web");
  world.release("c1", "eth0", pod("web"));
  CHECK(used(world, "c2", "web") == "10.0.0.2 2001:db8::2");
}

TEST_CASE("the first ADD of a held address after a reboot has nobody before it", "[former-use]") {
  StoreWorld world;
  world.add("c1", "web");
  const bool deleted = GENERATE(false, true);
  const bool before = GENERATE(false, true);
  if (deleted && before) world.release("c1", "eth0", pod("web"));
  world.boot(kSecondBoot);
  if (deleted && !before) world.release("c1", "eth0", pod("web"));
  CHECK(used(world, "c2", "web") == "[10.0.0.2]");
  world.release("c2", "eth0", pod("web"));
  CHECK(used(world, "c3", "web") == "10.0.0.2");
}

TEST_CASE("an address that another pod was evicted from was that pod's", "[former-use]") {
  StoreWorld world;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    world.add(std::string("c-") + name, name);
    world.release(std::string("c-") + name, "eth0", pod(name));
  }
  CHECK(used(world, "c1", "new") == "10.0.0.2");
  world.boot(kSecondBoot);
  CHECK(used(world, "c2", "newer") == "[10.0.0.3]");
}

TEST_CASE("a lap further, the addresses of callers without a pod are used ones", "[former-use]") {
  StoreWorld world;
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    CHECK(used(world, id).front() == '[');
    world.release(id);
  }
  CHECK(used(world, "f") == "10.0.0.2");
}

TEST_CASE("without retention released addresses are known as well", "[former-use]") {
  StoreWorld world;
  world.options.retention = allocator::store::Retention::off;
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    CHECK(used(world, id, "web").front() == '[');
    world.release(id, "eth0", pod("web"));
  }
  CHECK(used(world, "f", "web") == "10.0.0.2");
  world.release("f");
  world.boot(kSecondBoot);
  CHECK(used(world, "g", "web") == "[10.0.0.3]");
}

TEST_CASE("an address that its pod gave up is a used one", "[former-use]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1", "eth0", pod("web"));
  auto request = world.request("c2", "web");
  request.requested = {test::ip("10.0.0.5")};
  CHECK(used(world, request) == "[10.0.0.5]");
  auto stranger = world.request("c3");
  stranger.requested = {test::ip("10.0.0.2")};
  CHECK(used(world, stranger) == "10.0.0.2");
}

TEST_CASE("a pod that is not held any more leaves used addresses", "[former-use]") {
  StoreWorld world;
  world.add("c1", "web");
  auto gone = world.release_request("c1", "eth0", pod("web"));
  gone.owner.is_retained = false;
  world.leases().release(gone);
  auto stranger = world.request("c2");
  stranger.requested = {test::ip("10.0.0.2")};
  CHECK(used(world, stranger) == "10.0.0.2");
}

TEST_CASE("an attachment that asks again may live elsewhere by now", "[former-use]") {
  StoreWorld world;
  world.add("c1", "web");
  CHECK(used(world, "c1", "web") == "10.0.0.2");
}

TEST_CASE("where /run was emptied in the middle of a boot anybody may have had it",
          "[former-use]") {
  StoreWorld world;
  world.add("c1", "web");
  world.boot("11111111-aaaa-4bbb-8ccc-000000000001");
  CHECK(used(world, "c2", "db") == "10.0.0.3");
  CHECK(used(world, "c3") == "10.0.0.4");
  world.boot(kSecondBoot);
  CHECK(used(world, "c4", "new") == "[10.0.0.5]");
  // A DEL looks at the files only, so that the next ADD scans once more.
  world.boot("33333333-aaaa-4bbb-8ccc-000000000003");
  auto gone = world.release_request("c4");
  gone.sets.clear();
  world.leases().release(gone);
  CHECK(used(world, "c5", "newer") == "[10.0.0.6]");
}

TEST_CASE("what GC drops is used", "[former-use]") {
  StoreWorld world;
  world.add("c1");
  world.leases().collect({});
  auto next = world.request("c2");
  next.requested = {test::ip("10.0.0.2")};
  CHECK(used(world, next) == "10.0.0.2");
}

TEST_CASE("an ADD and a DEL of a pod leave no mark", "[former-use]") {
  StoreWorld world;
  world.fs.before = [](const test::Call& call) {
    CHECK_FALSE((call.method == "make_link" && call.subject.find("used") != std::string::npos));
  };
  world.add("c1", "web");
  world.release("c1", "eth0", pod("web"));
  world.add("c2", "web");
}
