// ADD with every call to the file system failing in turn, alone or with all that follow.
#include <cstring>
#include <functional>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/faults.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::AddRequest;
using test::Contents;
using test::Fault;
using test::Mode;
using test::owner;
using test::sets_of;
using test::StoreWorld;

namespace {

/// One kind of ADD: what is there before, who asks, and what the answer is.
struct Scenario {
  std::string name;
  std::function<void(StoreWorld&)> prepare;
  std::string pod_name;
  std::string answer;
};

const auto kDualStack = [](StoreWorld& world) {
  world.sets = sets_of({"10.0.0.0/29", "2001:db8::/64"});
};

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = {
      {"a new pod on a new node", [](StoreWorld&) {}, "web", "10.0.0.2"},
      {"a caller without a pod", [](StoreWorld&) {}, "", "10.0.0.2"},
      {"a new pod beside another",
       [](StoreWorld& world) {
         kDualStack(world);
         world.add("other", "db");
       },
       "web", "10.0.0.3 2001:db8::3"},
      {"a returning pod",
       [](StoreWorld& world) {
         kDualStack(world);
         world.add("old", "web");
         world.add("other", "db");
         world.release("old");
       },
       "web", "10.0.0.2 2001:db8::2"},
      {"a pod whose old container still runs", [](StoreWorld& world) { world.add("old", "web"); },
       "web", "10.0.0.3"},
      {"a pod that evicts another",
       [](StoreWorld& world) {
         world.sets = sets_of({"10.0.0.0/30"});
         world.add("old", "db");
         world.release("old");
       },
       "web", "10.0.0.2"},
      {"a caller without a pod that evicts",
       [](StoreWorld& world) {
         world.sets = sets_of({"10.0.0.0/30"});
         world.add("old", "db");
         world.release("old");
       },
       "", "10.0.0.2"},
      {"a repeated ADD",
       [](StoreWorld& world) {
         kDualStack(world);
         world.add("c1", "web");
       },
       "web", "10.0.0.2 2001:db8::2"},
      {"a repeated ADD that completes a set",
       [](StoreWorld& world) {
         world.add("c1", "web");
         kDualStack(world);
       },
       "web", "10.0.0.2 2001:db8::2"},
      {"without unnamed files and attributes",
       [](StoreWorld& world) {
         kDualStack(world);
         world.fs.has_unnamed_files = false;
         world.fs.has_attributes = false;
       },
       "web", "10.0.0.2 2001:db8::2"},
  };
  return all;
}

/// Every file names one of these containers, whole.
bool all_complete(const Contents& files) {
  return std::all_of(files.begin(), files.end(), [](const auto& file) {
    return file.second == owner("c1") || file.second == owner("other") ||
           file.second == owner("old");
  });
}

/// The files of the others, who know nothing of this ADD.
Contents of_others(Contents files) {
  std::erase_if(files, [](const auto& file) { return file.second == owner("c1"); });
  return files;
}

std::string addresses_of(const Contents& files, const std::string& content) {
  std::string text;
  for (const auto& [name, found] : files) {
    if (found == content) text += (text.empty() ? "" : " ") + name;
  }
  return text;
}

/// What the faulted ADD said: its addresses, or why it failed.
struct Answer {
  std::string addresses;
  std::string failure;
};

Answer run(StoreWorld& world, const AddRequest& request) {
  try {
    return {world.add(request), {}};
  } catch (const allocator::store::TryAgain& error) {
    return {{}, error.what()};
  } catch (const allocator::store::ClosedRecord& error) {
    return {{}, error.what()};
  } catch (const std::system_error& error) {
    return {{}, error.what()};
  }
}

void check_failed_add(const StoreWorld& world, const Contents& files, const Contents& records) {
  CHECK(world.files() == files);
  CHECK(world.records() == records);
  CHECK_FALSE(test::exists(world.network_file(StoreWorld::kPrivateName)));
}

/// A pod whose binding cannot be read comes up with another address.
void check_answered_add(const StoreWorld& world, const Scenario& scenario, const Answer& answer,
                        const std::string& failed_call) {
  if (!failed_call.starts_with("read_link ip.")) CHECK(answer.addresses == scenario.answer);
  CHECK(addresses_of(world.files(), owner("c1")) == answer.addresses);
  CHECK_FALSE(test::exists(world.network_file(StoreWorld::kPrivateName)));
}

/// What must hold after any ADD: others keep theirs, the next ADD works, its DEL releases.
void check_recovery(StoreWorld& world, const Scenario& scenario, const AddRequest& request,
                    const Contents& files) {
  CHECK(world.lock_is_free());
  CHECK(of_others(world.files()) == of_others(files));
  world.fs.start_command();
  CHECK(world.leases().add(request).picks.size() == world.sets.size());
  CHECK(all_complete(world.files()));
  CHECK(world.records().count(".new") == 0);
  CHECK(test::contents_of(world.record_dir()).count("netdir") ==
        (test::exists(world.record_dir()) ? 1 : 0));
  CHECK_FALSE(world.release("c1").empty());
  CHECK(world.files() == of_others(files));
  if (!scenario.pod_name.empty()) CHECK(world.orphans().empty());
}

/// Runs the scenario with the fault. False when it was never met: then there is nothing left to
/// try.
bool try_fault(const Scenario& scenario, const Fault& fault) {
  StoreWorld world;
  scenario.prepare(world);
  const auto files = world.files();
  const auto records = world.records();
  const AddRequest request = world.request("c1", scenario.pod_name);
  Answer answer;
  std::string call;
  bool met = false;
  {
    const test::ArmedFault armed(world.fs, fault);
    answer = run(world, request);
    met = armed.was_met();
    call = armed.call();
  }
  INFO(scenario.name << ", call " << fault.at << ": " << call << ": "
                     << std::strerror(fault.error));
  CHECK(world.fs.repeated_failed_syncs == 0);
  if (!answer.failure.empty() && fault.mode == Mode::fails) check_failed_add(world, files, records);
  if (answer.failure.empty()) check_answered_add(world, scenario, answer, call);
  if (fault.mode == Mode::crashes) CHECK(all_complete(of_others(world.files())));
  check_recovery(world, scenario, request, files);
  return met;
}

void try_all(const Scenario& scenario, int error, Mode mode) {
  Fault fault{1, error, mode};
  while (try_fault(scenario, fault)) {
    ++fault.at;
    REQUIRE(fault.at < test::kManyCalls);
  }
  CHECK(fault.at > 10);
}

}  // namespace

TEST_CASE("an ADD in which one call fails leaves nothing, or was answered", "[fault]") {
  const std::size_t index = GENERATE(range(std::size_t{0}, std::size_t{10}));
  const int error = GENERATE(from_range(test::kDiskErrors));
  try_all(scenarios().at(index), error, Mode::fails);
}

TEST_CASE("an ADD that dies at any call leaves complete files, and the next ADD works", "[fault]") {
  const std::size_t index = GENERATE(range(std::size_t{0}, std::size_t{10}));
  try_all(scenarios().at(index), EIO, Mode::crashes);
}

TEST_CASE("a returning pod gets its address after any failed ADD", "[fault]") {
  const Mode mode = GENERATE(Mode::fails, Mode::crashes);
  bool met = true;
  for (int at = 1; met; ++at) {
    REQUIRE(at < test::kManyCalls);
    StoreWorld world;
    world.add("old", "web");
    world.add("other", "db");
    world.release("old");
    Answer answer;
    std::string call;
    {
      const test::ArmedFault armed(world.fs, {at, EIO, mode});
      answer = run(world, world.request("c1", "web"));
      met = armed.was_met();
      call = armed.call();
    }
    INFO("call " << at << ": " << call);
    world.release("c1");
    // A binding that could not be read has cost the pod its address.
    const bool has_another = answer.failure.empty() && call == "read_link ip.10.0.0.2";
    CHECK(world.add("c2", "web") == (has_another ? answer.addresses : "10.0.0.2"));
  }
}
