// Taking an answered ADD back that could not be told to the caller.
#include <string>
#include <vector>

#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::Lease;
using test::Contents;
using test::owner;
using test::pod;
using test::sets_of;
using test::StoreWorld;

namespace {

/// Runs ADD and hands back its lease, still to be undone; the request must outlive it.
Lease lease_of(StoreWorld& world, const allocator::store::AddRequest& request) {
  return world.leases().add(request);
}

}  // namespace

TEST_CASE("undo of a new pod's ADD leaves nothing", "[undo]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  const auto request = world.request("c1", "web");
  Lease lease = lease_of(world, request);
  world.leases().undo(lease);
  CHECK(world.files().empty());
  CHECK(world.records().empty());
}

TEST_CASE("undo of a returning pod's ADD keeps its binding as it was", "[undo]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  const auto before = world.records();
  const auto request = world.request("c2", "web");
  Lease lease = lease_of(world, request);
  REQUIRE(world.records() != before);
  world.leases().undo(lease);
  CHECK(world.records() == before);
  CHECK(world.add("c3", "web") == "10.0.0.2");
}

TEST_CASE("undo gives the evicted pod its binding back", "[undo]") {
  StoreWorld world(sets_of({"10.0.0.0/30"}));
  world.add("c1", "web");
  world.release("c1");
  const auto before = world.records();
  const std::string newcomer = GENERATE("db", "");
  const auto request = world.request("c2", newcomer);
  Lease lease = lease_of(world, request);
  REQUIRE(world.records() != before);
  world.leases().undo(lease);
  CHECK(world.records() == before);
  CHECK(world.add("c3", "web") == "10.0.0.2");
}

TEST_CASE("undo gives no binding back to a pod that was bound anew meanwhile", "[undo]") {
  StoreWorld world(sets_of({"10.0.0.0/29"}));
  world.add("c1", "web");
  world.release("c1");
  for (const char* other : {"c2", "c3", "c4"}) world.add(other);
  world.add("c5", "gone");
  world.release("c5");
  // Nothing is free: .2 is held for web, .6 for gone, and web has been gone longer.
  const auto request = world.request("c6", "db");
  Lease lease = lease_of(world, request);
  REQUIRE(test::joined(StoreWorld::picked(lease)) == "10.0.0.2");
  REQUIRE(world.add("c7", "web") == "10.0.0.6");
  world.leases().undo(lease);
  CHECK_FALSE(world.binding("10.0.0.2").has_value());
  CHECK(world.binding("10.0.0.6")->pod == pod("web"));
  CHECK(world.orphans().empty());
}

TEST_CASE("undo restores the binding that a superseding ADD dropped", "[undo]") {
  StoreWorld world;
  world.add("c1", "web");
  const auto before = world.records();
  const auto request = world.request("c2", "web");
  Lease lease = lease_of(world, request);
  REQUIRE_FALSE(world.binding("10.0.0.2").has_value());
  world.leases().undo(lease);
  CHECK(world.records() == before);
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
}

TEST_CASE("undo of a repeated ADD leaves what the attachment had before", "[undo]") {
  StoreWorld world;
  world.add("c1", "web");
  const auto files = world.files();
  const auto records = world.records();
  world.sets = sets_of({"10.0.0.0/29", "2001:db8::/64"});
  const auto request = world.request("c1", "web");
  Lease lease = lease_of(world, request);
  REQUIRE(world.files() != files);
  world.leases().undo(lease);
  CHECK(world.files() == files);
  CHECK(world.records() == records);
}

TEST_CASE("undo leaves a name alone that meanwhile belongs to somebody else", "[undo]") {
  StoreWorld world;
  const auto request = world.request("c1", "web");
  Lease lease = lease_of(world, request);
  world.release("c1");
  test::write_text(world.network_file("10.0.0.2"), owner("stranger"));
  world.leases().undo(lease);
  CHECK(world.files() == Contents{{"10.0.0.2", owner("stranger")}});
}

TEST_CASE("undo after a DEL of the same attachment keeps what DEL recorded", "[undo]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  const auto request = world.request("c2", "web");
  Lease lease = lease_of(world, request);
  world.release("c2");
  const auto deleted = world.binding("10.0.0.2");
  world.leases().undo(lease);
  CHECK(world.binding("10.0.0.2") == deleted);
  CHECK(world.orphans().empty());
  CHECK(world.add("c3", "web") == "10.0.0.2");
}

TEST_CASE("undo without the network folder is nothing to do", "[undo]") {
  StoreWorld world;
  const auto request = world.request("c1");
  Lease lease = lease_of(world, request);
  std::filesystem::remove_all(world.options.network_dir);
  CHECK_NOTHROW(world.leases().undo(lease));
}

TEST_CASE("the next ADD after an undo goes on behind the address that was given back", "[undo]") {
  StoreWorld world;
  const auto request = world.request("c1");
  Lease lease = lease_of(world, request);
  world.leases().undo(lease);
  CHECK(world.add("c2") == "10.0.0.3");
}

TEST_CASE("undo knows its files by their content where inode numbers come again", "[undo]") {
  StoreWorld world;
  world.fs.inodes_come_again = true;
  const auto request = world.request("c1", "web");
  Lease lease = lease_of(world, request);
  world.release("c1");
  auto next = world.request("c2", GENERATE("web", "db", ""));
  next.requested = {test::ip("10.0.0.2")};
  REQUIRE(world.add(next) == "10.0.0.2");
  const auto records = world.records();
  world.leases().undo(lease);
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c2")}});
  CHECK(world.records() == records);
}

TEST_CASE("undo leaves records alone that look like its own but are another ADD's", "[undo]") {
  StoreWorld world;
  const auto request = world.request("c1", "web");
  Lease lease = lease_of(world, request);
  // A DEL that ends the binding, so that the next ADD writes the same record again.
  auto del = world.release_request("c1", "eth0", pod("web"));
  del.owner.is_retained = false;
  static_cast<void>(world.leases().release(del));
  auto next = world.request("c2", "web");
  next.requested = {test::ip("10.0.0.2")};
  REQUIRE(world.add(next) == "10.0.0.2");
  const auto records = world.records();
  world.leases().undo(lease);
  CHECK(world.records() == records);
}

TEST_CASE("the files of a lease stay open, so that no other file gets their numbers", "[undo]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  const auto request = world.request("c1", "web");
  const Lease lease = lease_of(world, request);
  REQUIRE(lease.files.size() == 1);
  CHECK(lease.files.front().is_open());
}

TEST_CASE("undo changes files and records under the lock only", "[undo]") {
  StoreWorld world;
  const auto request = world.request("c1", "web");
  Lease lease = lease_of(world, request);
  const auto records = world.records();
  std::vector<std::string> changed;
  std::vector<std::string> unlocked;
  world.fs.before = [&](const test::Call& call) {
    const bool is_ours = call.subject == "10.0.0.2" || records.count(call.subject) != 0;
    if (call.method != "unlink" || !is_ours) return;
    changed.push_back(call.subject);
    if (world.lock_is_free()) unlocked.push_back(call.subject);
  };
  world.leases().undo(lease);
  CHECK(changed.size() == 1 + records.size());
  CHECK(unlocked.empty());
}

TEST_CASE("undo leaves what a repeated ADD was answered meanwhile", "[undo]") {
  StoreWorld world;
  const bool takes_over = GENERATE(false, true);
  if (takes_over) {
    world.add("c0", "web");
    world.boot(test::kSecondBoot);
  }
  const auto request = world.request("c1", "web");
  Lease first = lease_of(world, request);
  REQUIRE(world.add(request) == "10.0.0.2");
  const auto records = world.records();
  world.leases().undo(first);
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
  CHECK(world.records() == records);
  CHECK(world.add("c2") == "10.0.0.3");
}

TEST_CASE("undo is not kept from its work by a repeat of an earlier life", "[undo]") {
  StoreWorld world;
  const auto request = world.request("c1", "web");
  world.add(request);
  world.add(request);
  std::filesystem::remove(world.network_file("10.0.0.2"));  // as host-local's DEL does
  Lease lease = lease_of(world, request);
  world.leases().undo(lease);
  CHECK(world.files().empty());
}

TEST_CASE("undo leaves what a later ADD of the attachment has got", "[undo]") {
  StoreWorld world;
  const auto request = world.request("c1", "web");
  Lease first = lease_of(world, request);
  world.release("c1");
  std::filesystem::remove_all(world.options.run_dir);  // its tombstone
  const Lease second = lease_of(world, request);
  REQUIRE(StoreWorld::picked(second) == StoreWorld::picked(first));
  world.leases().undo(first);
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
}
