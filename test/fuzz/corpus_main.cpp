// Every input of the corpus through its target. TAP, one test a target.
// Usage: fuzz_corpus FOLDER, which has a folder of inputs for each target.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "test/fuzz/target.hpp"
#include "test/unit/support/temp_dir.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define FUZZ_UNDER_ASAN
#endif
#endif

namespace {

namespace fs = std::filesystem;

std::string g_input;  // what a sanitizer's report is about

[[maybe_unused]] void tell_input() { std::fprintf(stderr, "== with %s\n", g_input.c_str()); }

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  if (!fs::is_directory(folder)) return names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// What is violated; empty for nothing.
std::string violated(const fuzz::Target& target, const std::string& path) {
  g_input = path;
  try {
    target.run(test::read_text(path));
    return {};
  } catch (const fuzz::Violation& violation) {
    return violation.what;
  } catch (const std::exception& error) {
    return error.what();
  }
}

class Tap {
 public:
  void test(bool is_ok, const std::string& name) {
    std::printf("%s %d - %s\n", is_ok ? "ok" : "not ok", ++count_, name.c_str());
    std::fflush(stdout);
    has_failed_ = has_failed_ || !is_ok;
  }
  void plan() const { std::printf("1..%d\n", count_); }
  [[nodiscard]] bool has_failed() const { return has_failed_; }

 private:
  int count_ = 0;
  bool has_failed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_corpus FOLDER\n");
    return 2;
  }
#ifdef FUZZ_UNDER_ASAN
  __sanitizer_set_death_callback(&tell_input);
#endif
  const fs::path corpus = argv[1];
  auto targets = fuzz::targets();
  std::sort(targets.begin(), targets.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  Tap tap;
  std::size_t all_inputs = 0;
  std::vector<std::string> known;
  for (const auto& target : targets) {
    known.push_back(target.name);
    const auto inputs = names_in(corpus / target.name);
    all_inputs += inputs.size();
    std::string failure = inputs.empty() ? "it has no corpus" : "";
    for (const auto& input : inputs) {
      const std::string what = violated(target, (corpus / target.name / input).string());
      if (!what.empty()) failure += "\n# " + input + ": " + what;
    }
    tap.test(failure.empty(),
             target.name + ": " + std::to_string(inputs.size()) + " inputs" + failure);
  }
  tap.test(names_in(corpus) == known, "every folder of the corpus has its target");
  tap.plan();
  std::printf("# fuzz corpus: %zu targets, %zu inputs\n", targets.size(), all_inputs);
  return tap.has_failed() ? 1 : 0;
}
