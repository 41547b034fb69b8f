// A DEL that answers success leaves nothing that a power cut could bring back, whoever removed the
// files: an earlier DEL, a takeover, a GC or an undo that died before its flush.
#include <cerrno>
#include <functional>
#include <set>
#include <string>

#include "allocator/store/disk/folders.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/faults.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::parent_of;
using test::ArmedFault;
using test::Fault;
using test::kSecondBoot;
using test::Mode;
using test::StoreWorld;

namespace {

/// The files of an attachment that were removed and of which nobody has flushed that.
class Unflushed {
 public:
  Unflushed(StoreWorld& world, std::string content) : world_(world), content_(std::move(content)) {
    look();
    world.fs.after = [this](const test::Call& call) {
      if (call.method == "link_file") look();
      if (call.method == "unlink" && present_.count(call.subject) != 0) look();
      if (call.method == "sync" && call.subject == world_.options.network_dir) removed_.clear();
    };
  }
  [[nodiscard]] bool any() const { return !removed_.empty(); }

 private:
  void look() {
    std::set<std::string> now;
    for (const auto& [name, text] : world_.files()) {
      if (text == content_) now.insert(name);
    }
    for (const auto& name : present_) {
      if (now.count(name) == 0) removed_.insert(name);
    }
    for (const auto& name : now) removed_.erase(name);
    present_ = now;
  }

  StoreWorld& world_;
  std::string content_;
  std::set<std::string> present_;
  std::set<std::string> removed_;
};

/// A command that removes the files of c1, dying at any of its calls.
struct Removal {
  const char* name;
  std::function<void(StoreWorld&)> prepare;
  std::function<void(StoreWorld&)> run;
};

std::string undone(StoreWorld& world) {
  const auto request = world.request("c1", "web");
  auto lease = world.leases().add(request);
  world.leases().undo(lease);
  return "";
}

std::vector<Removal> removals() {
  const auto present = [](StoreWorld& world) { world.add("c1", "web"); };
  return {
      {"DEL", present, [](StoreWorld& world) { world.release("c1"); }},
      {"GC", present, [](StoreWorld& world) { static_cast<void>(world.leases().collect({})); }},
      {"takeover",
       [](StoreWorld& world) {
         world.add("c1", "web");
         world.boot(kSecondBoot);
         world.add("neighbour", "db");
       },
       [](StoreWorld& world) { world.add("c2", "web"); }},
      {"undo", [](StoreWorld& world) { world.add("neighbour", "db"); }, undone},
      {"pending release",
       [](StoreWorld& world) {
         world.add("c1", "web");
         world.fs.before = [](const test::Call& call) {
           if (call.method == "unlink" && call.subject == "10.0.0.2")
             throw std::system_error(EROFS, std::generic_category(), "unlink");
         };
         world.release("c1");
         world.fs.before = [](const test::Call&) {};
       },
       [](StoreWorld& world) { world.add("c2", "db"); }},
  };
}

/// False when the fault was not met.
bool try_removal(const Removal& removal, int at, Mode mode) {
  StoreWorld world;
  removal.prepare(world);
  const Unflushed unflushed(world, test::owner("c1"));
  bool met = false;
  std::string call;
  {
    const ArmedFault armed(world.fs, Fault{at, EIO, mode});
    test::failure_of([&] { removal.run(world); });
    met = armed.was_met();
    call = armed.call();
  }
  INFO(removal.name << ", call " << at << ": " << call);
  CHECK(test::failure_of([&] { world.release("c1"); }).empty());
  for (const auto& [name, content] : world.files()) CHECK(content != test::owner("c1"));
  CHECK_FALSE(unflushed.any());
  return met;
}

}  // namespace

TEST_CASE("a DEL flushes what a command that died before its flush has removed", "[release]") {
  const Removal removal = GENERATE(from_range(removals()));
  const Mode mode = GENERATE(Mode::crashes, Mode::fails);
  int at = 1;
  while (try_removal(removal, at, mode)) REQUIRE(++at < test::kManyCalls);
  CHECK(at > 5);
}

TEST_CASE("a DEL that finds nothing flushes nothing, the first time and again", "[release]") {
  StoreWorld world;
  world.add("c1", "web");
  world.fs.start_command();
  world.release("never-there");
  world.release("never-there");
  CHECK(world.fs.synced.empty());
  SECTION("also where a DEL has flushed before") {
    world.release("c1");
    CHECK_FALSE(world.fs.synced.empty());
    world.fs.start_command();
    world.release("c1");
    CHECK(world.fs.synced.empty());
  }
}

TEST_CASE("a DEL flushes the records as well that the one before had changed", "[release]") {
  StoreWorld world;
  world.add("c1", "web");
  {
    const ArmedFault armed(world.fs, Fault{1, EIO, Mode::fails});
    world.fs.before = [](const test::Call& call) {
      if (call.method == "sync") throw std::system_error(EIO, std::generic_category(), "fsync");
    };
    CHECK_FALSE(test::failure_of([&] { world.release("c1"); }).empty());
  }
  world.fs.start_command();
  world.release("c1");
  const auto& synced = world.fs.synced;
  CHECK(std::count(synced.begin(), synced.end(), world.options.network_dir) == 1);
  CHECK(std::count(synced.begin(), synced.end(), world.record_dir()) == 1);
  world.fs.start_command();
  world.release("c1");
  CHECK(world.fs.synced.empty());
}

TEST_CASE("where /run was emptied or cannot be written a DEL that finds nothing flushes",
          "[release]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  std::filesystem::remove_all(world.options.run_dir);
  SECTION("emptied") {
    world.fs.start_command();
    world.release("c1");
    CHECK_FALSE(world.fs.synced.empty());
    world.fs.start_command();
    world.release("c1");
    CHECK(world.fs.synced.empty());
  }
  SECTION("emptied, and an ADD that fails was first") {
    world.fs.start_command();
    world.fs.before = [](const test::Call& call) {
      if (call.method == "create_file") throw std::system_error(ENOSPC, std::generic_category());
    };
    CHECK_FALSE(test::failure_of([&] { world.add("c2", "db"); }).empty());
    const auto& synced = world.fs.synced;
    CHECK(std::count(synced.begin(), synced.end(), world.options.network_dir) == 1);
  }
  SECTION("not writable") {
    test::write_text(world.options.run_dir, "in the way");
    world.release("c1");
    world.fs.start_command();
    world.release("c1");
    CHECK_FALSE(world.fs.synced.empty());
  }
}

TEST_CASE("without durability nothing is flushed and nothing is marked", "[release]") {
  StoreWorld world;
  world.options.durability = allocator::store::Durability::none;
  world.add("c1", "web");
  world.release("c1");
  world.release("c1");
  CHECK(world.fs.synced.empty());
}

TEST_CASE("a DEL that finds nothing needs no flush of a folder that has none", "[release]") {
  StoreWorld world;
  world.add("c1", "web");
  world.boot(kSecondBoot);
  // The root may be a squashfs, with the data mounted below it.
  const std::string above = parent_of(world.options.state_dir);
  world.fs.before = [&](const test::Call& call) {
    if (call.method != "sync" || call.subject != above) return;
    throw std::system_error(EINVAL, std::generic_category(), "fsync " + above);
  };
  CHECK(test::failure_of([&] { world.release("c2"); }).empty());
}
