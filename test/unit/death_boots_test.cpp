// Proof of death by boots, and from inside containers; what stamps tell of both.
#include <string>

#include "allocator/store/alive/death.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/death_node.hpp"

using allocator::store::container_hash;
using allocator::store::DeathJudge;
using allocator::store::kInitialPidNamespace;
using allocator::store::Stamp;
using allocator::store::Viewpoint;
using test::kGoneInode;
using test::kOwner;
using Node = test::DeathNode;

TEST_CASE("a boot_id that lies over the kernel's proves nothing about whoever saw the kernel's",
          "[death]") {
  Node node;
  const Stamp hosts = node.stamp("boot-1", 0, "");
  DeathJudge agent(node.fs, {"", "cccc", kInitialPidNamespace - 1, "2-7"}, node.dir.file("own"));
  CHECK_FALSE(agent.is_dead(kOwner, hosts));
  Stamp agents = node.stamp("", 0, "");
  agents.container_boot = "dddd";
  agents.run = "1-7";
  CHECK_FALSE(node.judge().is_dead(kOwner, agents));
  // Two containers, and one that was started again: other first processes.
  agents.pid_namespace = kInitialPidNamespace - 1;
  agents.run = "1-6";
  CHECK_FALSE(agent.is_dead(kOwner, agents));
}

TEST_CASE("a boot pretended by another boot_id in one PID namespace counts unless somebody lives",
          "[death]") {
  Node node;
  Stamp before = node.stamp("", kGoneInode, node.dir.file("c1"));
  before.container_boot = "cccc";
  before.run = "1-7";
  const auto judge_at = [&](const std::string& boot, const std::string& run) {
    return DeathJudge(node.fs, {"", boot, kInitialPidNamespace, run}, "");
  };
  CHECK(judge_at("dddd", "2-7").is_dead(kOwner, before));
  CHECK_FALSE(judge_at("cccc", "2-7").is_dead(kOwner, before));
  CHECK_FALSE(judge_at("dddd", "1-7").is_dead(kOwner, before));
  CHECK_FALSE(judge_at("dddd", "").is_dead(kOwner, before));
  CHECK_FALSE(judge_at("dddd", "2-8").is_dead(kOwner, before));
  before.netns_inode = node.own_inode;
  CHECK_FALSE(judge_at("dddd", "2-7").is_dead(kOwner, before));
}

TEST_CASE("a restarted node container is told by its PID namespace, /run and its pods' folder",
          "[death]") {
  Node node;
  Stamp before = node.stamp("boot-2", kGoneInode, node.dir.file("c1"));
  before.pid_namespace = 11;
  before.run = "1-7";
  before.folder = {1, 1};
  before.root = 5;
  Viewpoint after = {"boot-2", "", 12, "2-8", 5};
  const auto is_dead = [&](const Stamp& stamp) {
    return DeathJudge(node.fs, after, node.dir.file("own")).is_dead(kOwner, stamp);
  };
  CHECK(is_dead(before));
  SECTION("the PID namespace has the number of the one before") {
    after.pid_namespace = 11;
    CHECK(is_dead(before));
    after.run = "2-7";  // it is the one before: its first process goes on
    CHECK_FALSE(is_dead(before));
  }
  SECTION("the same /run, or one that nobody could mark") {
    after.run = GENERATE("1-7", "");
    CHECK_FALSE(is_dead(before));
  }
  SECTION("another container, in the node or beside it: its root folder is another one") {
    after.root = GENERATE(std::uint64_t{0}, std::uint64_t{6});
    CHECK_FALSE(is_dead(before));
    before.root = 0;
    CHECK_FALSE(is_dead(before));
  }
  SECTION("the folder of the pods lies where it lay") {
    before.folder = *node.fs.file_system_of(node.dir.path());
    CHECK_FALSE(is_dead(before));
  }
  SECTION("nobody recorded where the folder lay") {
    before.folder = {};
    CHECK_FALSE(is_dead(before));
  }
  SECTION("it was recorded on the machine itself") {
    before.pid_namespace = GENERATE(std::uint64_t{0}, kInitialPidNamespace);
    CHECK_FALSE(is_dead(before));
  }
  SECTION("we are on the machine itself, and do not see all processes") {
    after.pid_namespace = kInitialPidNamespace;
    node.fs.redirections = {{"/proc", node.dir.file("no-proc")}};
    CHECK_FALSE(is_dead(before));
  }
}

TEST_CASE("a stamp of an earlier version proves what it always proved", "[death]") {
  using allocator::store::decode_stamp;
  Node node;
  const std::string hash = container_hash(kOwner.container_id);
  const auto earlier = [&](const std::string& numbers) {
    return decode_stamp("1~boot-1~" + hash + "~" + numbers + "~" + node.dir.file("c1"));
  };
  const std::string initial = std::to_string(kInitialPidNamespace);
  CHECK(node.judge().is_dead(kOwner, earlier("1." + initial)));
  CHECK(node.judge().is_dead(kOwner, earlier("0.0")));
  // Made in a container, perhaps with a boot_id of its own: believed by containers only.
  CHECK_FALSE(node.judge().is_dead(kOwner, earlier(std::to_string(node.own_inode) + ".77")));
  DeathJudge inside(node.fs, {"boot-2", "", 77, "1-2"}, node.dir.file("own"));
  CHECK(inside.is_dead(kOwner, earlier("1.77")));
}

TEST_CASE("stamps come back as they were written", "[death]") {
  using allocator::store::decode_stamp;
  Node node;
  Stamp stamp = node.stamp("boot-1", 5, "/run/netns/~odd~");
  stamp.netns_id = 9;
  CHECK(decode_stamp(encode(stamp)) == stamp);
  stamp.run = "12-34";
  stamp.folder = {56, 78};
  stamp.root = 90;
  CHECK(decode_stamp(encode(stamp)) == stamp);
  stamp.container_boot = "11111111-aaaa-4bbb-8ccc-000000000001";
  CHECK(decode_stamp(encode(stamp)) == stamp);
  for (const auto* text : {"", "2", "2~b~h~1.2~/p", "2~b~h~1.2.3.4~/p", "2~b~h~1.2.3.r.c.x.1.1~/p",
                           "2~b~h~1.2.x~/p", "1~b~h~1.2.3~/p", "1~b~h~1~/p", "3~b~h~1.2.3~/p"}) {
    INFO(text);
    CHECK_FALSE(decode_stamp(text).has_value());
  }
}
