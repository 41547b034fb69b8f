// Every system call of every operation goes wrong in turn, in every way. TAP.
// Usage: call_faults [--long] [--start NAME] [--operation NAME] [--call N] [--error NAME]
//     [--known] [--shown N]
// --long: also behind each other operation; --start to --error: only what a violation names;
// --known: known ones are printed, too; --shown: so many of the others are.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "test/proof/faulted.hpp"
#include "test/proof/known_faults.hpp"
#include "test/proof/tap.hpp"

namespace {

using proof::Attempt;
using proof::Fault;
using proof::Operation;
using proof::Scene;

/// The suite must not shrink unnoticed.
constexpr std::uint64_t kFewestCalls = 3'000;
constexpr std::uint64_t kFewestFaults = 150'000;

struct Arguments {
  bool is_long = false;
  bool shows_known = false;
  std::string start;
  std::string operation;
  std::size_t call = 0;
  std::string error;
  std::size_t shown = 20;
  [[nodiscard]] bool is_whole() const {
    return start.empty() && operation.empty() && call == 0 && error.empty();
  }
};

Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool has_value = i + 1 < words.size();
    if (words[i] == "--long") {
      arguments.is_long = true;
    } else if (words[i] == "--known") {
      arguments.shows_known = true;
    } else if (words[i] == "--start" && has_value) {
      arguments.start = words[++i];
    } else if (words[i] == "--operation" && has_value) {
      arguments.operation = words[++i];
    } else if (words[i] == "--call" && has_value) {
      arguments.call = static_cast<std::size_t>(std::stoul(words[++i]));
    } else if (words[i] == "--error" && has_value) {
      arguments.error = words[++i];
    } else if (words[i] == "--shown" && has_value) {
      arguments.shown = static_cast<std::size_t>(std::stoul(words[++i]));
    } else {
      std::fprintf(stderr, "call_faults: what is %s?\n", words[i].c_str());
      std::exit(2);
    }
  }
  return arguments;
}

/// The range was another one once: what the next ADD writes there is shorter.
void lengthen_cursor(Scene& scene) {
  proof::MemoryDisk disk(scene.machine);
  const auto folder = disk.open_directory(proof::kNetworkDir);
  if (folder) disk.truncate_and_write(*folder, "last_reserved_ip.0", "10.0.0.100");
  for (auto& one : scene.machine.durable) one.settle();
}

/// Walks through the calls of operations.
class Walk {
 public:
  explicit Walk(Arguments arguments) : arguments_(std::move(arguments)) {}

  void from(const proof::Start& start) {
    // What a cut leaves by the models strict and ext4 it may leave by xfs, too.
    Scene scene{proof::Machine({proof::Model::xfs, proof::Model::weak}), {}};
    start.prepare(scene);
    lengthen_cursor(scene);
    for (const auto& operation : proof::operations()) {
      const std::string history = std::string("from \"") + start.name + "\": ";
      run(scene, operation, history);
      if (!arguments_.is_long && !is_looked_behind(start, operation)) continue;
      Scene next = scene;
      const auto outcome = operation.run(next, {});
      if (!outcome.is_acknowledged) continue;
      proof::acknowledge(next, outcome);
      for (const auto& second : proof::operations())
        run(next, second, history + operation.name + ", ");
    }
  }

  [[nodiscard]] std::uint64_t violations() const { return violations_; }

  void print_summary(double seconds) const {
    std::printf("# faults: %llu calls, %zu errnos and short counts, %llu faults, %llu answered",
                number(calls_), troubles_.size(), number(faults_),
                number(judge_.counts().answered));
    for (const auto& [code, count] : judge_.counts().failed)
      std::printf(", %llu code %u", number(count), code);
    std::printf(
        "; %llu states left behind, %llu disks booted, %llu looks at other pods; %.0f s of "
        "one core\n",
        number(judge_.counts().states), number(judge_.counts().cuts),
        number(judge_.counts().neighbours), seconds);
  }

  void test_reach(proof::Tap& tap) const {
    tap.test(calls_ >= kFewestCalls, "at least " + std::to_string(kFewestCalls) + " calls");
    tap.test(faults_ >= kFewestFaults, "at least " + std::to_string(kFewestFaults) + " faults");
    std::string missing;
    for (const auto& page : proof::call_pages()) {
      if (met_.count(page.call) == 0) missing += std::string(" ") + page.pages;
    }
    tap.test(missing.empty(),
             "every call that the store makes fails" + (missing.empty() ? "" : ": not" + missing));
    for (const auto& known : proof::known_faults()) {
      const auto met = known_.find(known.name);
      const std::uint64_t count = met == known_.end() ? 0 : met->second;
      tap.test(count != 0,
               std::string("known: ") + known.name + ", " + std::to_string(count) + " faults");
    }
  }

 private:
  /// Nothing is evicted as long as all that is bound is in use.
  static bool is_looked_behind(const proof::Start& start, const Operation& first) {
    const std::string from = start.name;
    return (from == "full range" || from == "one entry") && first.name == std::string("DEL a");
  }

  static unsigned long long number(std::uint64_t count) { return count; }

  void run(const Scene& before, const Operation& operation, const std::string& history) {
    if (!arguments_.operation.empty() && arguments_.operation != operation.name) return;
    const Attempt clean = proof::attempt(before, operation, {});
    const auto& made = clean.disturbance.made();
    if (!clean.disturbance.blamed().empty())
      violation(history + operation.name + ": " + clean.disturbance.blamed());
    for (std::size_t at = 1; at <= made.size(); ++at) {
      ++calls_;
      met_.insert(made[at - 1].call);
      for (const auto& trouble : proof::troubles_of(made[at - 1].call)) {
        if (is_beyond(operation, made[at - 1], trouble) || !is_wanted(at, trouble)) continue;
        troubles_.insert(trouble.text());
        run_all(before, operation, clean, {at, trouble}, history);
      }
    }
  }

  [[nodiscard]] bool is_wanted(std::size_t at, const proof::Trouble& trouble) const {
    return (arguments_.call == 0 || arguments_.call == at) &&
           (arguments_.error.empty() || arguments_.error == trouble.text());
  }

  /// A namespace that is gone says this and nothing else: whoever is told so must believe it. So
  /// must who is told that an address has no binding, where its file is gone as well: nothing else
  /// tells of it.
  static bool is_beyond(const Operation& operation, const proof::Made& made,
                        const proof::Trouble& trouble) {
    if (!proof::is_answer(made.call, trouble)) return false;
    const bool is_namespace =
        made.call == proof::Call::name_to_handle || made.call == proof::Call::open_by_handle;
    const bool is_binding = made.call == proof::Call::read_link &&
                            made.subject.starts_with(std::string(proof::kRecordDir) + "/ip.");
    return is_namespace || (is_binding && operation.name == std::string("restore of a lost file"));
  }

  void run_all(const Scene& before, const Operation& operation, const Attempt& clean, Fault fault,
               const std::string& history) {
    Attempt once = proof::attempt(before, operation, fault);
    std::vector<Fault::Reach> further;
    for (const auto reach : {Fault::Reach::same_path, Fault::Reach::same_call}) {
      // A signal interrupts one call.
      if (fault.trouble.error != EINTR && once.disturbance.would_reach_further(reach))
        further.push_back(reach);
    }
    judge(operation, clean, std::move(once), history);
    for (const auto reach : further) {
      // Untrue answers come one at a time.
      const bool is_lie =
          fault.trouble.error != 0 &&
          proof::is_answer(clean.disturbance.made()[fault.at - 1].call, fault.trouble);
      if (is_lie && reach == Fault::Reach::same_call) continue;
      fault.reach = reach;
      judge(operation, clean, proof::attempt(before, operation, fault), history);
    }
  }

  void judge(const Operation& operation, const Attempt& clean, Attempt faulted,
             const std::string& history) {
    ++faults_;
    const Fault fault = faulted.disturbance.fault();
    const proof::Made made = faulted.disturbance.disturbed();
    const auto trouble = judge_.trouble(operation, clean, std::move(faulted));
    if (!trouble) return;
    const std::string line = history + operation.name + ", call " + std::to_string(fault.at) +
                             ", " + proof::page_of(made.call).pages + " " + made.subject + ": " +
                             fault.trouble.text() + " " + name_of(fault.reach) + ": " + *trouble;
    if (!is_known({operation.name, made, fault, *trouble})) {
      violation(line);
    } else if (arguments_.shows_known) {
      std::printf("# known: %s\n", line.c_str());
    }
  }

  bool is_known(const proof::Violation& violation) {
    for (const auto& known : proof::known_faults()) {
      if (!known.matches(violation)) continue;
      ++known_[known.name];
      return true;
    }
    return false;
  }

  void violation(const std::string& line) {
    if (++violations_ <= arguments_.shown) std::printf("# %s\n", line.c_str());
  }

  Arguments arguments_;
  proof::FaultJudge judge_;
  std::uint64_t calls_ = 0;
  std::uint64_t faults_ = 0;
  std::uint64_t violations_ = 0;
  std::set<std::string> troubles_;
  std::set<proof::Call> met_;
  std::map<std::string, std::uint64_t> known_;
};

int run(const Arguments& arguments) {
  Walk walk(arguments);
  proof::Tap tap;
  for (const auto& start : proof::starts()) {
    if (!arguments.start.empty() && arguments.start != start.name) continue;
    const std::uint64_t before = walk.violations();
    walk.from(start);
    const std::uint64_t found = walk.violations() - before;
    tap.test(found == 0, std::string("from \"") + start.name + "\", every call in turn" +
                             (found == 0 ? "" : ": " + std::to_string(found) + " violations"));
  }
  if (arguments.is_whole()) walk.test_reach(tap);
  tap.plan();
  walk.print_summary(static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
  return tap.failed() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run(parse(std::vector<std::string>(argv + 1, argv + argc)));
}
