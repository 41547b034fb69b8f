// One damaged entry costs that entry: whatever the disk says of one file or record, the others go
// on.
#include <cerrno>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::hint_name;
using allocator::store::TryAgain;
using test::contains;
using test::Contents;
using test::failure_of;
using test::kSecondBoot;
using test::owner;
using test::pod;
using test::StoreWorld;

namespace {

/// From now on the disk gives nothing of the entry, whatever is asked.
void damage(StoreWorld& world, const std::string& name, int error) {
  world.fs.before = [=](const test::Call& call) {
    if (call.subject != name && call.subject != "/" + name) return;
    throw std::system_error(error, std::generic_category(), call.method + " " + name);
  };
}

int any_damage() { return GENERATE(EBADMSG, EUCLEAN, EIO, ESTALE, EACCES, ENOTCONN); }

/// Binds the address to somebody by a record that no version of ours can read.
void put_newer(const StoreWorld& world, const std::string& name) {
  const std::string path = world.record_dir() + "/" + name;
  std::filesystem::remove(path);
  std::filesystem::create_symlink("2~future", path);
}

std::string notes_of_add(StoreWorld& world, const std::string& container_id,
                         const std::string& pod_name) {
  auto leases = world.leases();
  static_cast<void>(leases.add(world.request(container_id, pod_name)));
  std::string notes;
  for (const auto& note : leases.notes()) notes += note + "\n";
  return notes;
}

}  // namespace

TEST_CASE("a damaged IP file costs its own address only", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  const bool rebooted = GENERATE(false, true);
  damage(world, "10.0.0.2", any_damage());
  if (rebooted) world.boot(kSecondBoot);
  CHECK(world.add("c3", "mq") == "10.0.0.4");
  CHECK(world.add("c4") == "10.0.0.5");
  CHECK(world.add("c2", "db") == "10.0.0.3");
  CHECK(world.leases().files_of({"c2", "eth0"}).size() == 1);
  CHECK(world.leases().collect({{"c2", "eth0"}, {"c3", "eth0"}}).size() == 1);
  CHECK(world.release("c2", "eth0", pod("db")) == "10.0.0.3");
  CHECK(world.add("c5", "db") == "10.0.0.3");
  CHECK(world.add("c6", "web") == "10.0.0.6");
}

TEST_CASE("the owner of a damaged IP file is told the file", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  damage(world, "10.0.0.2", any_damage());
  const std::string told = failure_of([&] { world.release("c1", "eth0", pod("web")); });
  CHECK(contains(told, world.network_file("10.0.0.2")));
  CHECK(contains(told, "repair the disk or remove the file"));
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
}

TEST_CASE("a want of this process is no damage: the command fails and leaves nothing", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  world.release("c2");
  const Contents files = world.files();
  const Contents records = world.records();
  const std::string name = GENERATE("10.0.0.2", "ip.10.0.0.4");
  damage(world, name, GENERATE(EMFILE, ENFILE, ENOMEM));
  CHECK_FALSE(failure_of([&] { world.add("c3", "mq"); }).empty());
  CHECK(world.files() == files);
  CHECK(world.records() == records);
}

TEST_CASE("exhaustion is told in spite of damaged entries", "[damage]") {
  StoreWorld world(test::sets_of({"10.0.0.0/30"}));
  world.add("c1", "web");
  damage(world, GENERATE("10.0.0.2", "ip.10.0.0.2"), any_damage());
  CHECK(contains(failure_of([&] { world.add("c2", "db"); }), "no IP addresses available"));
}

TEST_CASE("an unreadable nested folder stops ADD, which must not guess, and nothing else",
          "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  std::filesystem::create_directory(world.network_file("net"));
  damage(world, "net", any_damage());
  CHECK_THROWS_AS(world.add("c2", "db"), TryAgain);
  CHECK(contains(failure_of([&] { world.add("c2", "db"); }), "remove the folder"));
  CHECK(world.release("c1") == "10.0.0.2");
}

TEST_CASE("a closed binding keeps its address from everybody, and nobody from another",
          "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  if (GENERATE(false, true)) world.boot(kSecondBoot);
  SECTION("of a newer version") { put_newer(world, "ip.10.0.0.2"); }
  SECTION("that the disk does not give") { damage(world, "ip.10.0.0.2", any_damage()); }
  CHECK(world.add("c2", "db") == "10.0.0.3");
  CHECK(world.add("c3") == "10.0.0.4");
  CHECK(world.add("c4", "web") == "10.0.0.5");
  CHECK(world.add("c5", "mq") == "10.0.0.6");
  CHECK(contains(failure_of([&] { world.add("c6", "no"); }), "no IP addresses"));
  CHECK(world.release("c4", "eth0", pod("web")) == "10.0.0.5");
  CHECK(world.add("c7", "web") == "10.0.0.5");
}

TEST_CASE("whose binding can be read again gets the address back", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  damage(world, "ip.10.0.0.2", EBADMSG);
  world.add("c2", "web");
  world.release("c2");
  CHECK(world.hint("web")->addresses == test::ips({"10.0.0.3", "10.0.0.2"}));
  world.fs.before = [](const test::Call&) {};
  CHECK(world.add("c3", "db") == "10.0.0.4");
}

TEST_CASE("a dead owner's address with a closed binding is not handed on", "[damage]") {
  StoreWorld world(test::sets_of({"10.0.0.0/29"}));
  for (const char* last : {"2", "3", "4", "5", "6"}) world.add(std::string("c") + last, last);
  world.boot(kSecondBoot);
  put_newer(world, "ip.10.0.0.2");
  CHECK(world.add("c7", "new") == "10.0.0.3");
}

TEST_CASE("who asks for an address with a closed binding is told the record", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  damage(world, "ip.10.0.0.2", any_damage());
  auto request = world.request("c2", "db");
  SECTION("by request") { request.requested = test::ips({"10.0.0.2"}); }
  SECTION("by pin") { request.reservations.pins = {test::pin("db", "10.0.0.2")}; }
  const std::string told = failure_of([&] { world.add(request); });
  CHECK(contains(told, world.record_dir() + "/ip.10.0.0.2"));
  CHECK(contains(told, "remove the record"));
  CHECK(world.files().empty());
}

TEST_CASE("a pod whose hint is closed keeps its address by its binding", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  const std::string hint = hint_name(pod("web"));
  SECTION("of a newer version") { put_newer(world, hint); }
  SECTION("that the disk does not give") { damage(world, hint, any_damage()); }
  const auto before = world.records().at(hint);
  CHECK(world.add("c2", "db") == "10.0.0.3");
  CHECK(contains(notes_of_add(world, "c3", "web"), hint));
  CHECK(world.files().at("10.0.0.2") == owner("c3"));
  CHECK(world.release("c3", "eth0", pod("web")) == "10.0.0.2");
  CHECK(world.add("c4", "web") == "10.0.0.2");
  CHECK(world.records().at(hint) == before);
}

TEST_CASE("no other damaged record stops anybody", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  world.boot(kSecondBoot);
  const std::string name = GENERATE("netdir", "boots", "node-ranges", "last_reserved_ip.0",
                                    "stamp.10.0.0.2", "note.txt");
  std::filesystem::create_symlink("1~x", world.record_dir() + "/node-ranges");
  std::filesystem::create_symlink("1~x", world.record_dir() + "/stamp.10.0.0.2");
  test::write_text(world.network_file("note.txt"), "x");
  INFO(name);
  damage(world, name, any_damage());
  auto request = world.request("c3", "web");
  request.ranges_to_remember = {"n1", "yurthub", {"10.0.0.0/29"}};
  CHECK(world.add(request) == "10.0.0.2");
  CHECK(world.release("c3", "eth0", pod("web")) == "10.0.0.2");
  CHECK(world.add("c4", "new") == "10.0.0.4");
}

TEST_CASE("a damaged left-over of a rename is in nobody's way", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  std::filesystem::create_symlink("1~x", world.record_dir() + "/.new");
  damage(world, ".new", GENERATE(EBADMSG, EUCLEAN, EIO));
  CHECK(world.release("c1") == "10.0.0.2");
  CHECK(world.binding("10.0.0.2")->sequence == 1);
  CHECK(world.add("c2", "web") == "10.0.0.2");
}

TEST_CASE("a damaged folder of records does not keep a DEL from freeing", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  world.fs.before = [&](const test::Call& call) {
    if (call.method == "open_directory" && call.subject == world.record_dir())
      throw std::system_error(EBADMSG, std::generic_category(), "open " + call.subject);
  };
  CHECK(contains(failure_of([&] { world.add("c2", "db"); }), world.record_dir()));
  CHECK(world.release("c1") == "10.0.0.2");
}

TEST_CASE("one pending release that fails does not keep the others", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  world.add("c3", "mq");
  std::string stuck;
  world.fs.before = [&](const test::Call& call) {
    const bool hit = call.method == "unlink" && call.subject.starts_with("10.0.0.") &&
                     (stuck.empty() || call.subject == stuck);
    if (hit)
      throw std::system_error(stuck.empty() ? EROFS : EBADMSG, std::generic_category(), "unlink");
  };
  for (const char* container : {"c1", "c2", "c3"}) CHECK(world.release(container).empty());
  CHECK(world.files().size() == 3);
  stuck = GENERATE("10.0.0.2", "10.0.0.3", "10.0.0.4");
  world.add("c4", "new");
  CHECK(world.files().size() == 2);
  CHECK(world.files().count(stuck) == 1);
}

TEST_CASE("a sequence number that no node reaches is not counted on", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  const std::string path = world.record_dir() + "/ip.10.0.0.2";
  const std::string number = GENERATE("18446744073709551615", "9223372036854775807");
  std::filesystem::remove(path);
  std::filesystem::create_symlink("1~default~web~eth0~~" + number + "~0~11111111", path);
  if (GENERATE(false, true)) {
    std::filesystem::create_directories(world.options.run_dir);
    for (const auto& entry : std::filesystem::directory_iterator(world.options.run_dir))
      test::write_text(entry.path().string() + "/sequence", number);
  }
  CHECK(world.release("c2") == "10.0.0.3");
  CHECK(world.binding("10.0.0.3")->sequence == 1);
}

TEST_CASE("a repeated ADD keeps what it has, whatever the record says", "[damage]") {
  StoreWorld world;
  world.add("c1", "web");
  SECTION("of a newer version") { put_newer(world, "ip.10.0.0.2"); }
  SECTION("that the disk does not give") { damage(world, "ip.10.0.0.2", any_damage()); }
  const auto before = world.records().at("ip.10.0.0.2");
  CHECK(contains(notes_of_add(world, "c1", "web"), "ip.10.0.0.2"));
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
  CHECK(world.records().at("ip.10.0.0.2") == before);
}
