#include "allocator/store/death.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "allocator/store/posix_file_system.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::Attachment;
using allocator::store::container_hash;
using allocator::store::DeathJudge;
using allocator::store::Stamp;

namespace {

const Attachment kOwner = {"c1", "eth0"};

/// A folder of namespace files; this process' own network namespace stands for every live one.
struct Node {
  test::TempDir dir;
  test::HookedFileSystem fs;
  std::uint64_t pid_namespace = fs.pid_namespace();
  std::uint64_t own_inode = fs.network_namespace("/proc/self/ns/net").value_or(0);

  // Any other namespace: what counts is that it is one.
  Node() { std::filesystem::create_symlink("/proc/self/ns/uts", dir.file("own")); }

  /// A path that names a live namespace.
  std::string live(const std::string& name) {
    std::filesystem::create_symlink("/proc/self/ns/net", dir.file(name));
    return dir.file(name);
  }
  Stamp stamp(const std::string& boot, std::uint64_t inode, const std::string& path) const {
    return {boot, container_hash(kOwner.container_id), inode, path, pid_namespace};
  }
  DeathJudge judge(const std::string& own = "own") { return {fs, "boot-2", dir.file(own)}; }
};

/// A process that has ended and is not collected: it has threads to list, but no namespace.
class Zombie {
 public:
  Zombie() : pid_(::fork()) {
    if (pid_ == 0) ::_exit(0);
    siginfo_t info;
    REQUIRE(::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) == 0);
  }
  Zombie(const Zombie&) = delete;
  Zombie& operator=(const Zombie&) = delete;
  ~Zombie() { ::waitpid(pid_, nullptr, 0); }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

/// No process of this machine is in it.
constexpr std::uint64_t kGoneInode = 1;

}  // namespace

TEST_CASE("an attachment of another boot is dead, without a look at processes", "[death]") {
  Node node;
  auto judge = node.judge();
  CHECK(judge.is_dead(kOwner, node.stamp("boot-1", node.own_inode, node.dir.file("gone"))));
  CHECK(judge.is_dead(kOwner, node.stamp("boot-1", 0, "")));
  CHECK(judge.process_scans() == 0);
}

TEST_CASE("nothing is proven by a stamp that is void", "[death]") {
  Node node;
  auto judge = node.judge();
  CHECK_FALSE(judge.is_dead(kOwner, std::nullopt));
  Stamp other = node.stamp("boot-1", 0, "");
  other.container_hash = container_hash("c2");
  CHECK_FALSE(judge.is_dead(kOwner, other));
  CHECK_FALSE(judge.is_dead(kOwner, node.stamp("", 0, "")));
}

TEST_CASE("a live namespace at the recorded path vetoes every proof", "[death]") {
  Node node;
  auto judge = node.judge();
  const std::string path = node.live("c1");
  CHECK_FALSE(judge.is_dead(kOwner, node.stamp("boot-1", node.own_inode, path)));
  CHECK_FALSE(judge.is_dead(kOwner, node.stamp("boot-1", kGoneInode, path)));
  CHECK_FALSE(judge.is_dead(kOwner, node.stamp("boot-2", kGoneInode, path)));
  CHECK(judge.process_scans() == 0);
}

TEST_CASE("a path below /proc vetoes only with the same namespace, as process numbers come again",
          "[death]") {
  Node node;
  auto judge = node.judge();
  const std::string path = "/proc/self/ns/net";
  CHECK_FALSE(judge.is_dead(kOwner, node.stamp("boot-1", node.own_inode, path)));
  CHECK(judge.is_dead(kOwner, node.stamp("boot-1", kGoneInode, path)));
}

TEST_CASE("in this boot: the path is gone, no process is in it, and we see the same folder",
          "[death]") {
  Node node;
  const Stamp gone = node.stamp("boot-2", kGoneInode, node.dir.file("c1"));
  SECTION("all three") {
    auto judge = node.judge();
    CHECK(judge.is_dead(kOwner, gone));
    CHECK(judge.is_dead(kOwner, gone));
    CHECK(judge.process_scans() == 1);
  }
  SECTION("a process is still in it") {
    auto judge = node.judge();
    const Stamp inhabited = node.stamp("boot-2", node.own_inode, node.dir.file("c1"));
    CHECK_FALSE(judge.is_dead(kOwner, inhabited));
  }
  SECTION("a link in the folder does not make the number another pod's") {
    auto judge = node.judge();
    node.live("c2");
    CHECK_FALSE(judge.is_dead(kOwner, node.stamp("boot-2", node.own_inode, node.dir.file("c1"))));
  }
  SECTION("the ADD saw other processes than we do") {
    auto judge = node.judge();
    Stamp elsewhere = gone;
    elsewhere.pid_namespace += 1;
    CHECK_FALSE(judge.is_dead(kOwner, elsewhere));
    CHECK(judge.process_scans() == 0);
  }
  SECTION("a process may not be looked at") {
    node.fs.before = [](const test::Call& call) {
      if (call.subject == "/proc/self/ns/net" || !call.subject.ends_with("/ns/net")) return;
      throw std::system_error(EACCES, std::generic_category(), "statfs");
    };
    auto judge = node.judge();
    CHECK_FALSE(judge.is_dead(kOwner, gone));
    CHECK_FALSE(judge.is_dead(kOwner, gone));
    CHECK(judge.process_scans() == 1);
  }
  SECTION("a process ends while its threads are looked at") {
    const Zombie zombie;
    const std::string threads = "/proc/" + std::to_string(zombie.pid()) + "/task";
    int error = ENOENT;
    int looks = 0;
    node.fs.before = [&](const test::Call& call) {
      if (call.method != "list" || call.subject != threads) return;
      ++looks;
      throw std::system_error(error, std::generic_category(), "read");
    };
    CHECK(node.judge().is_dead(kOwner, gone));
    error = EACCES;
    CHECK_FALSE(node.judge().is_dead(kOwner, gone));
    CHECK(looks == 2);
  }
  SECTION("our own namespace is in another folder") {
    DeathJudge judge(node.fs, "boot-2", "/proc/self/ns/net");
    CHECK_FALSE(judge.is_dead(kOwner, gone));
    CHECK(judge.process_scans() == 0);
  }
  SECTION("our own path is no namespace") {
    auto judge = node.judge("missing");
    CHECK_FALSE(judge.is_dead(kOwner, gone));
    CHECK(judge.process_scans() == 0);
  }
  SECTION("nobody knows its namespace") {
    auto judge = node.judge();
    CHECK_FALSE(judge.is_dead(kOwner, node.stamp("boot-2", 0, node.dir.file("c1"))));
  }
}

TEST_CASE("Cilium's ingress attachments die with their boot only", "[death]") {
  Node node;
  auto judge = node.judge();
  const Attachment ingress = {"cilium-ingress-abc", "eth0"};
  Stamp stamp = node.stamp("boot-2", kGoneInode, node.dir.file("c1"));
  stamp.container_hash = container_hash(ingress.container_id);
  CHECK_FALSE(judge.is_dead(ingress, stamp));
  stamp.boot_id = "boot-1";
  CHECK(judge.is_dead(ingress, stamp));
}

TEST_CASE("without /proc nothing is proven in this boot", "[death]") {
  Node node;
  node.fs.redirections = {{"/proc", node.dir.file("no-proc")}};
  auto judge = node.judge();
  CHECK_FALSE(judge.is_dead(kOwner, node.stamp("boot-2", kGoneInode, node.dir.file("c1"))));
}
