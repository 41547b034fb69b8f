// Namespaces that are named by a process.
#include "allocator/store/alive/process_address.hpp"

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/hooked_file_system.hpp"
#include "test/unit/support/temp_dir.hpp"
#include "test/unit/support/values.hpp"

using allocator::store::is_path_of_process;
using allocator::store::process_has_address;
using test::ip;

namespace {

constexpr const char* kTrie = R"(Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.1.0.0
        /24 link UNICAST
     |-- 10.1.0.9
        /32 link UNICAST
Local:
  +-- 10.1.0.0/24 2 0 2
     |-- 10.1.0.7
        /32 host LOCAL
     |-- 10.1.0.70
        /32 host LOCAL
     |-- 10.1.0.255
        /32 link BROADCAST
)";
constexpr const char* kList =
    "00000000000000000000000000000001 01 80 10 80       lo\n"
    "fd000009000000000000000000000007 02 40 00 80     eth0\n";

/// A process 77 with a namespace that is not ours.
struct World {
  test::TempDir dir;
  test::HookedFileSystem fs;
  World() {
    test::write_text(dir.file("77/net/fib_trie"), kTrie);
    test::write_text(dir.file("77/net/if_inet6"), kList);
    std::filesystem::create_directories(dir.file("77/ns"));
    std::filesystem::create_symlink("/proc/self/ns/uts", dir.file("77/ns/net"));
    fs.redirections = {{"/proc/77", dir.file("77")}};
  }
  bool has(const std::string& address) {
    return process_has_address(fs, "/proc/77/ns/net", ip(address));
  }
};

}  // namespace

TEST_CASE("a process' namespace has the addresses that the kernel calls local there", "[process]") {
  World world;
  CHECK(world.has("10.1.0.7"));
  CHECK(world.has("10.1.0.70"));
  CHECK(world.has("fd00:9::7"));
  for (const auto* other : {"10.1.0.0", "10.1.0.9", "10.1.0.255", "10.1.0.8", "0.1.0.7",
                            "fd00:9::8", "fd00:9::", "::2"}) {
    INFO(other);
    CHECK_FALSE(world.has(other));
  }
}

TEST_CASE("a process that is gone has no address, one that may not be looked at may have any",
          "[process]") {
  World world;
  const int error = GENERATE(ENOENT, ESRCH, EACCES, EPERM);
  world.fs.before = [&](const test::Call& call) {
    if (call.method == "read_path") {
      throw std::system_error(error, std::generic_category(), "open");
    }
  };
  CHECK(world.has("10.1.0.8") == (error == EACCES || error == EPERM));
}

TEST_CASE("the node's own namespace is no pod's", "[process]") {
  World world;
  std::filesystem::remove(world.dir.file("77/ns/net"));
  std::filesystem::create_symlink("/proc/self/ns/net", world.dir.file("77/ns/net"));
  CHECK_FALSE(world.has("10.1.0.7"));
  std::filesystem::remove(world.dir.file("77/ns/net"));
  CHECK_FALSE(world.has("10.1.0.7"));
}

TEST_CASE("only paths below /proc name processes", "[process]") {
  CHECK(is_path_of_process("/proc/77/ns/net"));
  CHECK_FALSE(is_path_of_process("/run/netns/proc"));
  CHECK_FALSE(is_path_of_process(""));
}
