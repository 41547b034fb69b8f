// What an operator has kept for pods: bindings that are brought along, never anybody's address.
#include <algorithm>
#include <filesystem>
#include <string>

#include "allocator/store/bindings.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/faults.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::Elsewhere;
using allocator::Force;
using allocator::Hold;
using allocator::HoldFacts;
using allocator::User;
using test::ArmedFault;
using test::Contents;
using test::Fault;
using test::ip;
using test::Mode;
using test::owner;
using test::pod;
using test::StoreWorld;

namespace {

namespace store = allocator::store;
using Holds = std::vector<std::vector<Hold>>;

/// Addresses that are wanted for a pod, the one that it had last at the end.
store::HandHold wish(const std::string& pod_name, std::initializer_list<const char*> addresses,
                     const std::string& container_id = "") {
  store::HandHold wanted{pod(pod_name), "uid-" + pod_name, {}};
  for (const char* address : addresses) {
    wanted.addresses.push_back({ip(address)});
    if (!container_id.empty()) wanted.addresses.back().attachment = {container_id, "eth0"};
  }
  return wanted;
}

Hold hold_one(StoreWorld& world, const store::HandHold& wanted, Force force = Force::no) {
  return world.leases().hold_by_hand({wanted}, force).at(0).at(0);
}

bool is_flushed(const StoreWorld& world, const std::string& path) {
  const auto& synced = world.fs.synced;
  return std::find(synced.begin(), synced.end(), path) != synced.end();
}

HoldFacts facts(const std::string& address, User user = User::nobody) {
  HoldFacts one{test::held_address(ip(address), {pod("web"), {}, 1, 0, {}})};
  one.user = user;
  return one;
}

Hold judged(const HoldFacts& one, Force force) {
  allocator::HeldRoom room({});
  return allocator::judge_holds({one}, force, room).at(0);
}

}  // namespace

TEST_CASE("hold: whoever uses an address keeps it, whatever is forced", "[hand_hold]") {
  const Force force = GENERATE(Force::no, Force::yes);
  HoldFacts one = facts("10.0.0.2", User::somebody_else);
  CHECK(judged(one, force) == Hold::in_use);
  one.is_bound_to_pod = true;
  CHECK(judged(one, force) == Hold::in_use);
  one = facts("10.0.0.2", User::the_pod);
  CHECK(judged(one, force) == Hold::bound_in_use);
  one.elsewhere = Elsewhere::in_use;
  CHECK(judged(one, force) == Hold::elsewhere_in_use);
  one.is_closed = true;
  CHECK(judged(one, force) == Hold::closed);
}

TEST_CASE("hold: what is kept for others ends by force only", "[hand_hold]") {
  HoldFacts one = facts("10.0.0.2");
  CHECK(judged(one, Force::no) == Hold::held);
  one.is_bound_to_others = true;
  CHECK(judged(one, Force::no) == Hold::others);
  CHECK(judged(one, Force::yes) == Hold::held);
  one = facts("10.0.0.2");
  one.elsewhere = Elsewhere::held;
  CHECK(judged(one, Force::no) == Hold::elsewhere);
  CHECK(judged(one, Force::yes) == Hold::held);
  one.is_bound_to_pod = true;
  CHECK(judged(one, Force::no) == Hold::already);
}

TEST_CASE("hold: none goes for want of room, and the newest come first", "[hand_hold]") {
  std::vector<allocator::HeldAddress> held;
  for (std::size_t number = 0; number + 1 < allocator::kHeldPerFamily; ++number)
    held.push_back({ip("10.1.0.1"), 1, number, 1});
  allocator::HeldRoom room(held);
  const std::vector<HoldFacts> two = {facts("10.0.0.2"), facts("10.0.0.3")};
  CHECK(allocator::judge_holds(two, Force::yes, room) == std::vector{Hold::full, Hold::held});
  const std::vector<HoldFacts> other = {facts("fd00::2"), facts("10.0.0.4", User::the_pod)};
  CHECK(allocator::judge_holds(other, Force::no, room) ==
        std::vector{Hold::held, Hold::bound_in_use});
}

TEST_CASE("hold: a pod has at most four addresses of a family, and 16 on its interfaces",
          "[hand_hold]") {
  allocator::HeldRoom room({});
  std::vector<HoldFacts> five(5, facts("10.0.0.2"));
  CHECK(allocator::judge_holds(five, Force::yes, room) ==
        std::vector{Hold::full, Hold::held, Hold::held, Hold::held, Hold::held});
  five.front().is_bound_to_pod = true;
  CHECK(allocator::judge_holds(five, Force::yes, room) ==
        std::vector{Hold::already, Hold::full, Hold::held, Hold::held, Hold::held});
  const std::vector<HoldFacts> four(4, facts("10.0.0.2"));
  CHECK(allocator::judge_holds(four, Force::yes, room) == std::vector(4, Hold::held));
  CHECK(allocator::judge_holds(four, Force::yes, room) == std::vector(4, Hold::held));
  CHECK(allocator::judge_holds(four, Force::yes, room) ==
        std::vector{Hold::full, Hold::full, Hold::full, Hold::held});
}

TEST_CASE("by hand: a pod gets the address that is brought along, in the order of the list",
          "[hand_hold]") {
  StoreWorld world(test::sets_of({"10.0.0.0/29", "fd00::/125"}));
  const Holds holds = world.leases().hold_by_hand(
      {wish("web", {"10.0.0.5", "fd00::5"}), wish("db", {"10.0.0.4"})}, Force::no);
  CHECK(holds == Holds{{Hold::held, Hold::held}, {Hold::held}});
  CHECK(world.files().empty());
  CHECK(world.orphans().empty());
  CHECK(world.binding("10.0.0.5")->sequence == world.binding("fd00::5")->sequence);
  CHECK(world.binding("10.0.0.5")->sequence < world.binding("10.0.0.4")->sequence);
  CHECK(world.binding("10.0.0.5")->uid == "uid-web");
  CHECK(is_flushed(world, world.record_dir()));
  CHECK(is_flushed(world, world.options.state_dir));
  CHECK(world.add("c1", "web") == "10.0.0.5 fd00::5");
  CHECK(world.add("c2", "db").starts_with("10.0.0.4 "));
}

TEST_CASE("by hand: called again nothing is changed, and all is flushed", "[hand_hold]") {
  StoreWorld world;
  hold_one(world, wish("web", {"10.0.0.5"}));
  const auto before = world.records();
  world.fs.start_command();
  CHECK(hold_one(world, wish("web", {"10.0.0.5"})) == Hold::already);
  CHECK(world.records() == before);
  CHECK(is_flushed(world, world.record_dir()));
}

TEST_CASE("by hand: an address in use is nobody else's, by force neither", "[hand_hold]") {
  const Force force = GENERATE(Force::no, Force::yes);
  StoreWorld world;
  world.add("c1", "web");
  SECTION("its file is there") {}
  SECTION("its file names nobody") {
    test::write_text(world.network_file("10.0.0.2"), "reserved by hand");
  }
  SECTION("somebody removed its file in this boot") {
    std::filesystem::remove(world.network_file("10.0.0.2"));
  }
  SECTION("its file and its record are gone in this boot") {
    world.leases().hold_by_hand({}, Force::no);
    world.add("c2");  // a caller without a pod
    std::filesystem::remove(world.network_file("10.0.0.3"));
    CHECK(hold_one(world, wish("db", {"10.0.0.3"}), force) == Hold::in_use);
  }
  const auto before = world.records();
  CHECK(hold_one(world, wish("db", {"10.0.0.2"}), force) == Hold::in_use);
  CHECK(hold_one(world, wish("db", {"10.0.0.2"}, "c9"), force) == Hold::in_use);
  CHECK(world.records() == before);
}

TEST_CASE("by hand: a pod that uses an address is bound to it as by its ADD", "[hand_hold]") {
  StoreWorld world;
  world.add("c0", "first");
  test::write_text(world.network_file("10.0.0.5"), owner("c1"));  // the Go plugin's
  CHECK(hold_one(world, wish("web", {"10.0.0.5"})) == Hold::in_use);
  CHECK(hold_one(world, wish("web", {"10.0.0.5"}, "c2")) == Hold::in_use);
  CHECK(hold_one(world, wish("web", {"10.0.0.5"}, "c1")) == Hold::bound_in_use);
  CHECK(world.binding("10.0.0.5")->sequence == 0);
  CHECK(world.binding("10.0.0.5")->boot8 == "11111111");
  CHECK(test::joined(world.hint("web")->previous_boot) == "10.0.0.5");
  CHECK(hold_one(world, wish("web", {"10.0.0.5"}, "c1")) == Hold::already);
  CHECK(hold_one(world, wish("web", {"10.0.0.6"}), Force::yes) == Hold::elsewhere_in_use);
  world.release("c1");
  CHECK(world.add("c3", "web") == "10.0.0.5");
}

TEST_CASE("by hand: force ends what is kept for others, and the pod's other address",
          "[hand_hold]") {
  StoreWorld world;
  hold_one(world, wish("db", {"10.0.0.4"}));
  hold_one(world, wish("web", {"10.0.0.5"}));
  CHECK(hold_one(world, wish("web", {"10.0.0.4"})) == Hold::others);
  CHECK(hold_one(world, wish("web", {"10.0.0.6"})) == Hold::elsewhere);
  CHECK(hold_one(world, wish("web", {"10.0.0.4"}), Force::yes) == Hold::held);
  CHECK(world.binding("10.0.0.4")->pod == pod("web"));
  CHECK_FALSE(world.binding("10.0.0.5").has_value());
  CHECK_FALSE(world.hint("db").has_value());
  CHECK(test::joined(world.hint("web")->addresses) == "10.0.0.4");
  CHECK(world.orphans().empty());
}

TEST_CASE("by hand: the pod's address of the other family stays", "[hand_hold]") {
  StoreWorld world(test::sets_of({"10.0.0.0/29", "fd00::/125"}));
  hold_one(world, wish("web", {"10.0.0.5"}));
  hold_one(world, wish("web", {"fd00::5"}));
  CHECK(test::joined(world.hint("web")->addresses) == "fd00::5 10.0.0.5");
  CHECK(hold_one(world, wish("web", {"fd00::6"}), Force::yes) == Hold::held);
  CHECK(world.add("c1", "web") == "10.0.0.5 fd00::6");
}

TEST_CASE("by hand: what cannot be read costs its own pod, and is not written over",
          "[hand_hold]") {
  StoreWorld world;
  hold_one(world, wish("web", {"10.0.0.5"}));
  const std::string record = GENERATE("2~of a later version", "1~torn");
  std::filesystem::create_symlink(record, world.record_dir() + "/ip.10.0.0.4");
  const Holds holds = world.leases().hold_by_hand(
      {wish("db", {"10.0.0.4"}), wish("log", {"10.0.0.6"})}, Force::yes);
  CHECK(holds == Holds{{Hold::closed}, {Hold::held}});
  CHECK(world.records().at("ip.10.0.0.4") == record);
}

TEST_CASE("by hand: where a pod's own record is of a later version, nothing is bound to it",
          "[hand_hold]") {
  StoreWorld world;
  hold_one(world, wish("db", {"10.0.0.4"}));
  std::filesystem::create_symlink("2~later",
                                  world.record_dir() + "/" + store::hint_name(pod("web")));
  CHECK(hold_one(world, wish("web", {"10.0.0.5"}), Force::yes) == Hold::closed);
  CHECK_FALSE(world.binding("10.0.0.5").has_value());
}

TEST_CASE("by hand: what a pod's record leads to and nobody can read may be the pod's",
          "[hand_hold]") {
  StoreWorld world;
  hold_one(world, wish("web", {"10.0.0.5"}));
  const std::string record = world.record_dir() + "/ip.10.0.0.5";
  std::filesystem::remove(record);
  std::filesystem::create_symlink("2~later", record);
  const auto before = world.records();
  CHECK(hold_one(world, wish("web", {"10.0.0.6"}), Force::yes) == Hold::closed);
  CHECK(world.records() == before);
}

TEST_CASE("by hand: a call that fails leaves what its repetition completes", "[hand_hold]") {
  const Mode mode = GENERATE(Mode::fails, Mode::crashes);
  const Force force = GENERATE(Force::no, Force::yes);
  for (int at = 1;; ++at) {
    REQUIRE(at < test::kManyCalls);
    StoreWorld world(test::sets_of({"10.0.0.0/29", "fd00::/125"}));
    if (force == Force::yes) {
      world.leases().hold_by_hand({wish("db", {"10.0.0.5"}), wish("web", {"10.0.0.3"})}, Force::no);
      world.add("c1", "live");
    }
    const std::vector<store::HandHold> pods = {wish("web", {"10.0.0.5", "fd00::5"}),
                                               wish("log", {"10.0.0.6"})};
    const auto files = world.files();
    bool was_met = false;
    {
      const ArmedFault fault(world.fs, Fault{at, EIO, mode});
      const auto failure = test::failure_of([&] { world.leases().hold_by_hand(pods, force); });
      was_met = fault.was_met();
      INFO(fault.call() << ": " << failure);
      CHECK(world.lock_is_free());
      CHECK(world.orphans().empty());
    }
    world.fs.start_command();
    CHECK(test::failure_of([&] { world.leases().hold_by_hand(pods, force); }).empty());
    CHECK(is_flushed(world, world.record_dir()));
    CHECK(is_flushed(world, world.options.network_dir));
    CHECK(world.files() == files);
    CHECK(world.orphans().empty());
    CHECK(world.add("c2", "web") == "10.0.0.5 fd00::5");
    CHECK(world.add("c3", "log").starts_with("10.0.0.6 "));
    if (!was_met) break;
  }
}
