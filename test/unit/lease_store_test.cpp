// ADD, DEL and CHECK on host-local's directory.
#include "allocator/store/lease_store.hpp"

#include <sys/stat.h>

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::OnDuplicate;
using test::Contents;
using test::failure_of;
using test::ips;
using test::owner;
using test::sets_of;
using test::StoreWorld;

namespace {

unsigned mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

ino_t inode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_ino;
}

}  // namespace

TEST_CASE("ADD makes host-local's files, byte for byte", "[store]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  CHECK(world.add("c1") == "10.0.0.2 2001:db8::2");
  CHECK(test::contents_of(world.options.network_dir) ==
        Contents{{"lock", ""},
                 {"10.0.0.2", owner("c1")},
                 {"2001:db8::2", owner("c1")},
                 {"last_reserved_ip.0", "10.0.0.2"},
                 {"last_reserved_ip.1", "2001:db8::2"}});
  CHECK(mode_of(world.network_file("10.0.0.2")) == 0600);
  CHECK(mode_of(world.network_file("last_reserved_ip.0")) == 0600);
  CHECK((mode_of(world.network_file("lock")) | 022) == (0750 | 022));
  CHECK(inode_of(world.network_file("10.0.0.2")) == inode_of(world.network_file("2001:db8::2")));
}

TEST_CASE("DEL frees all addresses of its attachment and no other", "[store]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  world.add("c1");
  world.add("c2");
  world.add(world.request("c1", "", "eth1"));
  CHECK(world.release("c1") == "10.0.0.2 2001:db8::2");
  CHECK(world.files() == Contents{{"10.0.0.3", owner("c2")},
                                  {"2001:db8::3", owner("c2")},
                                  {"10.0.0.4", owner("c1", "eth1")},
                                  {"2001:db8::4", owner("c1", "eth1")}});
}

TEST_CASE("DEL of an unknown attachment, a second DEL and a DEL without a folder are no errors",
          "[store]") {
  StoreWorld world;
  CHECK(world.release("c1").empty());
  world.boot("22222222-aaaa-4bbb-8ccc-000000000002");
  world.add("c1");
  CHECK(world.release("c2").empty());
  CHECK(world.release("c1") == "10.0.0.2");
  CHECK(world.release("c1").empty());
}

TEST_CASE("addresses are walked like host-local, a freed one rests longest", "[store]") {
  StoreWorld world;
  CHECK(world.add("c1") == "10.0.0.2");
  CHECK(world.add("c2") == "10.0.0.3");
  world.release("c1");
  CHECK(world.add("c3") == "10.0.0.4");
  CHECK(world.add("c4") == "10.0.0.5");
  CHECK(world.add("c5") == "10.0.0.6");
  CHECK(world.add("c6") == "10.0.0.2");
}

TEST_CASE("a repeated ADD returns the same addresses", "[store]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  const std::string pod_name = GENERATE("", "web");
  const auto request = world.request("c1", pod_name);
  CHECK(world.add(request) == "10.0.0.2 2001:db8::2");
  const auto files = world.files();
  const auto records = world.records();
  CHECK(world.add(request) == "10.0.0.2 2001:db8::2");
  CHECK(world.files() == files);
  CHECK(world.records() == records);
}

TEST_CASE("a repeated ADD fsyncs the file and both folders again", "[store]") {
  StoreWorld world;
  const auto request = world.request("c1", "web");
  world.add(request);
  world.fs.start_command();
  world.add(request);
  CHECK(world.fs.synced == std::vector<std::string>{world.options.network_dir,
                                                    world.options.network_dir, world.record_dir()});
}

TEST_CASE("an ADD under the container ID of another sandbox that lives is refused", "[store]") {
  StoreWorld world;
  auto request = world.request("c1", "web");
  request.netns_path = "/proc/self/ns/net";
  CHECK(world.add(request) == "10.0.0.2");
  CHECK(world.add(request) == "10.0.0.2");
  // Any other namespace: what counts is that it is one.
  request.netns_path = "/proc/self/ns/uts";
  CHECK(test::contains(failure_of([&] { world.add(request); }),
                       "duplicate allocation is not allowed"));
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
}

TEST_CASE("a repeated ADD completes a set that was added, on the same file", "[store]") {
  StoreWorld world;
  world.add("c1", "web");
  world.sets = sets_of({"10.0.0.0/29", "2001:db8::/64"});
  CHECK(world.add("c1", "web") == "10.0.0.2 2001:db8::2");
  CHECK(inode_of(world.network_file("10.0.0.2")) == inode_of(world.network_file("2001:db8::2")));
  CHECK(world.binding("2001:db8::2")->pod == test::pod("web"));
}

TEST_CASE("a repeated ADD allocates afresh where the address left the ranges", "[store]") {
  StoreWorld world;
  world.add("c1");
  world.sets = sets_of({"10.0.7.0/29"});
  CHECK(world.add("c1") == "10.0.7.2");
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}, {"10.0.7.2", owner("c1")}});
  CHECK(world.release("c1") == "10.0.0.2 10.0.7.2");
}

TEST_CASE("a repeated ADD refuses a requested address that it does not have", "[store]") {
  StoreWorld world;
  auto request = world.request("c1");
  world.add(request);
  request.requested = ips({"10.0.0.6"});
  CHECK(failure_of([&] { world.add(request); }) ==
        "failed to allocate all requested IPs: 10.0.0.6");
  request.requested = ips({"10.0.0.2"});
  CHECK(world.add(request) == "10.0.0.2");
}

TEST_CASE("a repeated ADD is host-local's error on demand", "[store]") {
  StoreWorld world;
  auto request = world.request("c1");
  request.on_duplicate = OnDuplicate::error;
  world.add(request);
  CHECK(failure_of([&] { world.add(request); }) ==
        "failed to allocate for range 0: 10.0.0.2 has been allocated to c1, duplicate allocation "
        "is not allowed");
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
}

TEST_CASE("the second set's failure leaves nothing but the first cursor", "[store]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "10.0.1.0/30"}));
  const std::string pod_name = GENERATE("", "web");
  world.add("c1", "first");
  const auto files = world.files();
  const auto records = world.records();
  CHECK(failure_of([&] { world.add("c2", pod_name); }) ==
        "failed to allocate for range 1: no IP addresses available in range set: "
        "10.0.1.1-10.0.1.2");
  CHECK(world.files() == files);
  CHECK(world.records() == records);
  CHECK(test::read_text(world.network_file("last_reserved_ip.0")) == "10.0.0.3");
}

TEST_CASE("exhaustion is explained by counts and the oldest owners", "[store]") {
  StoreWorld world(sets_of({"10.0.0.0/30"}));
  world.add("c1", "web");
  try {
    world.add("c2", "db");
    FAIL("the second ADD found an address");
  } catch (const allocator::Error& error) {
    CHECK(error.kind == allocator::Kind::exhausted);
    CHECK(error.details == "in-use 1, held 0, reserved 1; oldest in-use: 10.0.0.2 default/web");
  }
}

TEST_CASE("a pod's pin in use by another container can be had later, and says by whom", "[store]") {
  StoreWorld world;
  world.add("c1");
  world.reservations.pins = {test::pin("web", "10.0.0.2")};
  CHECK(test::contains(failure_of([&] { world.add("c2", "web"); }), "in use by container c1 eth0"));
  world.release("c1");
  CHECK(world.add("c2", "web") == "10.0.0.2");
}

TEST_CASE("the second interface of a sandbox takes the next pin", "[store]") {
  StoreWorld world;
  world.reservations.pins = {test::pin("web", "10.0.0.5"), test::pin("web", "10.0.0.3")};
  CHECK(world.add(world.request("c1", "web", "eth0")) == "10.0.0.5");
  CHECK(world.add(world.request("c1", "web", "net1")) == "10.0.0.3");
}

TEST_CASE("files of the old format hold their address, and DEL frees them for any ifname",
          "[store]") {
  StoreWorld world;
  test::write_text(world.network_file("10.0.0.2"), "c1");
  CHECK(world.add("c2") == "10.0.0.3");
  CHECK(world.release("c1", "eth7") == "10.0.0.2");
}

TEST_CASE("one DEL frees both formats with two range sets, as host-local does", "[store]") {
  StoreWorld world;
  test::write_text(world.network_file("10.0.0.5"), "c1");
  test::write_text(world.network_file("10.0.0.6"), owner("c1"));
  SECTION("one set: the new format first") {
    CHECK(world.release("c1") == "10.0.0.6");
    CHECK(world.release("c1") == "10.0.0.5");
  }
  SECTION("two sets: both") {
    world.sets = sets_of({"10.0.0.0/29", "2001:db8::/64"});
    CHECK(world.release("c1") == "10.0.0.6 10.0.0.5");
  }
}

TEST_CASE("foreign files stay as they are", "[store]") {
  StoreWorld world;
  const Contents foreign = {{"notes.txt", "mine"}, {"10.0.0.2", "reserved by hand"}};
  for (const auto& [name, text] : foreign) test::write_text(world.network_file(name), text);
  CHECK(world.add("c1") == "10.0.0.3");
  world.release("c1");
  CHECK(world.files() == foreign);
}

TEST_CASE("CHECK sees every file of the attachment and no other", "[store]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  world.add("c1");
  const auto held = world.leases().files_of({"c1", "eth0"});
  REQUIRE(held.size() == 2);
  CHECK(held.front().name == "10.0.0.2");
  CHECK(world.leases().files_of({"c1", "eth1"}).empty());
  CHECK(world.leases().files_of({"c2", "eth0"}).empty());
}

TEST_CASE("a damaged cursor starts the walk at the first address", "[store]") {
  StoreWorld world;
  const std::string content = GENERATE("", "garbage", "10.0.0.5\n", "10.9.9.9", "2001:db8::5");
  test::write_text(world.network_file("last_reserved_ip.0"), content);
  CHECK(world.add("c1") == "10.0.0.2");
  CHECK(test::read_text(world.network_file("last_reserved_ip.0")) == "10.0.0.2");
}

TEST_CASE("a cursor that cannot be written does not keep a pod from its address", "[store]") {
  StoreWorld world;
  std::filesystem::create_directories(world.network_file("last_reserved_ip.0"));
  CHECK(world.add("c1") == "10.0.0.2");
  CHECK(world.add("c2") == "10.0.0.3");
}
