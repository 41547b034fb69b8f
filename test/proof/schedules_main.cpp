// Two and three commands at the same time, in every order of their calls up to a bound. TAP.
// Usage: schedules [--seed N] [--samples N] [--long]
// Of two commands: who begins, and each place for one switch to the other; with two switches a
// sample, with --long all. Of three a sample. A violation is printed with all that makes it again.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "test/proof/node.hpp"
#include "test/proof/tap.hpp"
#include "test/proof/turns.hpp"

namespace {

using proof::Files;
using proof::Machine;
using proof::MemoryDisk;
using proof::Node;
using proof::Plan;
using proof::Turns;

/// Addresses by container, or by pod. The container of pod `p` that was there before is `p-old`.
using Told = std::map<std::string, std::vector<std::string>>;

/// What there is before the commands.
struct Start {
  const char* name;
  Machine machine;
  Told living;  ///< acknowledged in this boot, and not ended
  Told kept;    ///< pod -> the addresses that it must get again
};

struct Command {
  enum class Kind : std::uint8_t { add, del, collect, go_add, go_del };
  const char* name;
  Kind kind;
  std::string container;
  std::string pod;
  proof::Ranges ranges = proof::Ranges::one;
};

std::string pod_of(const std::string& container) { return container.substr(0, 1); }

const std::vector<Command>& commands() {
  using Kind = Command::Kind;
  static const std::vector<Command> all = {
      {"ADD a", Kind::add, "a-new", "a"},
      {"ADD a in yet another sandbox", Kind::add, "a-other", "a"},
      {"ADD b", Kind::add, "b-new", "b"},
      {"ADD of a newcomer", Kind::add, "n-new", "n"},
      {"ADD of two families", Kind::add, "d-new", "d", proof::Ranges::both},
      {"ADD of a pinned pod", Kind::add, "p-new", "p"},
      {"DEL of what is being added", Kind::del, "a-new", "a"},
      {"DEL a", Kind::del, "a-old", "a"},
      {"DEL b", Kind::del, "b-old", "b"},
      {"GC without a", Kind::collect, "a-old", "a"},
      {"the Go plugin's ADD", Kind::go_add, "g-new", "g"},
      {"the Go plugin's DEL of a", Kind::go_del, "a-old", "a"},
  };
  return all;
}

Start living(const char* name, const std::vector<std::string>& pods) {
  Start start{name, Machine({}), {}, {}};
  for (const auto& pod : pods) {
    const std::string container = pod + "-old";
    start.living[container] = Node(start.machine, nullptr).add(container, pod).addresses;
    start.kept[pod] = start.living[container];
  }
  return start;
}

Start held(const char* name, const std::vector<std::string>& pods) {
  Start start = living(name, pods);
  for (const auto& pod : pods) Node(start.machine, nullptr).release(pod + "-old", pod);
  start.living.clear();
  return start;
}

std::vector<Start> starts() {
  std::vector<Start> all = {
      {"nothing", Machine({}), {}, {}},
      living("a and b live", {"a", "b"}),
      held("a and b are held", {"a", "b"}),
      held("all is held", {"a", "b", "c", "e"}),
      living("all live", {"a", "b", "c", "e"}),
      living("a and b lived in an earlier boot", {"a", "b"}),
  };
  all[3].kept.clear();  // whoever waits may be evicted by the other one
  all[5].machine.boot();
  all[5].living.clear();
  return all;
}

/// How one command went.
struct Went {
  bool is_acknowledged = false;
  std::vector<std::string> addresses;
  std::string failure;
  std::size_t began = 0;  ///< in calls
  std::size_t ended = 0;
};

/// States in which runs of the same commands have ended: what comes after them is looked at once.
using Ends = std::set<std::uint64_t>;

struct Run {
  std::size_t calls = 0;
  std::string trouble;  ///< "" when every promise is kept
};

class Scene {
 public:
  Scene(const Start& start, std::vector<Command> commands)
      : start_(start),
        commands_(std::move(commands)),
        machine_(start.machine),
        went_(commands_.size()) {}

  Run play(const Plan& plan, Ends& ends) {
    Turns turns(plan);
    std::vector<std::function<void()>> processes;
    for (unsigned me = 0; me < commands_.size(); ++me) {
      processes.emplace_back([this, &turns, me] {
        went_[me].began = turns.calls();
        call(turns, me);
        went_[me].ended = turns.calls();
      });
    }
    const bool all_ended = turns.run(processes);
    Run run{turns.calls(), {}};
    if (!all_ended) {
      run.trouble = "they wait for each other for ever";
    } else if (!turns.are_locks_free()) {
      run.trouble = "a lock is still held";
    } else {
      machine_.prune();
      run.trouble = trouble(ends);
    }
    return run;
  }

 private:
  void call(Turns& turns, unsigned me) {
    const Command& command = commands_[me];
    Went& went = went_[me];
    MemoryDisk::Observer observer;
    observer.is_alone = false;
    observer.seam = [&](MemoryDisk& disk) -> std::shared_ptr<proof::store::FileSystem> {
      return std::make_shared<proof::TurnDisk>(disk, turns, me);
    };
    Node node(machine_, nullptr, observer);
    switch (command.kind) {
      case Command::Kind::add: {
        const auto answer = node.add(command.container, command.pod, command.ranges);
        went = {answer.is_acknowledged, answer.addresses, answer.failure, went.began, 0};
        return;
      }
      case Command::Kind::del:
        went.failure = node.release(command.container, command.pod);
        went.is_acknowledged = went.failure.empty();
        return;
      case Command::Kind::collect:
        collect(node, went);
        return;
      case Command::Kind::go_add:
      case Command::Kind::go_del:
        run_go_plugin(turns, me);
        return;
    }
  }

  /// The runtime lists who lived, but for the one, and whoever is being added.
  void collect(Node& node, Went& went) {
    std::vector<std::string> valid;
    for (const auto& [container, addresses] : start_.living) valid.push_back(container);
    for (const auto& one : commands_) valid.push_back(one.container);
    std::erase(valid, "a-old");
    try {
      node.collect(valid);
      went.is_acknowledged = true;
    } catch (const std::exception& error) {
      went.failure = error.what();
    }
  }

  /// Others may come in after each of its changes; it has the lock for all of them.
  void run_go_plugin(Turns& turns, unsigned me) {
    const Command& command = commands_[me];
    MemoryDisk::Observer observer([&](MemoryDisk::Step) { turns.pass(me); });
    observer.is_alone = false;
    Node node(machine_, nullptr, observer);
    MemoryDisk disk(machine_, observer);
    std::vector<std::string> changed;
    const auto folder = proof::store::ensure_folder(disk, proof::kNetworkDir, 0755, changed);
    const auto lock = disk.identify(*disk.open_lock(folder, "lock", 0750)).inode;
    turns.lock(me, lock);
    if (command.kind == Command::Kind::go_add) {
      const auto answer = node.go_add(command.container);
      went_[me] = {answer.is_acknowledged, answer.addresses, answer.failure, went_[me].began, 0};
    } else {
      node.go_release(command.container);
      went_[me].is_acknowledged = true;
    }
    turns.unlock(me, lock);
  }

  [[nodiscard]] bool is_ended(const std::string& container) const {
    return std::any_of(commands_.begin(), commands_.end(), [&](const Command& one) {
      return one.container == container && one.kind != Command::Kind::add &&
             one.kind != Command::Kind::go_add;
    });
  }

  [[nodiscard]] std::string trouble(Ends& ends) {
    const Files files = proof::files_of(machine_.disk);
    Told told = start_.living;
    for (std::size_t i = 0; i < commands_.size(); ++i) {
      if (const std::string found = trouble_with(commands_[i], went_[i], files); !found.empty())
        return found;
      if (!went_[i].addresses.empty()) told[commands_[i].container] = went_[i].addresses;
    }
    for (const auto& [container, addresses] : told) {
      if (is_ended(container)) continue;
      for (const auto& address : addresses) {
        const auto file = files.find(address);
        if (file == files.end() || file->second != proof::content_of(container))
          return container + " was told " + address + ", which is " +
                 (file == files.end() ? "free" : "of " + file->second.substr(0, 5));
      }
    }
    const auto end = proof::mixed(machine_.disk.fingerprint(), machine_.run.fingerprint());
    return ends.insert(end).second ? trouble_afterwards(files) : std::string();
  }

  [[nodiscard]] std::string trouble_with(const Command& command, const Went& went,
                                         const Files& files) const {
    const bool is_add = command.kind == Command::Kind::add;
    const bool has_file = proof::has_file(files, command.container);
    if (!went.is_acknowledged) {
      const bool found_none = went.failure.find("no IP addresses available") != std::string::npos;
      if (!(found_none && is_crowded()) && !(is_add && is_ended(command.container)))
        return std::string(command.name) + " fails: " + went.failure;
      if (is_add && has_file && !is_added_twice(command))
        return std::string(command.name) + " failed and left a file";
      return {};
    }
    const bool ends = command.kind == Command::Kind::del || command.kind == Command::Kind::go_del;
    if (ends && has_file && !is_added_meanwhile(command, went))
      return std::string(command.name) + " was answered, and the file is there";
    const auto kept = start_.kept.find(command.pod);
    const bool is_free = start_.living.count(command.pod + "-old") == 0;
    if (is_add && kept != start_.kept.end() && is_free && !has_rival(command) &&
        went.addresses != kept->second)
      return std::string(command.name) + " got " + went.addresses.front() + " instead of " +
             kept->second.front();
    return {};
  }

  /// More attachments than addresses, one of which is reserved for the pinned pod.
  [[nodiscard]] bool is_crowded() const {
    std::set<std::string> containers;
    for (const auto& [address, content] : proof::files_of(start_.machine.disk))
      containers.insert(content);
    for (const auto& one : commands_) {
      if (one.kind == Command::Kind::add || one.kind == Command::Kind::go_add)
        containers.insert(one.container);
    }
    return containers.size() > proof::kPlaces;
  }

  [[nodiscard]] bool is_added_twice(const Command& command) const {
    return std::count_if(commands_.begin(), commands_.end(), [&](const Command& one) {
             return one.kind == command.kind && one.container == command.container;
           }) > 1;
  }

  /// Another command wants the address with the same right, or had it until now.
  [[nodiscard]] bool has_rival(const Command& command) const {
    return std::count_if(commands_.begin(), commands_.end(),
                         [&](const Command& one) { return one.pod == command.pod; }) > 1 ||
           std::any_of(commands_.begin(), commands_.end(), [](const Command& one) {
             return one.kind == Command::Kind::go_add;  // it knows of no held address
           });
  }

  /// An ADD of the same attachment had not ended when the DEL began.
  [[nodiscard]] bool is_added_meanwhile(const Command& del, const Went& went) const {
    for (std::size_t i = 0; i < commands_.size(); ++i) {
      if (commands_[i].kind == Command::Kind::add && commands_[i].container == del.container &&
          went_[i].ended > went.began)
        return true;
    }
    return false;
  }

  /// When all is deleted, everything is free again, and given to one each.
  [[nodiscard]] std::string trouble_afterwards(const Files& files) {
    std::set<std::string> known;
    for (const auto& [pod, addresses] : start_.kept) known.insert(pod + "-old");
    for (const auto& command : commands_) known.insert(command.container);
    for (const auto& [address, content] : files) {
      if (known.count(content.substr(0, content.find('\r'))) == 0)
        return address + " is nobody's: " + content;
    }
    Node node(machine_, nullptr);
    for (const auto& container : known) {
      if (const std::string failure = node.release(container, pod_of(container)); !failure.empty())
        return "the DEL of " + container + " after all: " + failure;
    }
    if (const Files left = proof::files_of(machine_.disk); !left.empty())
      return left.begin()->first + " is left after all DELs";
    std::set<std::string> given;
    for (std::size_t i = 0; i < proof::kPlaces; ++i) {
      const std::string number = std::to_string(i);
      const auto answer = node.add("z" + number, "z" + number);
      if (!answer.is_acknowledged) return "a newcomer after all: " + answer.failure;
      given.insert(answer.addresses.begin(), answer.addresses.end());
    }
    return given.size() == proof::kPlaces ? "" : "newcomers share an address";
  }

  const Start& start_;
  std::vector<Command> commands_;
  Machine machine_;
  std::vector<Went> went_;
};

struct Arguments {
  std::uint64_t seed = 1;
  std::size_t samples = 20;  ///< of two switches in each pair
  bool is_long = false;
};

class Explorer {
 public:
  explicit Explorer(const Arguments& arguments) : arguments_(arguments), chance_(arguments.seed) {}

  void explore(const Start& start, const std::vector<Command>& commands) {
    ends_.clear();
    if (commands.size() == 2) {
      explore_pair(start, commands);
    } else {
      sample(start, commands, arguments_.samples / 4);
    }
    distinct_ += ends_.size();
  }

  [[nodiscard]] std::size_t schedules() const { return schedules_; }
  [[nodiscard]] std::size_t calls() const { return calls_; }
  [[nodiscard]] std::size_t distinct() const { return distinct_; }
  [[nodiscard]] std::size_t broken() const { return broken_; }

 private:
  void explore_pair(const Start& start, const std::vector<Command>& commands) {
    for (unsigned first = 0; first < 2; ++first) {
      const std::size_t calls = play(start, commands, {first, {}});
      for (std::size_t at = 1; at < calls; ++at) {
        const std::size_t all = play(start, commands, {first, {{at, 1 - first}}});
        if (!arguments_.is_long) continue;
        for (std::size_t back = at + 1; back < all; ++back)
          play(start, commands, {first, {{at, 1 - first}, {back, first}}});
      }
    }
    if (!arguments_.is_long) sample(start, commands, arguments_.samples);
  }

  /// Two to four switches at any places.
  void sample(const Start& start, const std::vector<Command>& commands, std::size_t count) {
    const std::size_t calls = play(start, commands, {});
    if (calls < 8) return;
    const auto draw = [&](std::size_t below) {
      return static_cast<std::size_t>(chance_() % below);
    };
    for (std::size_t i = 0; i < count; ++i) {
      std::set<std::size_t> places;
      const std::size_t wanted = 2 + draw(3);
      while (places.size() < wanted) places.insert(1 + draw(calls));
      Plan plan{static_cast<unsigned>(draw(commands.size())), {}};
      for (const std::size_t at : places)
        plan.switches.push_back({at, static_cast<unsigned>(draw(commands.size()))});
      play(start, commands, plan);
    }
  }

  std::size_t play(const Start& start, const std::vector<Command>& commands, const Plan& plan) {
    const Run run = Scene(start, commands).play(plan, ends_);
    ++schedules_;
    calls_ += run.calls;
    if (!run.trouble.empty() && ++broken_ <= 12) print(start, commands, plan, run.trouble);
    return run.calls;
  }

  static void print(const Start& start, const std::vector<Command>& commands, const Plan& plan,
                    const std::string& trouble) {
    std::printf("# %s\n#   start: %s; ", trouble.c_str(), start.name);
    for (std::size_t i = 0; i < commands.size(); ++i) std::printf("%zu: %s, ", i, commands[i].name);
    std::printf("%u begins", plan.first);
    for (const auto& one : plan.switches) std::printf(", %u from call %zu on", one.to, one.at);
    std::printf("\n");
    std::fflush(stdout);
  }

  Arguments arguments_;
  std::mt19937_64 chance_;
  std::size_t schedules_ = 0;
  std::size_t calls_ = 0;
  std::size_t distinct_ = 0;
  std::size_t broken_ = 0;
  Ends ends_;
};

Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--long") {
      arguments.is_long = true;
    } else if (words[i] == "--seed" && i + 1 < words.size()) {
      arguments.seed = std::stoull(words[++i]);
    } else if (words[i] == "--samples" && i + 1 < words.size()) {
      arguments.samples = std::stoull(words[++i]);
    } else {
      std::fprintf(stderr, "schedules: what is %s?\n", words[i].c_str());
      std::exit(2);
    }
  }
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(std::vector<std::string>(argv + 1, argv + argc));
  proof::Tap tap;
  Explorer explorer(arguments);
  const auto& all = commands();
  for (const auto& start : starts()) {
    const std::size_t before = explorer.broken();
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = i; j < all.size(); ++j) {
        explorer.explore(start, {all[i], all[j]});
        for (std::size_t k = j + 1; k < all.size(); ++k)
          explorer.explore(start, {all[i], all[j], all[k]});
      }
    }
    tap.test(
        explorer.broken() == before,
        std::string("commands at the same time keep every promise; before them: ") + start.name);
  }
  tap.plan();
  std::printf(
      "# proof: %zu schedules of two and three commands, %zu calls, %zu ends, %zu broken; %.0f s "
      "of "
      "one core\n",
      explorer.schedules(), explorer.calls(), explorer.distinct(), explorer.broken(),
      static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
  return tap.failed() == 0 ? 0 : 1;
}
