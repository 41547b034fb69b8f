#include "allocator/store/alive/death.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "allocator/store/disk/posix_file_system.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/death_node.hpp"

using allocator::Attachment;
using allocator::store::container_hash;
using allocator::store::DeathJudge;
using allocator::store::kInitialPidNamespace;
using allocator::store::Stamp;
using allocator::store::Viewpoint;
using test::kGoneInode;
using test::kOwner;
using Node = test::DeathNode;

namespace {

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

TEST_CASE("what is no attachment never dies, though it has a stamp", "[death]") {
  Node node;
  auto judge = node.judge();
  const Attachment note = {"kept for the printer", ""};
  Stamp stamp = node.stamp("boot-1", 0, "");
  stamp.container_hash = container_hash(note.container_id);
  CHECK_FALSE(judge.is_dead(note, stamp));
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
  SECTION("we do not see all processes, whatever the ADD saw") {
    Viewpoint inside = Node::node_itself();
    inside.pid_namespace -= 1;
    DeathJudge judge(node.fs, inside, node.dir.file("own"));
    Stamp same = gone;
    same.pid_namespace -= 1;
    CHECK_FALSE(judge.is_dead(kOwner, gone));
    CHECK_FALSE(judge.is_dead(kOwner, same));
    CHECK(judge.process_scans() == 0);
  }
  SECTION("the ADD ran in a container, and we see all processes") {
    auto judge = node.judge();
    Stamp inside = gone;
    inside.pid_namespace -= 1;
    CHECK(judge.is_dead(kOwner, inside));
  }
  SECTION("another name in the folder has the number, and it is not ours") {
    std::filesystem::create_symlink("/proc/self/ns/ipc", node.dir.file("beside"));
    const auto beside = node.fs.network_namespace(node.dir.file("beside"))->inode;
    const Stamp named = node.stamp("boot-2", beside, node.dir.file("c1"));
    CHECK_FALSE(node.judge().is_dead(kOwner, named));
    CHECK(node.judge("beside").is_dead(kOwner, named));
  }
  SECTION("processes are hidden: the first one is not among them") {
    std::filesystem::create_directories(node.dir.file("proc/77/task"));
    node.fs.redirections = {{"/proc", node.dir.file("proc")}};
    CHECK_FALSE(node.judge().is_dead(kOwner, gone));
    std::filesystem::create_directories(node.dir.file("proc/1/task"));
    CHECK(node.judge().is_dead(kOwner, gone));
  }
  SECTION("a process may not be looked at") {
    node.fs.before = [](const test::Call& call) {
      const bool is_thread = call.subject.find("/task/") != std::string::npos;
      if (!is_thread || call.subject.starts_with("/proc/1/")) return;
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
    DeathJudge judge(node.fs, Node::node_itself(), "/proc/self/ns/net");
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

TEST_CASE("where the kernel numbers namespaces once, it is asked, and nobody looks at processes",
          "[death]") {
  Node node;
  node.fs.has_namespace_ids = true;
  const auto own = node.fs.network_namespace("/proc/self/ns/net");
  REQUIRE(own.has_value());
  if (own->id == 0) {
    WARN("this kernel does not number namespaces once: not looked at");
    return;
  }
  Stamp stamp = node.stamp("boot-2", own->inode, node.dir.file("c1"));
  node.live("c2");
  SECTION("another namespace has its number: ours") {
    stamp.netns_id = own->id + 1'000'000;
    auto judge = node.judge("c2");
    CHECK(judge.is_dead(kOwner, stamp));
    CHECK(judge.process_scans() == 0);
  }
  SECTION("it is there") {
    stamp.netns_id = own->id;
    auto judge = node.judge("c2");
    CHECK_FALSE(judge.is_dead(kOwner, stamp));
    CHECK(judge.process_scans() == 0);
  }
}

TEST_CASE("a sandbox lives elsewhere while its namespace is seen, and is not ours", "[death]") {
  Node node;
  const Stamp recorded = node.stamp("boot-2", node.own_inode, node.live("c1"));
  CHECK(node.judge().lives_elsewhere(recorded));
  CHECK_FALSE(node.judge("c1").lives_elsewhere(recorded));
  CHECK_FALSE(node.judge("missing").lives_elsewhere(recorded));
  CHECK_FALSE(node.judge().lives_elsewhere(node.stamp("boot-2", kGoneInode, node.dir.file("c1"))));
  CHECK_FALSE(
      node.judge().lives_elsewhere(node.stamp("boot-1", node.own_inode, node.dir.file("c1"))));
  CHECK_FALSE(node.judge().lives_elsewhere(node.stamp("boot-2", 0, node.dir.file("c1"))));
}

TEST_CASE("without /proc nothing is proven in this boot", "[death]") {
  Node node;
  node.fs.redirections = {{"/proc", node.dir.file("no-proc")}};
  auto judge = node.judge();
  CHECK_FALSE(judge.is_dead(kOwner, node.stamp("boot-2", kGoneInode, node.dir.file("c1"))));
}
