// GC, STATUS' obstacle, the lock, and folders that are not what they should be.
#include <unistd.h>

#include <string>

#include "allocator/store/state/stamp.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"
#include "test/unit/support/story.hpp"

using allocator::Attachment;
using test::Contents;
using test::failure_of;
using test::kSecondBoot;
using test::owner;
using test::sets_of;
using test::StoreWorld;

namespace {

namespace store = allocator::store;

/// A runtime's cache with one entry.
class Entries final : public store::AttachmentSource {
 public:
  std::vector<store::CachedAttachment> attachments(const std::string& /*network*/) override {
    return {entry};
  }
  bool still_has(const store::CachedAttachment& /*cached*/) override { return true; }

  store::CachedAttachment entry;
};

std::string collected(StoreWorld& world, const std::vector<Attachment>& valid) {
  std::string text;
  for (const auto& file : world.leases().collect(valid)) {
    text += (text.empty() ? "" : " ") + file.attachment.container_id + "/" +
            file.attachment.ifname + "=" + file.address.to_string();
  }
  return text;
}

}  // namespace

TEST_CASE("GC frees what is not valid, and bindings stay", "[gc]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  world.add("c1", "web");
  world.add("c2", "db");
  CHECK(collected(world, {{"c1", "eth0"}}) == "c2/eth0=10.0.0.3 c2/eth0=2001:db8::3");
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}, {"2001:db8::2", owner("c1")}});
  CHECK(world.binding("10.0.0.3")->sequence == 1);
  CHECK(world.add("c3", "db") == "10.0.0.3 2001:db8::3");
}

TEST_CASE("GC tells the interfaces of a container apart", "[gc]") {
  StoreWorld world;
  world.add(world.request("c1", "", "eth0"));
  world.add(world.request("c1", "", "net1"));
  CHECK(collected(world, {{"c1", "net1"}}) == "c1/eth0=10.0.0.2");
}

TEST_CASE("GC keeps old-format files of a valid container", "[gc]") {
  StoreWorld world;
  const std::string one(64, '1');
  const std::string two(64, '2');
  test::write_text(world.network_file("10.0.0.2"), one);
  test::write_text(world.network_file("10.0.0.3"), two);
  world.add("c3");
  world.boot(kSecondBoot);
  CHECK(collected(world, {{one, "net9"}, {"c3", "eth0"}}) == two + "/=10.0.0.3");
}

TEST_CASE("GC with an empty list frees all attachments, but no file that names none", "[gc]") {
  StoreWorld world;
  world.add("c1");
  test::write_text(world.network_file("10.0.0.5"), "");
  test::write_text(world.network_file("notes"), owner("c9"));
  std::filesystem::create_directory(world.network_file("10.0.0.6"));
  CHECK(collected(world, {}) == "c1/eth0=10.0.0.2");
  CHECK(world.files() ==
        Contents{{"10.0.0.5", ""}, {"notes", owner("c9")}, {"10.0.0.6", "(folder)"}});
}

TEST_CASE("GC never frees Cilium's ingress addresses", "[gc]") {
  StoreWorld world;
  world.add("cilium-ingress-node1");
  CHECK(collected(world, {}).empty());
  CHECK(world.files().size() == 1);
}

TEST_CASE("GC never frees an attachment whose network namespace is there", "[gc]") {
  StoreWorld world;
  auto request = world.request("c1");
  SECTION("the one of its stamp") {
    request.netns_path = "/proc/self/ns/net";
    world.add(request);
    CHECK(collected(world, {}).empty());
  }
  SECTION("the one of its stamp, whatever the boot is called now") {
    request.netns_path = "/proc/self/ns/net";
    world.add(request);
    world.boot(kSecondBoot);
    CHECK(collected(world, {}).empty());
  }
  SECTION("its path is gone, and somebody is still inside") {
    world.fs.has_namespace_ids = GENERATE(false, true);
    world.fs.shown_pid_namespace = GENERATE(store::kInitialPidNamespace, 4'026'532'999U);
    request.netns_path = world.options.run_dir + "-netns";
    std::filesystem::create_symlink("/proc/self/ns/net", request.netns_path);
    world.add(request);
    std::filesystem::remove(request.netns_path);
    CHECK(collected(world, {}).empty());
  }
  SECTION("a path where none is any more") {
    world.add(request);
    CHECK(collected(world, {}) == "c1/eth0=10.0.0.2");
  }
  SECTION("a stamp that belongs to another container says nothing") {
    world.add(request);
    test::write_text(world.network_file("10.0.0.2"), owner("c2"));
    CHECK(collected(world, {}).empty());
  }
}

TEST_CASE("GC asks the runtime's cache about what host-local made in this boot", "[gc]") {
  StoreWorld world;
  test::write_text(world.network_file("10.0.0.3"), owner("c-go"));
  world.add("c1");
  Entries cache;
  cache.entry.attachment = {"c-go", "eth0"};
  const auto gc = [&] {
    std::string text;
    store::LeaseStore leases(world.fs, world.options, &cache);
    for (const auto& file : leases.collect({{"c1", "eth0"}}))
      text += file.attachment.container_id + " ";
    return text;
  };
  SECTION("its namespace lives") {
    cache.entry.netns_path = "/proc/self/ns/net";
    CHECK(gc().empty());
  }
  SECTION("its namespace is gone") {
    cache.entry.netns_path = "/run/netns/gone";
    CHECK(gc() == "c-go ");
  }
  SECTION("the entry names none, or another attachment") {
    cache.entry.netns_path = GENERATE("", "/run/netns/gone");
    if (!cache.entry.netns_path.empty()) cache.entry.attachment.ifname = "net1";
    CHECK(gc().empty());
    world.boot(kSecondBoot);
    world.add("c1");
    CHECK(gc() == "c-go ");
  }
  SECTION("what may not be looked at may be alive") {
    cache.entry.netns_path = "/run/netns/secret";
    world.fs.before = [](const test::Call& call) {
      if (call.method == "network_namespace" && call.subject == "/run/netns/secret")
        throw std::system_error(EACCES, std::generic_category(), "stat");
    };
    CHECK(gc().empty());
  }
}

TEST_CASE("GC without attributes goes by the recorded stamp; what nothing tells of stays", "[gc]") {
  StoreWorld world;
  world.fs.has_attributes = false;
  world.add("c1");
  world.add("c2");
  REQUIRE(::unlink((world.record_dir() + "/stamp.10.0.0.3").c_str()) == 0);
  CHECK(collected(world, {}) == "c1/eth0=10.0.0.2");
}

TEST_CASE("GC of a network without a folder collects nothing and makes nothing", "[gc]") {
  StoreWorld world;
  CHECK(collected(world, {}).empty());
  CHECK_FALSE(test::exists(world.options.network_dir));
}

TEST_CASE("a repeated ADD renews the stamp", "[gc]") {
  StoreWorld world;
  auto request = world.request("c1");
  world.add(request);
  request.netns_path = "/proc/self/ns/net";
  world.add(request);
  CHECK(collected(world, {}).empty());
}

TEST_CASE("folders that are missing but can be made are no obstacle, and stay missing",
          "[obstacle]") {
  StoreWorld world;
  CHECK_FALSE(world.leases().obstacle().has_value());
  CHECK_FALSE(test::exists(world.options.network_dir));
  CHECK_FALSE(test::exists(world.options.state_dir));
}

TEST_CASE("a file where a folder must be is an obstacle, named with the folder that needs it",
          "[obstacle]") {
  StoreWorld world;
  const std::string file = world.options.state_dir;
  test::write_text(file, "in the way");
  CHECK(world.leases().obstacle() == "no file can be made in " + file);
  world.options.retention = allocator::store::Retention::off;
  CHECK_FALSE(world.leases().obstacle().has_value());
  world.options.network_dir = file + "/networks/net";
  CHECK(world.leases().obstacle() ==
        "no file can be made in " + file + ", which " + file + "/networks/net needs");
}

TEST_CASE("an ADD where a file is in the way says mkdir, like the Go plugin", "[store]") {
  StoreWorld world;
  test::write_text(world.options.network_dir, "in the way");
  CHECK(test::contains(failure_of([&] { world.add("c1"); }), "mkdir " + world.options.network_dir));
  CHECK(test::read_text(world.options.network_dir) == "in the way");
}

TEST_CASE("a file where the network folder should be holds no attachment", "[store]") {
  StoreWorld world;
  test::write_text(world.options.network_dir, "in the way");
  CHECK(world.release("c1").empty());
  CHECK(world.leases().files_of({"c1", "eth0"}).empty());
  CHECK(world.leases().collect({}).empty());
}

TEST_CASE("a network folder that is a symbolic link is followed", "[store]") {
  StoreWorld world;
  const std::string real = world.options.network_dir + ".real";
  std::filesystem::create_directories(real);
  std::filesystem::create_directory_symlink(real, world.options.network_dir);
  CHECK(world.add("c1", "web") == "10.0.0.2");
  CHECK(test::exists(real + "/10.0.0.2"));
  CHECK(world.add("c1", "web") == "10.0.0.2");
  CHECK(world.release("c1") == "10.0.0.2");
  CHECK_FALSE(test::exists(real + "/10.0.0.2"));
  CHECK(world.add("c2", "web") == "10.0.0.2");
}

TEST_CASE("a folder above the network folder may be a symbolic link", "[store]") {
  StoreWorld world;
  const std::string parent = std::filesystem::path(world.options.network_dir).parent_path();
  std::filesystem::create_directories(parent + ".real");
  std::filesystem::create_directory_symlink(parent + ".real", parent);
  CHECK(world.add("c1") == "10.0.0.2");
  CHECK(world.release("c1") == "10.0.0.2");
}

TEST_CASE("the lock that somebody holds is waited for, then the holder is named", "[lock]") {
  StoreWorld world;
  world.add("c1");
  world.options.lock_patience = std::chrono::milliseconds(20);
  allocator::store::PosixFileSystem fs;
  auto folder = fs.open_directory(world.options.network_dir);
  REQUIRE(folder.has_value());
  const auto command = GENERATE(0, 1, 2);
  std::string text;
  {
    const allocator::store::NetworkLock held(fs, *folder, std::chrono::milliseconds(20));
    text = failure_of([&] {
      if (command == 0) world.add("c2");
      if (command == 1) static_cast<void>(world.leases().files_of({"c1", "eth0"}));
      if (command == 2) static_cast<void>(world.leases().collect({}));
    });
  }
  CHECK(test::contains(text, "lock " + world.options.network_dir + "/lock: not free within 0 s"));
  CHECK(test::contains(text, "; try again"));
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
  CHECK(world.add("c2") == "10.0.0.3");
}

TEST_CASE("a folder that is replaced while its lock is waited for is opened anew", "[lock]") {
  StoreWorld world;
  world.add("c1");
  const std::string folder = world.options.network_dir;
  const bool moved_away = GENERATE(false, true);
  bool replaced = false;
  world.fs.after = [&](const test::Call& call) {
    if (call.method != "lock" || replaced) return;
    replaced = true;
    if (moved_away) std::filesystem::rename(folder, folder + ".old");
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
  };
  INFO((moved_away ? "moved away" : "removed"));
  CHECK(world.add("c2") == "10.0.0.2");
  CHECK(replaced);
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c2")}});
  // What is known of the boot is known of the folder that took its place.
  world.fs.after = [](const test::Call&) {};
  CHECK(test::exists(world.run_folder() + "/scan"));
}

TEST_CASE("whoever waits for the lock of a folder ends with that of the folder that is there",
          "[lock]") {
  StoreWorld world;
  world.add("c1");
  const std::string path = world.options.network_dir;
  int replacements = GENERATE(1, 2);
  world.fs.after = [&](const test::Call& call) {
    if (call.method != "lock" || replacements == 0) return;
    std::filesystem::rename(path, path + "." + std::to_string(replacements--));
    std::filesystem::create_directory(path);
    test::write_text(path + "/lock", "");  // somebody is at work there
  };
  auto folder = world.fs.open_directory(path);
  REQUIRE(folder.has_value());
  const allocator::store::NetworkLock lock(world.fs, *folder, std::chrono::milliseconds(20));
  CHECK(lock.reopened_folder());
  allocator::store::PosixFileSystem real;
  const auto there = real.open_directory(path);
  CHECK(real.identify(*there, "lock")->same_file(lock.file()));
  CHECK_FALSE(world.lock_is_free());
}

TEST_CASE("a DEL whose folder is replaced while it waits leaves its word in the one that came",
          "[lock]") {
  StoreWorld world;
  world.add("c1");
  const std::string folder = world.options.network_dir;
  world.fs.before = test::once("lock", [&] {
    std::filesystem::rename(folder, folder + ".old");
    std::filesystem::create_directory(folder);
  });
  world.release("c1");
  CHECK(test::exists(world.run_folder() + "/tombs"));
  CHECK(test::exists(folder + ".old/10.0.0.2"));
}

TEST_CASE("on a network file system whose locks fail an ADD says why, and a DEL what failed",
          "[lock]") {
  StoreWorld world;
  world.add("c1");
  world.fs.unfit = allocator::store::UnfitDisk{"nfs4", allocator::store::UnfitDisk::Why::remote};
  const int error = GENERATE(EBADF, ENOLCK);
  world.fs.before = [error](const test::Call& call) {
    if (call.method == "lock")
      throw std::system_error(error, std::generic_category(), "flock lock");
  };
  CHECK(test::contains(failure_of([&] { world.add("c2"); }), "is on a network file system (nfs4)"));
  CHECK(test::contains(failure_of([&] { world.release("c1"); }), "flock lock"));
}

TEST_CASE("a folder that vanishes while its lock is waited for is no place for an address",
          "[lock]") {
  StoreWorld world;
  world.add("c1");
  world.fs.after = [&](const test::Call& call) {
    if (call.method == "lock") std::filesystem::remove_all(world.options.network_dir);
  };
  CHECK(test::contains(failure_of([&] { world.add("c2"); }),
                       "the folder is being replaced; try again"));
}
