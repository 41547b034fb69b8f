// What the store does with attachments that no DEL ever ended, and with DELs that come at a bad
// time.
#include <cerrno>
#include <string>
#include <system_error>

#include "allocator/store/state/call_start.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/cached_world.hpp"
#include "test/unit/support/clock_tick.hpp"
#include "test/unit/support/store_world.hpp"

using test::Contents;
using test::failure_of;
using test::kSecondBoot;
using test::owner;
using test::pod;
using test::sets_of;
using test::StoreWorld;
using test::wait_for_next_tick;

namespace {

/// Every change of the network folder fails.
void make_read_only(StoreWorld& world) {
  world.fs.before = [](const test::Call& call) {
    if (call.method == "unlink" || call.method == "link_file" || call.method == "create_file") {
      throw std::system_error(EROFS, std::generic_category(), call.method);
    }
  };
}

void make_writable(StoreWorld& world) {
  world.fs.before = [](const test::Call&) {};
}

}  // namespace

TEST_CASE("both families are taken over from one dead attachment", "[takeover]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  CHECK(world.add("c1", "web") == "10.0.0.2 2001:db8::2");
  world.boot(kSecondBoot);
  CHECK(world.add("c2", "web") == "10.0.0.2 2001:db8::2");
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c2")}, {"2001:db8::2", owner("c2")}});
  CHECK(world.release("c1").empty());
  CHECK(world.release("c2") == "10.0.0.2 2001:db8::2");
}

TEST_CASE("a live attachment keeps its address, and the newest one becomes the binding",
          "[takeover]") {
  StoreWorld world;
  CHECK(world.add("c1", "web") == "10.0.0.2");
  CHECK(world.add("c2", "web") == "10.0.0.3");
  CHECK(world.release("c1") == "10.0.0.2");
  CHECK(world.release("c2") == "10.0.0.3");
  CHECK(world.add("c3", "web") == "10.0.0.3");
}

TEST_CASE("reclaiming one address ends the whole dead attachment", "[takeover]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  for (const char* name : {"a", "b", "c", "d", "e"}) world.add(std::string("c-") + name, name);
  world.boot(kSecondBoot);
  CHECK(world.add("c1", "new") == "10.0.0.2 2001:db8::7");
  CHECK(world.files().count("2001:db8::2") == 0);
  CHECK(world.binding("2001:db8::2")->pod == pod("a"));
  CHECK(world.binding("2001:db8::2")->sequence > 0);
  CHECK(world.binding("10.0.0.2")->pod == pod("new"));
  CHECK(world.orphans().empty());
}

TEST_CASE("what is not proven dead of a dead attachment stays: its ID was used twice",
          "[takeover]") {
  StoreWorld world;
  CHECK(world.add("script", "web") == "10.0.0.2");
  world.boot(kSecondBoot);
  auto again = world.request("script", "web");
  again.on_duplicate = allocator::store::OnDuplicate::error;
  again.requested = {test::ip("10.0.0.4")};
  CHECK(world.add(again) == "10.0.0.4");
  auto other = world.request("c2", "db");
  other.requested = {test::ip("10.0.0.2")};
  other.may_ask_for_others = true;
  CHECK(world.add(other) == "10.0.0.2");
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c2")}, {"10.0.0.4", owner("script")}});
}

TEST_CASE("a second sandbox of one ID does not get what host-local gave the first one, which lives",
          "[takeover]") {
  test::CachedWorld node;
  std::filesystem::create_directories(node.options.network_dir);
  node.put("10.0.0.3", owner("script"));
  const bool lives = GENERATE(true, false);
  node.cache.add("script", "", lives ? test::kOwnNamespace : "/run/netns/gone", {"10.0.0.3"});
  auto second = node.request("script");
  second.netns_path = "/proc/self/ns/uts";  // any other namespace
  const auto add = [&](const auto& request) {
    return test::joined(StoreWorld::picked(node.cached_leases().add(request)));
  };
  if (lives) {
    CHECK(test::contains(failure_of([&] { add(second); }), "duplicate allocation is not allowed"));
  } else {
    CHECK(add(second) == "10.0.0.3");
  }
  auto first = second;
  first.netns_path = test::kOwnNamespace;
  if (lives) CHECK(add(first) == "10.0.0.3");
}

TEST_CASE("a release that the disk refuses is pending, and the next command does it", "[pending]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  make_read_only(world);
  CHECK(world.release("c1").empty());
  CHECK(world.files().count("10.0.0.2") == 1);
  CHECK(world.leases().files_of({"c1", "eth0"}).empty());
  CHECK_FALSE(failure_of([&] { world.add("c3", "web"); }).empty());
  make_writable(world);
  SECTION("an ADD of the pod") { CHECK(world.add("c3", "web") == "10.0.0.2"); }
  SECTION("a DEL of another one") { world.release("c2"); }
  SECTION("a GC") { static_cast<void>(world.leases().collect({{"c2", "eth0"}})); }
  CHECK(world.files()["10.0.0.2"] != owner("c1"));
  CHECK(world.binding("10.0.0.2")->pod == pod("web"));
}

TEST_CASE("pending releases are done in the order in which they were asked for", "[pending]") {
  StoreWorld world;  // has five addresses
  for (const char* pod : {"a", "b", "c", "d", "e"}) world.add(std::string("of-") + pod, pod);
  make_read_only(world);
  for (const char* container : {"of-c", "of-e", "of-a", "of-d", "of-b"}) {
    CHECK(world.release(container).empty());
    wait_for_next_tick();
  }
  make_writable(world);
  // Who has waited longest loses his address first.
  CHECK(world.add("n1", "new-1") == "10.0.0.4");
  CHECK(world.add("n2", "new-2") == "10.0.0.6");
  CHECK(world.add("n3", "new-3") == "10.0.0.2");
  CHECK(world.add("n4", "new-4") == "10.0.0.5");
  CHECK(world.add("n5", "new-5") == "10.0.0.3");
}

TEST_CASE("an attachment whose release is pending gets no answer", "[pending]") {
  StoreWorld world;
  world.add("c1", "web");
  make_read_only(world);
  world.release("c1");
  CHECK(test::contains(failure_of([&] { world.add("c1", "web"); }), "still pending"));
}

TEST_CASE("a release without the lock is pending", "[pending]") {
  StoreWorld world;
  world.add("c1", "web");
  world.options.lock_patience = std::chrono::milliseconds(20);
  allocator::store::PosixFileSystem fs;
  auto folder = fs.open_directory(world.options.network_dir);
  REQUIRE(folder.has_value());
  {
    const allocator::store::NetworkLock held(fs, *folder, std::chrono::milliseconds(20));
    CHECK(world.release("c1").empty());
  }
  CHECK(world.files().count("10.0.0.2") == 1);
  CHECK(world.add("c2", "db") == "10.0.0.3");
  CHECK(world.files() == Contents{{"10.0.0.3", owner("c2")}});
}

TEST_CASE("without /run a release that cannot be done is an error", "[pending]") {
  StoreWorld world;
  world.add("c1", "web");
  make_read_only(world);
  world.options.run_dir = world.network_file("lock");
  CHECK(test::contains(failure_of([&] { world.release("c1"); }), "release: unlink"));
}

TEST_CASE("an ADD of a process that began before the DEL is refused", "[tombstone]") {
  StoreWorld world;
  world.add("c0", "db");
  const bool is_known = GENERATE(false, true);
  if (is_known) world.add("c1");
  world.release("c1");
  // This process may be younger than a clock tick: the DEL came two ticks later.
  auto folder = world.fs.open_directory(world.options.network_dir);
  REQUIRE(folder.has_value());
  allocator::store::RunFolder run(world.fs, world.options.run_dir, world.fs.identify(folder->fd));
  REQUIRE(run.tombstone({"c1", "eth0"}).has_value());
  const auto deleted = *run.tombstone({"c1", "eth0"}) + 20'000'000;
  run.put_tombstone({"c1", "eth0"}, deleted);
  while (allocator::store::boottime_now() < deleted) continue;
  CHECK(test::contains(failure_of([&] { world.add("c1", "web"); }), "its DEL came after"));
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c0")}});
  CHECK_FALSE(world.hint("web").has_value());
  CHECK(world.add("c2", "web") == (is_known ? "10.0.0.4" : "10.0.0.3"));
}

TEST_CASE("a returning pod comes up although its records cannot be renewed", "[full]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  world.release("c1");
  world.fs.before = [](const test::Call& call) {
    if (call.method == "make_link") {
      throw std::system_error(ENOSPC, std::generic_category(), "symlink");
    }
  };
  CHECK(world.add("c3", "web") == "10.0.0.2");
  CHECK(test::contains(failure_of([&] { world.add("c4", "new"); }), "symlink"));
  world.fs.before = [](const test::Call&) {};
  CHECK(world.release("c3") == "10.0.0.2");
  CHECK(world.add("c5", "web") == "10.0.0.2");
}

TEST_CASE("held bindings are capped, the first one released goes first", "[held]") {
  StoreWorld world(sets_of({"10.0.0.0/16"}));
  world.options.durability = allocator::store::Durability::none;
  world.add("c-first", "first");
  world.release("c-first");
  // Records as 4 200 later DELs leave them; the 64th DEL counts.
  for (unsigned i = 0; i < 4200; ++i) {
    const allocator::Binding binding{pod("p" + std::to_string(i)), "", 10 + i, 0, "11111111"};
    const std::string address =
        "10.0." + std::to_string(16 + i / 250) + "." + std::to_string(i % 250);
    std::filesystem::create_symlink(allocator::encode(binding),
                                    world.record_dir() + "/ip." + address);
  }
  for (int i = 0; i < 64; ++i) {
    world.add("c-next-" + std::to_string(i), "next");
    world.release("c-next-" + std::to_string(i));
  }
  std::size_t bindings = 0;
  for (const auto& [name, target] : world.records()) bindings += name.starts_with("ip.") ? 1 : 0;
  CHECK(bindings <= 4096 + 64);
  CHECK_FALSE(world.hint("first").has_value());
  CHECK(world.hint("next").has_value());
}

TEST_CASE("a pod that must not be held leaves nothing, and what it had ends", "[held]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  auto request = world.request("c2", "web");
  request.owner.is_retained = false;
  CHECK(world.add(request) == "10.0.0.3");
  CHECK(world.records().empty());
  auto release = world.release_request("c2", "eth0", pod("web"));
  release.owner.is_retained = false;
  CHECK(test::joined(world.leases().release(release)) == "10.0.0.3");
  CHECK(world.records().empty());
}

TEST_CASE("a container that was started again does not end with a file of its first life",
          "[takeover]") {
  StoreWorld world;
  CHECK(world.add("c1") == "10.0.0.2");
  world.boot(kSecondBoot);
  world.fs.before = [](const test::Call& call) {
    if (call.subject == "10.0.0.2")
      throw std::system_error(EBADMSG, std::generic_category(), call.method);
  };
  CHECK(world.add("c1") == "10.0.0.3");
  make_writable(world);
  for (const char* other : {"c2", "c3", "c4"}) world.add(other);
  CHECK(world.add("c5") == "10.0.0.2");
  CHECK(world.files().at("10.0.0.3") == owner("c1"));
}

TEST_CASE("an agent in a container with a boot_id of its own takes nobody's address",
          "[takeover][death]") {
  StoreWorld world;
  world.add("c1", "web");
  world.boot(kSecondBoot);  // and a /run of its own
  world.fs.has_kernels_boot_id = false;
  world.fs.shown_pid_namespace = allocator::store::kInitialPidNamespace - 1;
  auto request = world.request("c2", "db");
  request.requested = {test::ip("10.0.0.2")};
  CHECK(test::contains(failure_of([&] { world.add(request); }), "is not available"));
  CHECK(world.add("c3", "web") == "10.0.0.3");
  CHECK(world.files().at("10.0.0.2") == owner("c1"));
}
