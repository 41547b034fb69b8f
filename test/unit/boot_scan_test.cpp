// The boot scan through the store: what the first command of a boot finds and mends.
#include "allocator/store/boot_scan.hpp"

#include <map>
#include <string>

#include "allocator/store/disk/posix_file_system.hpp"
#include "allocator/store/state/stamp.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/cached_world.hpp"

using test::CachedWorld;
using test::Contents;
using test::owner;
using test::pod;

namespace {

using test::kOwnNamespace;
using test::kSecondBoot;

}  // namespace

TEST_CASE("files that a power cut emptied are removed, odd ones stay", "[boot_scan]") {
  CachedWorld node;
  node.put("10.0.0.2", "");
  node.put("10.0.0.3", std::string(70, '\0'));
  node.put("10.0.0.4", "reserved by hand");
  node.put("10.0.0.5", " ");
  CHECK(node.add_cached("c1", "web") == "10.0.0.2");
  CHECK(node.add_cached("c2", "db") == "10.0.0.3");
  CHECK(node.add_cached("c3", "mq") == "10.0.0.6");
  CHECK(test::contains(node.notes, "healed 10.0.0.2"));
  CHECK(test::contains(node.notes, "healed 10.0.0.3"));
  CHECK(node.files()["10.0.0.5"] == " ");
}

TEST_CASE("the cache is read once in a boot, and again when the folder was wiped", "[boot_scan]") {
  CachedWorld node;
  node.add_cached("c1", "web");
  node.add_cached("c2", "db");
  CHECK(node.cache.times_read == 1);
  node.boot(kSecondBoot);
  node.add_cached("c3", "web");
  node.add_cached("c4", "db");
  CHECK(node.cache.times_read == 2);
  for (const auto& [name, content] : node.files()) {
    std::filesystem::remove(node.network_file(name));
  }
  std::filesystem::remove(node.network_file("lock"));
  node.add_cached("c5", "mq");
  CHECK(node.cache.times_read == 3);
}

TEST_CASE("an address in use is bound to the pod that the cache names", "[boot_scan]") {
  CachedWorld node;
  node.put("10.0.0.3", owner("c-go"));
  node.cache.add("c-go", "web", "/var/run/netns/gone", {"10.0.0.3"});
  CHECK(node.add_cached("c1", "db") == "10.0.0.2");
  REQUIRE(node.binding("10.0.0.3").has_value());
  CHECK(node.binding("10.0.0.3")->pod == pod("web"));
  CHECK(node.binding("10.0.0.3")->uid == "u-web");
  node.release("c-go");
  CHECK(node.add_cached("c2", "web") == "10.0.0.3");
}

TEST_CASE("of a pod's sandboxes with files the newest one says what it is bound to",
          "[boot_scan]") {
  CachedWorld node;
  const bool is_old_by_host_local = GENERATE(false, true);
  const auto start_old = [&] {
    if (is_old_by_host_local) {
      node.put("10.0.0.2", owner("c-old"));
    } else {
      node.add_cached("c-old", "web");
    }
    node.cache.add("c-old", "web", "/run/netns/gone", {"10.0.0.2"}).written_ns = 1;
  };
  start_old();
  REQUIRE(node.add_cached("c-now", "web") == "10.0.0.3");
  node.cache.add("c-now", "web", "/run/netns/gone", {"10.0.0.3"}).written_ns = 2;
  SECTION("though its binding is newer than a file of host-local's") {}
  SECTION("also when nothing is left of its records") {
    std::filesystem::remove_all(node.options.state_dir);
  }
  node.boot(kSecondBoot);
  CHECK(node.add_cached("c-new", "web") == "10.0.0.3");
}

TEST_CASE("what host-local left before an earlier boot is older than what is bound since",
          "[boot_scan]") {
  CachedWorld node;
  node.put("10.0.0.2", owner("c-leak"));
  node.cache.add("c-leak", "web", "/run/netns/gone", {"10.0.0.2"});
  node.add_cached("c-other", "other");
  node.boot(kSecondBoot);
  auto request = node.request("c-now", "web");
  request.requested = {test::ip("10.0.0.5")};
  static_cast<void>(node.cached_leases().add(request));
  node.boot("33333333-aaaa-4bbb-8ccc-000000000003");
  CHECK(node.add_cached("c-new", "web") == "10.0.0.5");
}

// The runtime's cache cannot be read any more when a second look is had at it.
TEST_CASE("what host-local left is older than what was bound since it was seen first",
          "[boot_scan]") {
  CachedWorld node;
  node.put("10.0.0.2", owner("c-go"));
  node.cache.add("c-go", "web", kOwnNamespace, {"10.0.0.2"});
  node.add_cached("c-first", "first");
  REQUIRE(node.add_cached("c-now", "web") == "10.0.0.4");
  node.add_cached("c-lost", "lost");
  std::filesystem::remove(node.network_file("10.0.0.5"));
  auto request = node.request("c-next", "next");
  request.requested = {test::ip("10.0.0.5")};
  static_cast<void>(node.cached_leases().add(request));
  REQUIRE(node.files()["10.0.0.5"] == owner("c-next"));
  CHECK(node.hint("web")->addresses.front() == test::ip("10.0.0.4"));
  CHECK(node.binding("10.0.0.4")->pod == test::pod("web"));
}

TEST_CASE("an entry of another container proves nothing about a file", "[boot_scan]") {
  CachedWorld node;
  node.put("10.0.0.3", owner("c-go"));
  node.cache.add("c-other", "web", "/var/run/netns/gone", {"10.0.0.3"});
  CHECK(node.add_cached("c1", "db") == "10.0.0.2");
  CHECK_FALSE(node.binding("10.0.0.3").has_value());
}

TEST_CASE("whoever an address is bound to keeps it, whatever the cache says", "[boot_scan]") {
  test::CachedWorld node;
  CHECK(node.add_cached("c1", "web") == "10.0.0.2");
  node.cache.add("c1", "db", "/var/run/netns/c1", {"10.0.0.2"});
  node.boot(kSecondBoot);
  CHECK(node.add_cached("c2", "new") == "10.0.0.3");
  CHECK(node.binding("10.0.0.2")->pod == pod("web"));
}

TEST_CASE("a live attachment whose file is missing gets it back", "[boot_scan]") {
  CachedWorld node;
  node.cache.add("c-live", "web", kOwnNamespace, {"10.0.0.2"});
  node.cache.add("c-dead", "db", "/var/run/netns/gone", {"10.0.0.3"});
  node.cache.add("c-outside", "mq", kOwnNamespace, {"192.168.0.9"});
  CHECK(node.add_cached("c1", "new") == "10.0.0.4");
  CHECK(node.files() == Contents{{"10.0.0.2", owner("c-live")}, {"10.0.0.4", owner("c1")}});
  CHECK(node.binding("10.0.0.2")->pod == pod("web"));
  CHECK(test::contains(node.notes, "restored 10.0.0.2"));
  SECTION("and a lost pod its binding") {
    CHECK(node.binding("10.0.0.3")->pod == pod("db"));
    CHECK(node.add_cached("c2", "db") == "10.0.0.3");
  }
}

TEST_CASE("an entry that is gone when the lock is held brings nothing back", "[boot_scan]") {
  CachedWorld node;
  node.cache.add("c-live", "web", kOwnNamespace, {"10.0.0.2"});
  node.cache.gone = "c-live";
  node.add_cached("c1", "new");
  CHECK(node.files().count("10.0.0.2") == 0);
}

TEST_CASE("a DEL without ranges leaves the restoring to the first ADD", "[boot_scan]") {
  CachedWorld node;
  node.put("10.0.0.6", owner("c-go"));
  node.cache.add("c-live", "web", kOwnNamespace, {"10.0.0.2"});
  auto request = node.release_request("c-go");
  request.sets.clear();
  CHECK(test::joined(node.cached_leases().release(request)) == "10.0.0.6");
  CHECK(node.files().empty());
  CHECK(node.add_cached("c1", "new") == "10.0.0.3");
  CHECK(node.files()["10.0.0.2"] == owner("c-live"));
}

TEST_CASE("OpenYurt's marker files bind their addresses", "[boot_scan]") {
  CachedWorld node;
  node.put("10.0.0.3", "c-yurt");
  node.put("10.0.0.3_default_web", "");
  node.put("10.0.0.4_default_db", "");
  node.put("10.0.0.5_default", "");
  node.put("x_default_mq", "");
  node.add_cached("c1", "new");
  CHECK(node.binding("10.0.0.3")->pod == pod("web"));
  CHECK(node.binding("10.0.0.4")->pod == pod("db"));
  CHECK_FALSE(node.binding("10.0.0.5").has_value());
  node.release("c-yurt");
  CHECK(node.add_cached("c2", "web") == "10.0.0.3");
  CHECK(node.add_cached("c3", "db") == "10.0.0.4");
}

TEST_CASE("a file without a stamp is known to be of this boot, and dead in the next",
          "[boot_scan]") {
  CachedWorld node;
  for (const char* last : {"2", "3", "4", "5"}) {
    node.put(std::string("10.0.0.") + last, owner(std::string("c-go-") + last));
  }
  CHECK(node.add_cached("c1", "web") == "10.0.0.6");
  CHECK(test::contains(test::failure_of([&] { node.add("c2", "db"); }), "no IP addresses"));
  node.boot(kSecondBoot);
  CHECK(node.add_cached("c3", "web") == "10.0.0.6");
  CHECK(node.add_cached("c4", "db") == "10.0.0.2");
  CHECK(node.files()["10.0.0.2"] == owner("c4"));
}

TEST_CASE("a stamp of an earlier version is renewed while its namespace is there", "[boot_scan]") {
  namespace store = allocator::store;
  CachedWorld node;
  store::PosixFileSystem fs;
  const auto stamp_of = [&](const std::string& name) {
    const auto folder = fs.open_directory(node.options.network_dir);
    const auto file = fs.open_file(*folder, name);
    return fs.get_attribute(*file, store::kStampAttribute).value_or("");
  };
  const std::string inode = std::to_string(fs.network_namespace(kOwnNamespace)->inode);
  const std::string of_now = "1~11111111-aaaa-4bbb-8ccc-000000000001~";
  const std::map<std::string, std::string> stamps = {
      {"10.0.0.2", of_now + store::container_hash("c-2") + "~" + inode + ".77~" + kOwnNamespace},
      {"10.0.0.3", of_now + store::container_hash("c-3") + "~5.77~" + kOwnNamespace},
      {"10.0.0.4",
       "1~another~" + store::container_hash("c-4") + "~" + inode + ".77~" + kOwnNamespace}};
  for (const auto& [name, stamp] : stamps) {
    node.put(name, owner("c-" + name.substr(name.size() - 1)));
    const auto folder = fs.open_directory(node.options.network_dir);
    const auto file = fs.open_file(*folder, name);
    fs.set_attribute(*file, store::kStampAttribute, stamp, name);
  }
  node.add_cached("c1", "web");
  CHECK(stamp_of("10.0.0.2").starts_with("2" + of_now.substr(1)));
  CHECK(test::contains(stamp_of("10.0.0.2"), "~" + inode + "."));
  CHECK(stamp_of("10.0.0.3") == stamps.at("10.0.0.3"));
  CHECK(stamp_of("10.0.0.4") == stamps.at("10.0.0.4"));
}

TEST_CASE("a record of a newer version does not keep the scan from going on", "[boot_scan]") {
  CachedWorld node;
  node.add_cached("c1", "web");
  std::filesystem::create_symlink("2~who~knows", node.record_dir() + "/ip.10.0.0.6");
  node.put("10.0.0.6", owner("c-go"));
  node.boot(kSecondBoot);
  CHECK(node.add_cached("c2", "web") == "10.0.0.2");
  CHECK(std::filesystem::read_symlink(node.record_dir() + "/ip.10.0.0.6") == "2~who~knows");
}

TEST_CASE("a scan that takes too long goes on at the next command, and hurts nobody meanwhile",
          "[boot_scan]") {
  CachedWorld node;
  node.put("10.0.0.2", owner("c-go"));
  node.put("10.0.0.3", "");
  node.cache.add("c-go", "db", "/run/netns/gone", {"10.0.0.2"});
  node.cache.add("c-live", "web", kOwnNamespace, {"10.0.0.4"});  // somebody has removed its file
  node.options.boot_scan_patience = std::chrono::milliseconds(-1);
  CHECK(node.add_cached("c1", "new") == "10.0.0.5");
  CHECK(node.add_cached("c2", "other") == "10.0.0.6");
  CHECK(test::contains(test::failure_of([&] { node.add_cached("c3", "third"); }), "no IP addr"));
  CHECK_FALSE(node.binding("10.0.0.2").has_value());
  node.options.boot_scan_patience = std::chrono::minutes(10);
  CHECK(node.add_cached("c3", "third") == "10.0.0.3");
  CHECK(node.binding("10.0.0.2")->pod == pod("db"));
  CHECK(node.files()["10.0.0.4"] == owner("c-live"));
}
