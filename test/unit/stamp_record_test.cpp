// File systems that take no stamp: the records keep it, and a reboot costs no address.
#include "allocator/store/state/stamp_record.hpp"

#include <cerrno>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using test::contains;
using test::Contents;
using test::failure_of;
using test::kSecondBoot;
using test::owner;
using test::sets_of;
using test::StoreWorld;

namespace {

/// No attributes at all, or an error for each attempt to set one.
void take_attributes_away(StoreWorld& world, int error) {
  if (error == EOPNOTSUPP) {
    world.fs.has_attributes = false;
    return;
  }
  world.fs.before = [error](const test::Call& call) {
    if (call.method == "set_attribute")
      throw std::system_error(error, std::generic_category(), "set attribute");
  };
}

int any_refusal() {
  return GENERATE(EOPNOTSUPP, E2BIG, ERANGE, ENOSPC, EDQUOT, EACCES, EPERM, EIO);
}

std::string stamp_record(const StoreWorld& world, const std::string& address) {
  const auto all = world.records();
  const auto found = all.find("stamp." + address);
  return found == all.end() ? "" : found->second;
}

}  // namespace

TEST_CASE("without attributes pods keep their addresses over reboots without a DEL", "[stamp]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/125"}));
  take_attributes_away(world, any_refusal());
  const std::string boots[] = {"first", kSecondBoot, "33333333-aaaa-4bbb-8ccc-000000000003"};
  for (const auto& boot : boots) {
    if (boot != "first") world.boot(boot);
    for (const char* last : {"2", "3", "4", "5", "6"}) {
      const std::string expected = std::string("10.0.0.") + last + " 2001:db8::" + last;
      INFO(boot << " " << last);
      CHECK(world.add(boot.substr(0, 4) + last, std::string("pod-") + last) == expected);
    }
  }
  CHECK(world.files().size() == 10);
}

TEST_CASE("without attributes an exhausted range is reclaimed from the dead", "[stamp]") {
  StoreWorld world;
  take_attributes_away(world, any_refusal());
  for (const char* last : {"2", "3", "4", "5", "6"}) world.add(std::string("c") + last, last);
  CHECK(contains(failure_of([&] { world.add("c7", "new"); }), "no IP addresses"));
  world.boot(kSecondBoot);
  CHECK(world.add("c8", "new") == "10.0.0.2");
}

TEST_CASE("a file system with attributes keeps no stamp records", "[stamp]") {
  StoreWorld world;
  world.add("c1", "web");
  world.boot(kSecondBoot);
  world.add("c2", "web");
  CHECK(stamp_record(world, "10.0.0.2").empty());
}

TEST_CASE("a recorded stamp counts for its own file only", "[stamp]") {
  StoreWorld world;
  world.fs.has_attributes = false;
  world.add("c1", "web");
  REQUIRE_FALSE(stamp_record(world, "10.0.0.2").empty());
  world.boot(kSecondBoot);
  // The Go plugin: DEL, then ADD of the same container in this boot.
  std::filesystem::remove(world.network_file("10.0.0.2"));
  test::write_text(world.network_file("10.0.0.2"), owner("c1"));
  CHECK(world.add("c2", "web") == "10.0.0.3");
  CHECK(world.files().at("10.0.0.2") == owner("c1"));
}

TEST_CASE("a repeated ADD renews what is recorded, for each address", "[stamp]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/125"}));
  world.fs.has_attributes = false;
  world.add("c1", "web");
  world.boot(kSecondBoot);
  CHECK(world.add("c1", "web") == "10.0.0.2 2001:db8::2");
  for (const char* address : {"10.0.0.2", "2001:db8::2"}) {
    CHECK(contains(stamp_record(world, address), kSecondBoot));
  }
  CHECK(world.add("c2", "web") == "10.0.0.3 2001:db8::3");
}

TEST_CASE("an address that a repeated ADD adds has a recorded stamp too", "[stamp]") {
  StoreWorld world;
  world.fs.has_attributes = false;
  world.add("c1", "web");
  world.sets = sets_of({"10.0.0.0/29", "2001:db8::/125"});
  CHECK(world.add("c1", "web") == "10.0.0.2 2001:db8::2");
  CHECK_FALSE(stamp_record(world, "2001:db8::2").empty());
}

TEST_CASE("an older stamp that cannot be renewed fails the repeated ADD", "[stamp]") {
  StoreWorld world;
  world.add("c1", "web");
  world.boot(kSecondBoot);
  take_attributes_away(world, GENERATE(ENOSPC, EACCES, EROFS));
  CHECK_FALSE(failure_of([&] { world.add("c1", "web"); }).empty());
}

TEST_CASE("an attribute of an earlier life does not outvote a later record", "[stamp]") {
  StoreWorld world;
  world.add("c1", "web");
  world.boot(kSecondBoot);
  world.fs.has_attributes = false;  // mounted without
  CHECK(world.add("c1", "web") == "10.0.0.2");
  world.fs.has_attributes = true;  // and with them again
  CHECK(world.add("c2", "web") == "10.0.0.3");
}

TEST_CASE("recorded stamps go with their files at the next boot", "[stamp]") {
  StoreWorld world;
  world.fs.has_attributes = false;
  world.add("c1", "web");
  world.add("c2", "db");
  world.release("c1");
  world.boot(kSecondBoot);
  world.add("c3", "mq");
  CHECK(stamp_record(world, "10.0.0.2").empty());
  CHECK_FALSE(stamp_record(world, "10.0.0.3").empty());
}

TEST_CASE("a stamp record names inode and birth", "[stamp]") {
  using allocator::store::encode_stamp_record;
  using allocator::store::stamp_in_record;
  const allocator::store::FileIdentity file{1, 7, allocator::store::FileKind::regular, 0, 5, 9, 9};
  auto younger = file;
  younger.born_ns = 10;
  auto other = file;
  other.inode = 71;
  const std::string record = encode_stamp_record(file, "1~a~b");
  CHECK(record == "1~7.9~1~a~b");
  CHECK(stamp_in_record(record, file) == "1~a~b");
  CHECK_FALSE(stamp_in_record(record, younger).has_value());
  CHECK_FALSE(stamp_in_record(record, other).has_value());
}

TEST_CASE("a repeated ADD records the stamp where somebody has removed all records", "[stamp]") {
  StoreWorld world;
  world.fs.has_attributes = false;
  world.add("c1");
  // The second time no boot scan makes the records before.
  for (int i = 0; i < 2; ++i) {
    std::filesystem::remove_all(world.options.state_dir);
    world.add("c1");
    CHECK(world.records().count("stamp.10.0.0.2") == 1);
  }
}
