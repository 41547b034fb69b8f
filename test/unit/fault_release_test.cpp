// DEL, GC and undo with every call to the file system failing in turn, alone or with all that
// follow.
#include <cstring>
#include <functional>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/faults.hpp"
#include "test/unit/support/store_world.hpp"

using test::ArmedFault;
using test::Contents;
using test::Fault;
using test::Mode;
using test::owner;
using test::sets_of;
using test::StoreWorld;

namespace {

/// Two pods on dual stack, and an attachment without a pod.
void populate(StoreWorld& world) {
  world.sets = sets_of({"10.0.0.0/29", "2001:db8::/64"});
  world.add("c1", "web");
  world.add("other", "db");
  world.add("plain");
}

Contents without(Contents files, const std::string& container_id) {
  std::erase_if(files, [&](const auto& file) { return file.second == owner(container_id); });
  return files;
}

/// Runs `command` with the fault; "" when it succeeded.
std::string disturbed(StoreWorld& world, const Fault& fault, bool& met, std::string& call,
                      const std::function<void()>& command) {
  const ArmedFault armed(world.fs, fault);
  std::string failure;
  try {
    command();
  } catch (const allocator::store::TryAgain& error) {
    failure = error.what();
  } catch (const std::system_error& error) {
    failure = error.what();
  }
  met = armed.was_met();
  call = armed.call();
  return failure;
}

using Attempt = std::function<bool(const Fault&)>;

/// Moves the fault on until it is not met any more.
void try_all(int error, Mode mode, const Attempt& attempt) {
  Fault fault{1, error, mode};
  while (attempt(fault)) {
    ++fault.at;
    REQUIRE(fault.at < test::kManyCalls);
  }
  CHECK(fault.at > 5);
}

bool try_release(const Fault& fault) {
  StoreWorld world;
  populate(world);
  const auto files = world.files();
  bool met = false;
  std::string call;
  const std::string failure =
      disturbed(world, fault, met, call, [&] { world.release("c1", "eth0", test::pod("web")); });
  INFO("DEL, call " << fault.at << ": " << call << ": " << std::strerror(fault.error));
  CHECK(world.fs.repeated_failed_syncs == 0);
  CHECK(world.lock_is_free());
  CHECK(without(world.files(), "c1") == without(files, "c1"));
  // Where the disk takes no changes, the next command that can does it.
  if (failure.empty() && fault.error == EROFS) world.release("nobody");
  if (failure.empty()) CHECK(world.files() == without(files, "c1"));
  world.release("c1");
  CHECK(world.files() == without(files, "c1"));
  CHECK(world.binding("10.0.0.2")->pod == test::pod("web"));
  CHECK(world.add("c9", "web") == "10.0.0.2 2001:db8::2");
  CHECK(world.records().count(".new") == 0);
  CHECK(world.orphans().empty());
  return met;
}

bool try_collect(const Fault& fault) {
  StoreWorld world;
  populate(world);
  const auto files = world.files();
  const auto collected = without(without(files, "c1"), "plain");
  const std::vector<allocator::Attachment> valid = {{"other", "eth0"}};
  bool met = false;
  std::string call;
  disturbed(world, fault, met, call, [&] { static_cast<void>(world.leases().collect(valid)); });
  INFO("GC, call " << fault.at << ": " << call << ": " << std::strerror(fault.error));
  CHECK(world.fs.repeated_failed_syncs == 0);
  CHECK(world.lock_is_free());
  for (const auto& [name, content] : collected) CHECK(world.files()[name] == content);
  static_cast<void>(world.leases().collect(valid));
  CHECK(world.files() == collected);
  CHECK(world.add("c9", "web") == "10.0.0.2 2001:db8::2");
  CHECK(world.orphans().empty());
  return met;
}

bool try_undo(const Fault& fault) {
  StoreWorld world;
  populate(world);
  world.release("c1");
  const auto files = world.files();
  const auto records = world.records();
  const auto request = world.request("c2", "web");
  auto lease = world.leases().add(request);
  bool met = false;
  std::string call;
  const std::string failure =
      disturbed(world, fault, met, call, [&] { world.leases().undo(lease); });
  INFO("undo, call " << fault.at << ": " << call << ": " << std::strerror(fault.error));
  CHECK(world.lock_is_free());
  if (failure.empty()) {
    CHECK(world.files() == files);
    CHECK(world.records() == records);
  }
  CHECK(without(world.files(), "c2") == files);
  world.release("c2");
  CHECK(world.files() == files);
  CHECK(world.add("c3", "web") == "10.0.0.2 2001:db8::2");
  CHECK(world.records().count(".new") == 0);
  CHECK(world.orphans().empty());
  return met;
}

/// An undo that has an evicted binding to give back.
bool try_undo_of_eviction(const Fault& fault) {
  StoreWorld world(sets_of({"10.0.0.0/30"}));
  world.add("c1", "db");
  world.release("c1");
  const auto records = world.records();
  const auto request = world.request("c2", "web");
  auto lease = world.leases().add(request);
  bool met = false;
  std::string call;
  const std::string failure =
      disturbed(world, fault, met, call, [&] { world.leases().undo(lease); });
  INFO("undo, call " << fault.at << ": " << call << ": " << std::strerror(fault.error));
  CHECK(world.lock_is_free());
  if (failure.empty()) CHECK(world.records() == records);
  world.release("c2");
  CHECK(world.files().empty());
  CHECK(world.add("c3", "db") == "10.0.0.2");
  CHECK(world.records().count(".new") == 0);
  return met;
}

}  // namespace

TEST_CASE("a DEL in which one call fails has freed all, or says so and the next one does",
          "[fault]") {
  try_all(GENERATE(from_range(test::kDiskErrors)), Mode::fails, try_release);
}

TEST_CASE("a DEL that dies at any call is completed by the next one", "[fault]") {
  try_all(EIO, Mode::crashes, try_release);
}

TEST_CASE("a GC in which one call fails frees nothing valid, and the next one frees the rest",
          "[fault]") {
  try_all(GENERATE(from_range(test::kDiskErrors)), Mode::fails, try_collect);
}

TEST_CASE("a GC that dies at any call is completed by the next one", "[fault]") {
  try_all(EIO, Mode::crashes, try_collect);
}

TEST_CASE("an undo in which one call fails touches nobody else, and DEL frees the rest",
          "[fault]") {
  const int error = GENERATE(from_range(test::kDiskErrors));
  try_all(error, Mode::fails, try_undo);
  try_all(error, Mode::fails, try_undo_of_eviction);
}

TEST_CASE("an undo that dies at any call leaves the rest to DEL", "[fault]") {
  try_all(EIO, Mode::crashes, try_undo);
  try_all(EIO, Mode::crashes, try_undo_of_eviction);
}

TEST_CASE("a DEL that cannot read a file does not say that everything is freed", "[fault]") {
  StoreWorld world;
  world.add("c1", "web");
  const int error = GENERATE(EIO, ENFILE, EACCES);
  world.fs.before = [&](const test::Call& call) {
    if (call.method == "read_file" && call.subject == "10.0.0.2") {
      throw std::system_error(error, std::generic_category(), "read 10.0.0.2");
    }
  };
  const std::string failure =
      test::failure_of([&] { world.release("c1", "eth0", test::pod("web")); });
  CHECK_FALSE(failure.empty());
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
}

TEST_CASE("a repeated ADD that cannot read its file does not take a second address", "[fault]") {
  StoreWorld world;
  world.add("c1", "web");
  world.fs.before = [&](const test::Call& call) {
    if (call.method == "read_file" && call.subject == "10.0.0.2") {
      throw std::system_error(EIO, std::generic_category(), "read 10.0.0.2");
    }
  };
  test::failure_of([&] { world.add("c1", "web"); });
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
}
