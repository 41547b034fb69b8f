// Since when an ADD is under way, by a /proc that is made up here.
#include "allocator/store/state/call_start.hpp"

#include <unistd.h>

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/hooked_file_system.hpp"
#include "test/unit/support/temp_dir.hpp"

using allocator::store::add_above;
using allocator::store::start_of_call;

namespace {

/// The processes above this one, as proc(5) shows them.
class Processes {
 public:
  Processes() { fs.redirections = {{"/proc", dir_.file("proc")}}; }

  /// `name`: a number or "self"; `started` in clock ticks.
  void put(const std::string& name, int parent, int started, const std::string& environment = "") {
    const std::string folder = dir_.file("proc/" + name);
    std::filesystem::create_directories(folder);
    std::string fields;
    for (int field = 5; field < 22; ++field) fields += " 7";
    test::write_text(folder + "/stat", "1 (a) b (c)) S " + std::to_string(parent) + fields + " " +
                                           std::to_string(started) + " 9");
    test::write_text(folder + "/environ", environment);
  }

  test::HookedFileSystem fs;

 private:
  test::TempDir dir_;
};

std::string add_of(const std::string& container_id) {
  using namespace std::string_literals;
  return "PATH=/\0CNI_COMMAND=ADD\0CNI_CONTAINERID="s + container_id + "\0"s;
}

std::uint64_t nanoseconds(std::uint64_t ticks) {
  return ticks * (1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
}

}  // namespace

TEST_CASE("a call began with the topmost process that belongs to it", "[tombstone]") {
  Processes processes;
  processes.put("self", 50, 900);
  processes.put("50", 40, 700, add_of("c1"));  // bridge
  processes.put("40", 30, 500, add_of("c1"));  // Flannel
  processes.put("30", 1, 300);                 // the runtime
  CHECK(start_of_call(processes.fs, "c1") == nanoseconds(500));
  CHECK(add_above(processes.fs, "c1") == "40:" + std::to_string(nanoseconds(500)));
}

TEST_CASE("a shell between two plugins does not end a call", "[tombstone]") {
  Processes processes;
  processes.put("self", 50, 900);
  processes.put("50", 40, 700);
  processes.put("40", 1, 500, add_of("c1"));
  CHECK(start_of_call(processes.fs, "c1") == nanoseconds(500));
}

TEST_CASE("another container's ADD, and a DEL, are not this call", "[tombstone]") {
  Processes processes;
  processes.put("self", 50, 900);
  SECTION("another container") { processes.put("50", 1, 700, add_of("c12")); }
  SECTION("a DEL") {
    using namespace std::string_literals;
    processes.put("50", 1, 700, "CNI_COMMAND=DEL\0CNI_CONTAINERID=c1\0"s);
  }
  SECTION("a variable that only ends like it") {
    using namespace std::string_literals;
    processes.put("50", 1, 700, "XCNI_COMMAND=ADD\0CNI_CONTAINERID=c1\0"s);
  }
  CHECK(start_of_call(processes.fs, "c1") == nanoseconds(900));
  CHECK_FALSE(add_above(processes.fs, "c1").has_value());
}

TEST_CASE("of ancestors that cannot be looked at, those below them count", "[tombstone]") {
  Processes processes;
  processes.put("self", 50, 900);
  processes.put("50", 40, 700, add_of("c1"));
  CHECK(start_of_call(processes.fs, "c1") == nanoseconds(700));
}

TEST_CASE("without /proc nobody knows when a call began", "[tombstone]") {
  Processes processes;
  CHECK_FALSE(start_of_call(processes.fs, "c1").has_value());
  CHECK_FALSE(add_above(processes.fs, "c1").has_value());
}
