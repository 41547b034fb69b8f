// Addresses that somebody reserved by writing a file: in use for ever, whatever the file says, as
// long as it is not an attachment's.
#include <string>

#include "allocator/store/disk/posix_file_system.hpp"
#include "allocator/store/state/stamp.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::looks_like_attachment;
using test::kSecondBoot;
using test::owner;
using test::StoreWorld;

namespace {

constexpr const char* kThirdBoot = "33333333-aaaa-4bbb-8ccc-000000000003";
const std::string kOldId(64, 'a');

/// What people write into such a file.
const std::vector<std::string>& notes() {
  static const std::vector<std::string> all = {"reserved by hand",
                                               "reserved-by-hand",
                                               "printer",
                                               "printer\n",
                                               "do not use\r\nuntil Monday",
                                               "10.0.0.3",
                                               "c1",
                                               "web-0 of the old cluster",
                                               "printer\r\nroom 7",
                                               "printer\r\nthe-long-corridor",
                                               "#\r\neth0",
                                               "c1\r\neth0\n",
                                               "deadbeef",
                                               "\xc3\xa4\r\neth0"};
  return all;
}

/// The stamp that an earlier version gave to every file.
void stamp_as_before(const StoreWorld& world, const std::string& name, const std::string& text,
                     const std::string& boot_id) {
  allocator::store::PosixFileSystem fs;
  const auto folder = fs.open_directory(world.options.network_dir);
  const auto file = fs.open_file(*folder, name);
  std::string id = text.substr(0, text.find("\r\n"));
  while (!id.empty() && id.back() == '\n') id.pop_back();
  allocator::store::Stamp stamp;
  stamp.boot_id = boot_id;
  stamp.container_hash = allocator::store::container_hash(id);
  fs.set_attribute(*file, allocator::store::kStampAttribute, encode(stamp), name);
}

bool has_stamp(const StoreWorld& world, const std::string& name) {
  allocator::store::PosixFileSystem fs;
  const auto folder = fs.open_directory(world.options.network_dir);
  const auto file = fs.open_file(*folder, name);
  return fs.get_attribute(*file, allocator::store::kStampAttribute).has_value() ||
         world.records().contains("stamp." + name);
}

}  // namespace

TEST_CASE("what a runtime writes looks like an attachment, what a person writes does not",
          "[by_hand]") {
  CHECK(looks_like_attachment({"c1", "eth0"}));
  CHECK(looks_like_attachment({"cnitool-77383ca0a0715733ca6f", "net1"}));
  CHECK(looks_like_attachment({"cilium-ingress-node_1.x", "e"}));
  CHECK(looks_like_attachment({kOldId, ""}));
  CHECK(looks_like_attachment({"0f8fad5b-d9cb-469f-a165-70867728950e", ""}));
  CHECK_FALSE(looks_like_attachment({"", ""}));
  CHECK_FALSE(looks_like_attachment({"", "eth0"}));
  CHECK_FALSE(looks_like_attachment({"reserved-by-hand", ""}));
  CHECK_FALSE(looks_like_attachment({"deadbeef", ""}));
  CHECK_FALSE(looks_like_attachment({"-c1", "eth0"}));
  CHECK_FALSE(looks_like_attachment({"c 1", "eth0"}));
  CHECK_FALSE(looks_like_attachment({"c1", "a name of sixteen"}));
  CHECK_FALSE(looks_like_attachment({"c1", "eth/0"}));
  CHECK_FALSE(looks_like_attachment({"c1", ".."}));
}

TEST_CASE("an address reserved by hand is given to nobody, boots later and on request",
          "[by_hand]") {
  const std::string note = GENERATE(from_range(notes()));
  const bool stamped_before = GENERATE(false, true);
  INFO("note: " << note);
  StoreWorld world;
  test::write_text(world.network_file("10.0.0.3"), note);
  if (stamped_before)
    stamp_as_before(world, "10.0.0.3", note, "00000000-aaaa-4bbb-8ccc-000000000000");
  for (const char* boot : {"", kSecondBoot, kThirdBoot}) {
    if (*boot != '\0') world.boot(boot);
    auto request = world.request("c9");
    request.requested = {test::ip("10.0.0.3")};
    CHECK(test::contains(test::failure_of([&] { world.add(request); }), "is not available"));
    for (const char* id : {"s1", "s2", "s3", "s4"}) world.add(id, id);
    CHECK(test::contains(test::failure_of([&] { world.add("s5", "s5"); }), "no IP addresses"));
    static_cast<void>(world.leases().collect({}));
    for (const char* id : {"s1", "s2", "s3", "s4"}) world.release(id);
    CHECK(world.files()["10.0.0.3"] == note);
  }
}

TEST_CASE("a boot scan stamps attachments that have no stamp, and no notes", "[by_hand]") {
  const std::string note = GENERATE("reserved by hand", "printer", "10.0.0.3", "printer\r\nroom 7",
                                    "#\r\neth0", "deadbeef", " c2\r\neth0\n");
  INFO("note: " << note);
  StoreWorld world;
  world.fs.has_attributes = GENERATE(true, false);
  test::write_text(world.network_file("10.0.0.3"), note);
  test::write_text(world.network_file("10.0.0.4"), owner("c-go"));
  world.add("c1", "web");
  CHECK(has_stamp(world, "10.0.0.4"));
  CHECK_FALSE(has_stamp(world, "10.0.0.3"));
}

TEST_CASE("files of host-local's formats are dead one boot later, old and new", "[by_hand]") {
  StoreWorld world;
  const std::string content = GENERATE(owner("c-go"), kOldId);
  test::write_text(world.network_file("10.0.0.3"), content);
  world.add("c1", "web");
  world.boot(kSecondBoot);
  auto request = world.request("c9");
  request.requested = {test::ip("10.0.0.3")};
  CHECK(world.add(request) == "10.0.0.3");
}

TEST_CASE("DEL still frees what names its attachment, padded or old", "[by_hand]") {
  StoreWorld world;
  test::write_text(world.network_file("10.0.0.3"), " c1\r\neth0\n");
  CHECK(world.release("c1") == "10.0.0.3");
  test::write_text(world.network_file("10.0.0.4"), "c1");
  CHECK(world.release("c1") == "10.0.0.4");
}
