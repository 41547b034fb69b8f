// What brings a pod back to its address, and what ends that.
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::Retention;
using test::pod;
using test::sets_of;
using test::StoreWorld;

TEST_CASE("a pod that returns under a new container gets its address", "[retention]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  CHECK(world.add("c1", "web") == "10.0.0.2 2001:db8::2");
  CHECK(world.add("c2", "db") == "10.0.0.3 2001:db8::3");
  world.release("c1");
  world.release("c2");
  CHECK(world.add("c3", "new") == "10.0.0.4 2001:db8::4");
  CHECK(world.add("c4", "db") == "10.0.0.3 2001:db8::3");
  CHECK(world.add("c5", "web") == "10.0.0.2 2001:db8::2");
  CHECK(world.binding("10.0.0.2")->kept == 1);
}

TEST_CASE("a held address does not move the cursor", "[retention]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  world.release("c1");
  world.add("c3", "web");
  CHECK(test::read_text(world.network_file("last_reserved_ip.0")) == "10.0.0.3");
}

TEST_CASE("DEL turns in use into held, with a sequence number that only grows", "[retention]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  CHECK(world.binding("10.0.0.2")->sequence == 0);
  world.release("c2");
  world.release("c1");
  CHECK(world.binding("10.0.0.3")->sequence == 1);
  CHECK(world.binding("10.0.0.2")->sequence == 2);
  CHECK(world.binding("10.0.0.2")->pod == pod("web"));
  CHECK(world.files().empty());
}

TEST_CASE("the sequence goes on after a reboot, with /run empty", "[retention]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  world.release("c1");
  world.boot("22222222-aaaa-4bbb-8ccc-000000000002");
  world.release("c2");
  CHECK(world.binding("10.0.0.3")->sequence == 2);
}

TEST_CASE("a damaged sequence counter is rebuilt from the records", "[retention]") {
  const std::string damage = GENERATE("", "x", "-3", "99999999999999999999999");
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  world.release("c1");
  world.add("c3", "new");
  world.release("c3");
  const std::string run = world.options.run_dir;
  for (const auto& entry : std::filesystem::directory_iterator(run)) {
    test::write_text(entry.path().string() + "/sequence", damage);
  }
  world.release("c2");
  INFO("damage " << damage);
  CHECK(world.binding("10.0.0.3")->sequence == 3);
}

TEST_CASE("the pod that has been gone longest makes room, its binding ends", "[retention]") {
  StoreWorld world;
  for (int i = 1; i <= 5; ++i) world.add("c" + std::to_string(i), "p" + std::to_string(i));
  for (const char* gone : {"c3", "c1", "c2"}) world.release(gone);
  CHECK(world.add("c6", "new") == "10.0.0.4");
  CHECK(world.binding("10.0.0.4")->pod == pod("new"));
  SECTION("the evicted pod comes back to another address") {
    CHECK(world.add("c7", "p3") == "10.0.0.2");
    CHECK(test::joined(world.hint("p3")->addresses) == "10.0.0.2");
  }
  SECTION("the others keep theirs") {
    CHECK(world.add("c7", "p2") == "10.0.0.3");
    CHECK(world.add("c8", "p1") == "10.0.0.2");
  }
}

TEST_CASE("a caller without a pod ends the binding that it evicts", "[retention]") {
  StoreWorld world(sets_of({"10.0.0.0/30"}));
  world.add("c1", "web");
  world.release("c1");
  CHECK(world.add("c2") == "10.0.0.2");
  CHECK_FALSE(world.binding("10.0.0.2").has_value());
}

TEST_CASE("a pod whose address is still in use gets another one, which is its own from then on",
          "[retention]") {
  StoreWorld world;
  world.add("c1", "web");
  CHECK(world.add("c2", "web") == "10.0.0.3");
  CHECK_FALSE(world.binding("10.0.0.2").has_value());
  CHECK(test::joined(world.hint("web")->addresses) == "10.0.0.3");
  world.release("c1");
  world.release("c2");
  CHECK(world.add("c3", "web") == "10.0.0.3");
}

TEST_CASE("a dormant binding stays, and counts again when the rule is gone", "[retention]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  std::string afterwards = "10.0.0.3";
  SECTION("excluded") { world.reservations.excluded = {test::span("10.0.0.2", "10.0.0.2")}; }
  SECTION("pinned to another pod") { world.reservations.pins = {test::pin("db", "10.0.0.2")}; }
  SECTION("out of the ranges") {
    world.sets = sets_of({"10.0.1.0/29"});
    afterwards = "10.0.0.2";
  }
  const std::string other = world.add("c2", "web");
  CHECK(other != "10.0.0.2");
  CHECK(world.binding("10.0.0.2")->pod == pod("web"));
  CHECK(test::joined(world.hint("web")->addresses) == other + " 10.0.0.2");
  world.release("c2");
  world.reservations = {};
  world.sets = sets_of({"10.0.0.0/29"});
  CHECK(world.add("c3", "web") == afterwards);
  CHECK(world.orphans().empty());
}

TEST_CASE("a pod that moved between ranges finds both addresses again", "[retention]") {
  StoreWorld world(sets_of({"10.0.0.0/29"}));
  world.add("c1", "web");
  world.release("c1");
  world.sets = sets_of({"10.0.1.0/29"});
  CHECK(world.add("c2", "web") == "10.0.1.2");
  world.release("c2");
  world.sets = sets_of({"10.0.0.0/29"});
  CHECK(world.add("c3", "web") == "10.0.0.2");
  world.release("c3");
  world.sets = sets_of({"10.0.1.0/29"});
  CHECK(world.add("c4", "web") == "10.0.1.2");
}

TEST_CASE("of a family at most the newest four addresses stay bound", "[retention]") {
  StoreWorld world;
  for (int i = 0; i < 6; ++i) {
    const std::string subnet = "10.0." + std::to_string(i) + ".0/29";
    world.sets = sets_of({subnet.c_str(), "2001:db8::/64"});
    world.add("c" + std::to_string(i), "web");
    world.release("c" + std::to_string(i));
  }
  CHECK(test::joined(world.hint("web")->addresses) ==
        "10.0.5.2 2001:db8::2 10.0.4.2 10.0.3.2 10.0.2.2");
  CHECK_FALSE(world.binding("10.0.1.2").has_value());
  CHECK_FALSE(world.binding("10.0.0.2").has_value());
  CHECK(world.orphans().empty());
}

TEST_CASE("the hint remembers the addresses of the previous boot, once a boot", "[retention]") {
  StoreWorld world;
  world.add("c1", "web");
  CHECK(world.hint("web")->previous_boot.empty());
  world.release("c1");
  world.boot("22222222-aaaa-4bbb-8ccc-000000000002");
  world.reservations.excluded = {test::span("10.0.0.2", "10.0.0.2")};
  CHECK(world.add("c2", "web") == "10.0.0.3");
  CHECK(test::joined(world.hint("web")->previous_boot) == "10.0.0.2");
  world.release("c2");
  world.add("c3", "web");
  CHECK(test::joined(world.hint("web")->previous_boot) == "10.0.0.2");
  CHECK(world.binding("10.0.0.3")->boot8 == "22222222");
}

TEST_CASE("another UID inherits nothing where the same one is required", "[retention]") {
  StoreWorld world;
  auto request = world.request("c1", "web");
  request.owner.uid = "uid-1";
  world.add(request);
  world.release("c1");
  request = world.request("c2", "web");
  request.owner.uid = "uid-2";
  SECTION("by default the name counts") { CHECK(world.add(request) == "10.0.0.2"); }
  SECTION("required: another UID") {
    request.owner.require_same_uid = true;
    CHECK(world.add(request) == "10.0.0.3");
    CHECK_FALSE(world.binding("10.0.0.2").has_value());
  }
  SECTION("required: the same UID") {
    request.owner.require_same_uid = true;
    request.owner.uid = "uid-1";
    CHECK(world.add(request) == "10.0.0.2");
  }
}

TEST_CASE("each interface of a pod is kept for itself", "[retention]") {
  StoreWorld world;
  CHECK(world.add(world.request("c1", "web", "eth0")) == "10.0.0.2");
  CHECK(world.add(world.request("c1", "web", "net1")) == "10.0.0.3");
  world.release("c1", "eth0");
  world.release("c1", "net1");
  CHECK(world.add(world.request("c2", "web", "net1")) == "10.0.0.3");
  CHECK(world.add(world.request("c2", "web", "eth0")) == "10.0.0.2");
}

TEST_CASE("a pod with names of hundreds of bytes is kept like any other", "[retention]") {
  StoreWorld world;
  auto request = world.request("c1", "x");
  request.owner.pod = allocator::PodKey{std::string(63, 'n'), std::string(253, 'p'), "eth0"};
  CHECK(world.add(request) == "10.0.0.2");
  world.release("c1");
  CHECK(world.add("c2", "other") == "10.0.0.3");
  request.attachment.container_id = "c3";
  CHECK(world.add(request) == "10.0.0.2");
}

TEST_CASE("without retention nothing is written beside host-local's directory", "[retention]") {
  StoreWorld world;
  world.options.retention = Retention::off;
  CHECK(world.add("c1", "web") == "10.0.0.2");
  world.release("c1");
  CHECK(world.add("c2", "web") == "10.0.0.3");
  CHECK_FALSE(test::exists(world.options.state_dir));
}

TEST_CASE("a caller without a pod leaves no records", "[retention]") {
  StoreWorld world;
  world.add("c1");
  world.release("c1");
  CHECK(world.records().empty());
}

TEST_CASE("a pod whose record is of a newer version gets another address, the record stays",
          "[retention]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  const std::string record = world.record_dir() + "/ip.10.0.0.2";
  std::filesystem::remove(record);
  std::filesystem::create_symlink("2~future", record);
  CHECK(world.add("c2", "web") == "10.0.0.3");
  CHECK(world.records().at("ip.10.0.0.2") == "2~future");
}

TEST_CASE("records of a newer version do not keep a DEL from freeing the address", "[retention]") {
  StoreWorld world;
  world.add("c1", "web");
  const std::string record = world.record_dir() + "/ip.10.0.0.2";
  std::filesystem::remove(record);
  std::filesystem::create_symlink("2~future", record);
  CHECK(world.release("c1") == "10.0.0.2");
  CHECK(world.files().empty());
  CHECK(world.records().at("ip.10.0.0.2") == "2~future");
}

TEST_CASE("a hint that leads to another pod's address is not believed", "[retention]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  std::filesystem::create_symlink("1~10.0.0.2~",
                                  world.record_dir() + "/" + test::store::hint_name(pod("thief")));
  CHECK(world.add("c2", "thief") == "10.0.0.3");
  CHECK(world.add("c3", "web") == "10.0.0.2");
}

TEST_CASE("a pod is not bound to an address that somebody wiped and reused", "[retention]") {
  StoreWorld world;
  world.add("c1", "web");
  std::filesystem::remove_all(world.options.network_dir);
  CHECK(world.add("c2", "db") == "10.0.0.3");
  CHECK(world.add("c3", "web") == "10.0.0.2");
}
