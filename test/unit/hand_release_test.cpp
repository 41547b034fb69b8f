// What an operator frees: an attachment whose DEL never comes, and what is kept for a pod.
#include <algorithm>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/faults.hpp"
#include "test/unit/support/store_world.hpp"

using test::ArmedFault;
using test::Contents;
using test::Fault;
using test::kSecondBoot;
using test::Mode;
using test::owner;
using test::pod;
using test::StoreWorld;

namespace {

namespace store = allocator::store;
using Proof = store::LeaseStore::Proof;

store::HandRelease by_hand(StoreWorld& world, const std::string& container_id, Proof proof) {
  return world.leases().release_by_hand({container_id, "eth0"}, {}, proof);
}

/// The ADD of a container in this process' own network namespace, which lives.
std::string add_living(StoreWorld& world, const std::string& container_id,
                       const std::string& pod_name) {
  auto request = world.request(container_id, pod_name);
  request.netns_path = "/proc/self/ns/net";
  return world.add(request);
}

bool was_flushed(const StoreWorld& world, const std::string& path) {
  const auto& synced = world.fs.synced;
  return std::find(synced.begin(), synced.end(), path) != synced.end();
}

}  // namespace

TEST_CASE("by hand: who is proven dead is freed durably, and his pod comes back", "[hand]") {
  StoreWorld world;
  world.add("c1", "web");
  world.boot(kSecondBoot);
  world.fs.start_command();
  const auto outcome = by_hand(world, "c1", Proof::needed);
  CHECK(outcome.was_there);
  CHECK_FALSE(outcome.may_be_alive);
  CHECK(test::joined(outcome.freed) == "10.0.0.2");
  CHECK(world.files().empty());
  CHECK(was_flushed(world, world.options.network_dir));
  CHECK(was_flushed(world, world.record_dir()));
  CHECK(world.binding("10.0.0.2")->sequence != 0);
  CHECK(world.add("c2", "web") == "10.0.0.2");
}

TEST_CASE("by hand: who may be alive stays, unless no proof is asked for", "[hand]") {
  StoreWorld world;
  add_living(world, "c1", "web");
  SECTION("in this boot") {}
  SECTION("whatever the boot is called") { world.boot(kSecondBoot); }
  const auto refused = by_hand(world, "c1", Proof::needed);
  CHECK(refused.was_there);
  CHECK(refused.may_be_alive);
  CHECK(refused.freed.empty());
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
  CHECK(test::joined(by_hand(world, "c1", Proof::waived).freed) == "10.0.0.2");
  CHECK(world.files().empty());
}

TEST_CASE("by hand: who is freed first is forgotten by the number that this gave, and no other",
          "[hand]") {
  StoreWorld world;
  world.add("c1", "web");
  world.boot(kSecondBoot);
  const auto released = by_hand(world, "c1", Proof::needed);
  CHECK(released.sequence == world.binding("10.0.0.2")->sequence);
  CHECK(test::joined(world.leases().forget_pod(pod("web"), 0).in_use) == "10.0.0.2");
  SECTION("nobody has used it since") {
    const auto outcome = world.leases().forget_pod(pod("web"), 0, {released.sequence});
    CHECK(test::joined(outcome.ended) == "10.0.0.2");
  }
  SECTION("the pod came back and ended") {
    world.add("c2", "web");
    world.release("c2");
    const auto outcome = world.leases().forget_pod(pod("web"), 0, {released.sequence});
    CHECK(test::joined(outcome.in_use) == "10.0.0.2");
    CHECK(world.binding("10.0.0.2")->pod == pod("web"));
  }
}

TEST_CASE("by hand: a file of which nothing is known keeps all of its attachment", "[hand]") {
  StoreWorld world;
  world.add("c1", "web");
  world.boot(kSecondBoot);
  test::write_text(world.network_file("10.0.0.5"), owner("c1"));  // the Go plugin's, in this boot
  CHECK(by_hand(world, "c1", Proof::needed).may_be_alive);
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}, {"10.0.0.5", owner("c1")}});
  CHECK(test::joined(by_hand(world, "c1", Proof::waived).freed) == "10.0.0.2 10.0.0.5");
}

TEST_CASE("by hand: of an attachment that is not there nothing is freed or flushed", "[hand]") {
  StoreWorld world;
  CHECK_FALSE(by_hand(world, "c1", Proof::waived).was_there);
  CHECK_FALSE(std::filesystem::exists(world.options.network_dir));
  world.add("c1");
  world.add(world.request("c1", "", "net1"));
  world.fs.start_command();
  CHECK_FALSE(by_hand(world, "c2", Proof::waived).was_there);
  CHECK_FALSE(was_flushed(world, world.options.network_dir));
  CHECK(test::joined(by_hand(world, "c1", Proof::waived).freed) == "10.0.0.2");
  CHECK(world.files() == Contents{{"10.0.0.3", owner("c1", "net1")}});
}

TEST_CASE("by hand: a call that fails leaves what its repetition frees", "[hand]") {
  const Mode mode = GENERATE(Mode::fails, Mode::crashes);
  for (int at = 1;; ++at) {
    REQUIRE(at < test::kManyCalls);
    StoreWorld world;
    world.add("c1", "web");
    world.boot(kSecondBoot);
    bool was_met = false;
    {
      const ArmedFault fault(world.fs, Fault{at, EIO, mode});
      const auto failure = test::failure_of([&] { by_hand(world, "c1", Proof::needed); });
      was_met = fault.was_met();
      INFO(fault.call() << ": " << failure);
      CHECK(world.lock_is_free());
      CHECK(world.binding("10.0.0.2").has_value());
    }
    CHECK(test::failure_of([&] { by_hand(world, "c1", Proof::needed); }).empty());
    CHECK(world.files().empty());
    CHECK(world.add("c2", "web") == "10.0.0.2");
    if (!was_met) break;
  }
}

TEST_CASE("what is kept for a pod ends by hand, durably", "[hand]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  world.release("c1");
  world.fs.start_command();
  const auto outcome = world.leases().forget_pod(pod("web"));
  CHECK(test::joined(outcome.ended) == "10.0.0.2");
  CHECK(outcome.in_use.empty());
  CHECK_FALSE(world.binding("10.0.0.2").has_value());
  CHECK_FALSE(world.hint("web").has_value());
  CHECK(world.binding("10.0.0.3").has_value());
  CHECK(was_flushed(world, world.record_dir()));
  CHECK(world.leases().forget_pod(pod("web")).ended.empty());
}

TEST_CASE("what a pod uses stays bound, with all that is kept for it", "[hand]") {
  StoreWorld world;
  world.add("c1", "web");
  SECTION("its file is there") {}
  SECTION("somebody removed its file in this boot") {
    std::filesystem::remove(world.network_file("10.0.0.2"));
  }
  const auto before = world.records();
  const auto outcome = world.leases().forget_pod(pod("web"));
  CHECK(outcome.ended.empty());
  CHECK(test::joined(outcome.in_use) == "10.0.0.2");
  CHECK(world.records() == before);
}

TEST_CASE("what a pod has used since somebody looked stays bound", "[hand]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  const auto looked_at = world.binding("10.0.0.2")->sequence;
  CHECK(world.add("c2", "web") == "10.0.0.2");
  world.release("c2");
  const auto before = world.records();
  const auto outcome = world.leases().forget_pod(pod("web"), looked_at);
  CHECK(outcome.ended.empty());
  CHECK(test::joined(outcome.in_use) == "10.0.0.2");
  CHECK(world.records() == before);
  const auto by_now = world.binding("10.0.0.2")->sequence;
  CHECK(test::joined(world.leases().forget_pod(pod("web"), by_now).ended) == "10.0.0.2");
}

TEST_CASE("an end of bindings that fails leaves what its repetition ends", "[hand]") {
  const Mode mode = GENERATE(Mode::fails, Mode::crashes);
  for (int at = 1;; ++at) {
    REQUIRE(at < test::kManyCalls);
    StoreWorld world;
    world.add("c1", "web");
    world.add("c2", "db");
    world.release("c1");
    bool was_met = false;
    {
      const ArmedFault fault(world.fs, Fault{at, EIO, mode});
      const auto failure = test::failure_of([&] { world.leases().forget_pod(pod("web")); });
      was_met = fault.was_met();
      INFO(fault.call() << ": " << failure);
      CHECK(world.lock_is_free());
    }
    CHECK(test::failure_of([&] { world.leases().forget_pod(pod("web")); }).empty());
    CHECK_FALSE(world.binding("10.0.0.2").has_value());
    CHECK(world.binding("10.0.0.3").has_value());
    CHECK(world.files() == Contents{{"10.0.0.3", owner("c2")}});
    if (!was_met) break;
  }
}

TEST_CASE("where nothing was ever kept, nothing is made to forget it", "[hand]") {
  StoreWorld world;
  CHECK(world.leases().forget_pod(pod("web")).ended.empty());
  CHECK_FALSE(std::filesystem::exists(world.options.state_dir));
}
