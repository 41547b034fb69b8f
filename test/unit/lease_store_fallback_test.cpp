// File systems without unnamed files or without extended attributes, and the order of fsyncs.
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "allocator/store/state/stamp.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::Durability;
using test::Contents;
using test::failure_of;
using test::owner;
using test::sets_of;
using test::StoreWorld;

TEST_CASE("without unnamed files and attributes every verb works the same", "[fallback]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  world.fs.has_unnamed_files = GENERATE(true, false);
  world.fs.has_attributes = GENERATE(true, false);
  CHECK(world.add("c1", "web") == "10.0.0.2 2001:db8::2");
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}, {"2001:db8::2", owner("c1")}});
  CHECK(world.add("c1", "web") == "10.0.0.2 2001:db8::2");
  CHECK(world.release("c1") == "10.0.0.2 2001:db8::2");
  CHECK(world.add("c2", "web") == "10.0.0.2 2001:db8::2");
  const auto request = world.request("c3", "db");
  auto lease = world.leases().add(request);
  world.leases().undo(lease);
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c2")}, {"2001:db8::2", owner("c2")}});
}

TEST_CASE("where no boot_id can be read every verb works, and nothing is proven dead",
          "[fallback][store][death]") {
  StoreWorld world(sets_of({"10.0.0.0/30"}));
  const bool is_there = GENERATE(false, true);
  if (is_there) {
    world.fs.before = [&](const test::Call& call) {
      if (call.method == "read_path" && call.subject == world.options.boot_id_path)
        throw std::system_error(EACCES, std::generic_category(), "read");
    };
  } else {
    std::filesystem::remove(world.options.boot_id_path);
  }
  CHECK(world.add("c1", "web") == "10.0.0.2");
  CHECK(world.add("c1", "web") == "10.0.0.2");
  // Ranges as an earlier version remembered them count in their own boot only.
  std::filesystem::create_symlink("1~10.0.0.0/30", world.record_dir() + "/ranges");
  const auto last = world.leases().last_ranges();
  REQUIRE(last.has_value());
  CHECK(last->is_anonymous);
  CHECK(world.leases().files_of({"c1", "eth0"}).size() == 1);
  CHECK(test::contains(failure_of([&] { world.add("c2", "db"); }), "no IP addresses"));
  CHECK(world.release("c1") == "10.0.0.2");
  CHECK(world.leases().collect({}).empty());
  CHECK(world.add("c3", "web") == "10.0.0.2");
}

TEST_CASE("the private name that a crash left is used again", "[fallback]") {
  StoreWorld world;
  world.fs.has_unnamed_files = false;
  test::write_text(world.network_file(StoreWorld::kPrivateName), "half an ow");
  CHECK(world.add("c1") == "10.0.0.2");
  CHECK_FALSE(test::exists(world.network_file(StoreWorld::kPrivateName)));
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
}

TEST_CASE("the private name is no attachment", "[fallback]") {
  StoreWorld world;
  test::write_text(world.network_file(StoreWorld::kPrivateName), owner("c1"));
  CHECK(world.leases().files_of({"c1", "eth0"}).empty());
  CHECK(world.leases().collect({}).empty());
}

TEST_CASE("the stamp is on the file before the file has a name", "[fallback]") {
  StoreWorld world;
  bool stamped = false;
  bool linked_after = false;
  world.fs.after = [&](const test::Call& call) {
    if (call.method == "set_attribute") stamped = true;
    if (call.method == "link_file") linked_after = stamped;
  };
  world.add("c1");
  CHECK(linked_after);
}

TEST_CASE("a stamp is read as it was written", "[stamp]") {
  using allocator::store::decode_stamp;
  using allocator::store::Stamp;
  Stamp stamp;
  stamp.boot_id = "boot-1";
  stamp.container_hash = allocator::store::container_hash("c1");
  stamp.netns_inode = 4026531840;
  stamp.netns_path = "/var/run/netns/~odd~ path\n";
  CHECK(decode_stamp(encode(stamp)) == stamp);
  const std::string damaged = GENERATE(values<std::string>(
      {"", "1", "1~a~b~c~/ns", "1~a~b~-1~/ns", "2~a~b~1~/ns", "1~a~b~1", "1~a~b~~/ns"}));
  INFO("stamp " << damaged);
  CHECK_FALSE(decode_stamp(damaged).has_value());
}

TEST_CASE("the hash of a container in a stamp has 16 digits of SHA-256", "[stamp]") {
  CHECK(allocator::store::container_hash("") == "e3b0c44298fc1c14");
  CHECK(allocator::store::container_hash("abc") == "ba7816bf8f01cfea");
}

TEST_CASE("no fsync happens while the lock is held", "[durability]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  world.fs.start_command();
  world.add("c1", "web");
  CHECK(world.fs.syncs_under_lock == 0);
  world.fs.start_command();
  world.add("c1", "web");
  world.release("c1");
  CHECK(world.fs.syncs_under_lock == 0);
  world.fs.start_command();
  world.add("c2", "web");
  static_cast<void>(world.leases().collect({}));
  CHECK(world.fs.syncs_under_lock == 0);
}

TEST_CASE(
    "an ADD fsyncs the file, the network folder, the records, and once a boot the folders "
    "above",
    "[durability]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  world.add("c1", "web");
  const std::vector<std::string> every_time = {world.options.network_dir, world.options.network_dir,
                                               world.record_dir()};
  world.fs.start_command();
  world.add("c2", "db");
  CHECK(world.fs.synced == every_time);
  world.boot("22222222-aaaa-4bbb-8ccc-000000000002");
  world.fs.start_command();
  world.add("c3", "new");
  const std::string networks = std::filesystem::path(world.options.network_dir).parent_path();
  CHECK(std::count(world.fs.synced.begin(), world.fs.synced.end(), networks) == 1);
  CHECK(std::count(world.fs.synced.begin(), world.fs.synced.end(), world.options.state_dir) == 1);
  world.fs.start_command();
  world.add("c4");
  CHECK(std::count(world.fs.synced.begin(), world.fs.synced.end(), networks) == 0);
}

TEST_CASE("a DEL fsyncs both folders, one that finds nothing fsyncs none", "[durability]") {
  StoreWorld world;
  world.add("c1", "web");
  world.fs.start_command();
  world.release("c1");
  CHECK(world.fs.synced == std::vector<std::string>{world.options.network_dir, world.record_dir()});
  world.fs.start_command();
  world.release("c1");
  CHECK(world.fs.synced.empty());
}

TEST_CASE("without durability nothing is fsynced", "[durability]") {
  StoreWorld world;
  world.options.durability = Durability::none;
  world.fs.start_command();
  world.add("c1", "web");
  world.release("c1");
  CHECK(world.fs.synced.empty());
}

TEST_CASE("a folder that a failed ADD made is fsynced into its parent by the next one",
          "[durability]") {
  StoreWorld world(sets_of({"10.0.0.0/30"}));
  world.add("c1");
  CHECK_FALSE(failure_of([&] { world.add("c2", "web"); }).empty());
  REQUIRE(test::exists(world.record_dir()));
  world.release("c1");
  world.fs.start_command();
  world.add("c3", "web");
  CHECK(std::count(world.fs.synced.begin(), world.fs.synced.end(), world.options.state_dir) == 1);
}

TEST_CASE("folders that an ADD makes are fsynced into their parents", "[durability]") {
  StoreWorld world;
  world.fs.start_command();
  world.add("c1", "web");
  for (const std::string& made : {world.options.network_dir, world.record_dir()}) {
    const std::string parent = std::filesystem::path(made).parent_path();
    INFO("folder " << made);
    CHECK(std::count(world.fs.synced.begin(), world.fs.synced.end(), parent) > 0);
  }
}

TEST_CASE("folders that an ADD makes are fsynced into their parents, however deep",
          "[durability]") {
  StoreWorld world;
  const std::filesystem::path top = world.options.network_dir;
  world.options.network_dir += "/a/b/c/d/net";
  world.fs.start_command();
  world.add("c1");
  std::filesystem::path made = world.options.network_dir;
  for (; made != top.parent_path(); made = made.parent_path()) {
    INFO("folder " << made);
    CHECK(std::count(world.fs.synced.begin(), world.fs.synced.end(), made.parent_path()) > 0);
  }
}

TEST_CASE("folders above whose fsync failed are fsynced by the next ADD", "[durability]") {
  StoreWorld world;
  const std::string networks = std::filesystem::path(world.options.network_dir).parent_path();
  world.fs.before = [&](const test::Call& call) {
    if (call.method == "sync" && call.subject == networks)
      throw std::system_error(EIO, std::generic_category(), "fsync");
  };
  CHECK_FALSE(failure_of([&] { world.add("c1"); }).empty());
  world.fs.before = [](const test::Call&) {};
  world.fs.start_command();
  world.add("c2");
  CHECK(std::count(world.fs.synced.begin(), world.fs.synced.end(), networks) == 1);
}
