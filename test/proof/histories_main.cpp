// Random histories of a node and the world around it, over a file system in memory. TAP.
// Usage: histories [--seed N] [--count N] [--replay TEXT] [--tell]
// --count: so many histories from the seed on; --replay: one that was printed; --tell: what happens
// in them is printed, a line of JSON each, for whoever lets it happen to the real plugin.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <set>
#include <string>
#include <vector>

#include "test/proof/history.hpp"
#include "test/proof/told.hpp"

namespace {

using proof::History;

struct Arguments {
  std::uint64_t seed = 1;
  std::uint64_t count = 100'000;
  std::string replayed;
  bool tells = false;
};

[[noreturn]] void refuse(const std::string& word) {
  std::fprintf(stderr, "histories: what is %s?\n", word.c_str());
  std::exit(2);
}

Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  for (auto word = words.begin(); word != words.end(); ++word) {
    const std::string& name = *word;
    if (name == "--tell") {
      arguments.tells = true;
      continue;
    }
    if (++word == words.end()) refuse(name);
    if (name == "--seed") {
      arguments.seed = std::stoull(*word);
    } else if (name == "--count") {
      arguments.count = std::stoull(*word);
    } else if (name == "--replay") {
      arguments.replayed = *word;
    } else {
      refuse(name);
    }
  }
  return arguments;
}

int replay_one(const std::string& text) {
  proof::World::Counts counts;
  const History history = proof::parse_history(text);
  const auto failure = proof::replay(history, counts);
  std::printf("%s 1 - %s\n1..1\n", failure ? "not ok" : "ok",
              failure ? failure->what.c_str() : "every promise is kept");
  return failure ? 1 : 0;
}

constexpr std::uint64_t kLong = 8'000;

/// Most are short, as what breaks a promise is; of the first ones some are long.
std::size_t length_of(std::uint64_t seed) {
  if (seed > kLong) return 50;
  return seed % 50 == 0 ? 500 : 50 + seed % 7 * 10;
}

int tell(const Arguments& arguments) {
  if (!arguments.replayed.empty()) {
    std::printf("%s\n", proof::told(proof::parse_history(arguments.replayed)).c_str());
    return 0;
  }
  for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.count; ++seed) {
    const History history = proof::draw_history(seed, length_of(seed));
    std::printf("%s\n", proof::told(proof::playable(history)).c_str());
  }
  return 0;
}

int run(const Arguments& arguments) {
  constexpr std::size_t kShown = 12;
  proof::World::Counts counts;
  std::set<std::string> shown;
  std::uint64_t failed = 0;
  std::uint64_t events = 0;
  for (std::uint64_t i = 0; i < arguments.count; ++i) {
    const std::uint64_t seed = arguments.seed + i;
    const History history = proof::draw_history(seed, length_of(seed));
    events += history.events.size();
    const auto failure = proof::replay(history, counts);
    if (!failure) continue;
    ++failed;
    if (shown.size() >= kShown) continue;
    const History shortest = proof::shortened(history, *failure);
    proof::World::Counts ignored;
    const auto what = proof::replay(shortest, ignored);
    const std::string text = proof::text_of(shortest);
    if (!shown.insert(text).second) continue;
    std::printf("# seed %llu: %s\n#   histories --replay '%s'\n",
                static_cast<unsigned long long>(seed), what ? what->what.c_str() : "?",
                text.c_str());
    std::fflush(stdout);
  }
  const auto number = [](std::uint64_t count) { return static_cast<unsigned long long>(count); };
  std::printf("%s 1 - %llu histories of pods, boots, caches and other programs%s\n",
              failed == 0 ? "ok" : "not ok", number(arguments.count),
              failed == 0 ? "" : (": " + std::to_string(failed) + " break a promise").c_str());
  const bool is_alive = counts.acknowledged > events / 10 &&
                        counts.kept > counts.acknowledged / 50 && counts.took_over > 0;
  std::printf("%s 2 - ADDs are acknowledged, addresses kept and taken over\n1..2\n",
              is_alive ? "ok" : "not ok");
  std::printf(
      "# proof: %llu histories, %llu events, %llu ADDs acknowledged, %llu refused, %llu addresses "
      "had to be kept and were, %llu taken over from the dead; %.0f s of one core\n",
      number(arguments.count), number(events), number(counts.acknowledged), number(counts.refused),
      number(counts.kept), number(counts.took_over),
      static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
  return failed == 0 && is_alive ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(std::vector<std::string>(argv + 1, argv + argc));
  if (arguments.tells) return tell(arguments);
  return arguments.replayed.empty() ? run(arguments) : replay_one(arguments.replayed);
}
