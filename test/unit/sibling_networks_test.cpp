// A network that gets its folder while another one beside it has addresses of its ranges in use: it
// may have been renamed.
#include "allocator/store/state/sibling_networks.hpp"

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::sibling_networks;
using test::owner;
using test::sets_of;
using test::StoreWorld;

namespace {

std::string notes_of_add(StoreWorld& world, const std::string& container_id) {
  auto leases = world.leases();
  static_cast<void>(leases.add(world.request(container_id, container_id)));
  std::string text;
  for (const auto& note : leases.notes()) text += note + "\n";
  return text;
}

std::string beside(const StoreWorld& world, const std::string& name) {
  return std::filesystem::path(world.options.network_dir).parent_path().string() + "/" + name;
}

}  // namespace

TEST_CASE("the first ADD of a renamed network tells of the old folder, the next ones do not",
          "[siblings]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  const std::string old_dir = world.options.network_dir;
  world.options.network_dir = beside(world, "renamed");
  const std::string notes = notes_of_add(world, "c3");
  CHECK(test::contains(notes, "2 in " + old_dir));
  CHECK(test::contains(notes, "renamed"));
  CHECK_FALSE(test::contains(notes_of_add(world, "c4"), "in use by another one"));
}

TEST_CASE("networks with other ranges, empty ones and the first of all tell of nobody",
          "[siblings]") {
  StoreWorld world;
  const std::string other = beside(world, "other");
  SECTION("none") {}
  SECTION("other ranges") { test::write_text(other + "/10.9.0.2", owner("c9")); }
  SECTION("drained") {
    test::write_text(other + "/lock", "");
    test::write_text(other + "/last_reserved_ip.0", "10.0.0.3");
  }
  SECTION("no folders") { test::write_text(other, "10.0.0.3"); }
  CHECK(notes_of_add(world, "c1").empty());
}

TEST_CASE("siblings are counted by path, as far as they can be read", "[siblings]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  test::write_text(beside(world, "b") + "/10.0.0.3", owner("c1"));
  test::write_text(beside(world, "a") + "/10.0.0.3", owner("c1"));
  test::write_text(beside(world, "a") + "/2001:db8::3", owner("c1"));
  test::write_text(beside(world, "sick") + "/10.0.0.3", owner("c1"));
  world.fs.before = [&](const test::Call& call) {
    if (call.method == "list" && call.subject == beside(world, "sick"))
      throw std::system_error(EIO, std::generic_category(), "list");
  };
  const auto siblings = sibling_networks(world.fs, world.options.network_dir, world.sets);
  REQUIRE(siblings.size() == 2);
  CHECK(siblings[0].path == beside(world, "a"));
  CHECK(siblings[0].in_use == 2);
  CHECK(siblings[1].in_use == 1);
}
