// Every crash state of every short sequence of commands, over a file system in memory. TAP.
// Usage: crash_states [--long] [--start NAME] [--operations N] [--weak N] [--recovered N]
//     [--shown N]
// --operations: the longest sequence, at most 3; --weak, --recovered: see Limits; --shown: so many
// violations are printed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "test/proof/explorer.hpp"
#include "test/proof/tap.hpp"

namespace {

/// The suite must not shrink unnoticed.
constexpr std::uint64_t kFewestStates = 1'000'000;

struct Arguments {
  proof::Limits limits;
  std::string start;  ///< only this one
  bool is_whole = true;
  std::size_t shown_violations = 20;
};

Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool has_value = i + 1 < words.size();
    if (words[i] == "--long") {
      arguments.limits.weak = {65536, 1024, 64};
      arguments.limits.recovered = 2;
      arguments.limits.booted_one_in.fill(1);
      arguments.limits.whole_one_in.fill(1);
      arguments.limits.weak_recovered_one_in = 8;
    } else if (words[i] == "--operations" && has_value) {
      arguments.limits.operations = std::min<std::size_t>(3, std::stoul(words[++i]));
      arguments.is_whole = false;
    } else if (words[i] == "--weak" && has_value) {
      arguments.limits.weak.fill(static_cast<std::size_t>(std::stoul(words[++i])));
      arguments.is_whole = false;
    } else if (words[i] == "--recovered" && has_value) {
      arguments.limits.recovered = static_cast<std::size_t>(std::stoul(words[++i]));
      arguments.is_whole = false;
    } else if (words[i] == "--shown" && has_value) {
      arguments.shown_violations = static_cast<std::size_t>(std::stoul(words[++i]));
    } else if (words[i] == "--start" && has_value) {
      arguments.start = words[++i];
      arguments.is_whole = false;
    } else {
      std::fprintf(stderr, "crash_states: what is %s?\n", words[i].c_str());
      std::exit(2);
    }
  }
  return arguments;
}

void print_summary(const proof::Counts& counts, double seconds) {
  std::string by_model;
  for (std::size_t i = 0; i < proof::kModels; ++i) {
    by_model += std::string(i == 0 ? "" : ", ") + proof::name_of(static_cast<proof::Model>(i)) +
                " " + std::to_string(counts.enumerated.at(i));
  }
  std::printf(
      "# proof: %llu states, %s; %llu of them distinct, %llu booted, after %llu sequences (%llu of "
      "them gone on from once, as they end alike), %llu recoveries cut, %llu kills gone on from; "
      "%llu cuts sampled; numbers of address files given again %llu times; %.0f s of one core\n",
      static_cast<unsigned long long>(counts.all()), by_model.c_str(),
      static_cast<unsigned long long>(counts.distinct),
      static_cast<unsigned long long>(counts.booted),
      static_cast<unsigned long long>(counts.sequences),
      static_cast<unsigned long long>(counts.merged),
      static_cast<unsigned long long>(counts.recoveries),
      static_cast<unsigned long long>(counts.continued),
      static_cast<unsigned long long>(counts.sampled),
      static_cast<unsigned long long>(counts.numbers_met_again), seconds);
  for (const auto& [name, count] : counts.recoveries_of) {
    const auto continued = counts.continued_of.find(name);
    std::printf("# first %s: %llu recoveries cut, %llu kills gone on from\n", name.c_str(),
                static_cast<unsigned long long>(count),
                static_cast<unsigned long long>(
                    continued == counts.continued_of.end() ? 0 : continued->second));
  }
}

/// Walks that find nothing because they have not looked would go unnoticed.
void test_reach(proof::Tap& tap, const proof::Counts& counts) {
  tap.test(counts.all() >= kFewestStates, "at least " + std::to_string(kFewestStates) + " states");
  std::string missing;
  for (const auto& operation : proof::operations()) {
    if (counts.recoveries_of.count(operation.name) == 0)
      missing += std::string(missing.empty() ? ": not " : ", ") + operation.name;
  }
  tap.test(missing.empty(), "of each first operation recoveries are cut" + missing);
  tap.test(counts.numbers_met_again != 0, "address files get the numbers of removed ones");
}

int run(const Arguments& arguments) {
  std::size_t violations = 0;
  proof::Explorer explorer(arguments.limits, [&](const std::string& line) {
    if (++violations <= arguments.shown_violations) std::printf("# %s\n", line.c_str());
  });
  proof::Tap tap;
  for (const auto& start : proof::starts()) {
    if (!arguments.start.empty() && arguments.start != start.name) continue;
    for (const auto& models :
         {std::vector{proof::Model::strict, proof::Model::ext4, proof::Model::weak},
          std::vector{proof::Model::xfs}}) {
      const std::size_t before = violations;
      explorer.explore(start, models);
      tap.test(
          violations == before,
          std::string("from \"") + start.name + "\", " +
              (models.size() == 1 ? "xfs" : "strict, ext4, weak and killed") +
              (violations == before ? ""
                                    : ": " + std::to_string(violations - before) + " violations"));
    }
  }
  if (arguments.is_whole) test_reach(tap, explorer.counts());
  tap.plan();
  print_summary(explorer.counts(), static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
  return tap.failed() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run(parse(std::vector<std::string>(argv + 1, argv + argc)));
}
