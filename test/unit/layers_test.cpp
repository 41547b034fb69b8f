// Which folder may include what: the arrows of the folder map, read off the #include lines.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "test/unit/catch.hpp"

namespace {

/// Files below `where` (and not below `except`) must not include anything whose path starts with
/// `what`.
struct Rule {
  std::string where;
  std::string except;
  std::string what;
};

struct Include {
  std::string file;
  std::string included;
};

bool is_below(const std::string& path, const std::string& folder) {
  return !folder.empty() && path.starts_with(folder);
}

std::string included_path(const std::string& line) {
  if (!line.starts_with("#include")) return {};
  const auto start = line.find_first_of("<\"");
  const auto end = line.find_first_of(">\"", start + 1);
  return start == std::string::npos ? "" : line.substr(start + 1, end - start - 1);
}

/// Every #include line of the product.
std::vector<Include> all_includes() {
  const std::filesystem::path root = SOURCE_DIR;
  std::vector<Include> includes;
  for (const char* folder : {"allocator", "delegate", "shim"}) {
    if (!std::filesystem::exists(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".hpp") continue;
      const std::string name = std::filesystem::relative(entry.path(), root).string();
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        const std::string included = included_path(line);
        if (!included.empty()) includes.push_back({name, included});
      }
    }
  }
  return includes;
}

}  // namespace

TEST_CASE("no folder includes what it must not know", "[layers]") {
  const std::vector<Rule> rules = {
      {"allocator/", "allocator/store/", "allocator/store/"},
      {"allocator/", "", "shim/"},
      {"allocator/", "", "delegate/"},
      {"allocator/", "", "nlohmann/"},
      {"delegate/", "", "shim/"},
      {"delegate/", "", "allocator/"},
      {"", "shim/", "nlohmann/"},
      {"", "shim/cni/protocol/log.cpp", "spdlog/"},
      {"", "shim/cli/command_line.cpp", "CLI/"},
      {"", "shim/cli/yaml.cpp", "yaml.h"},
      {"", "delegate/process.cpp", "boost/"},
      {"shim/cni/", "", "shim/cli/"},
  };
  const auto includes = all_includes();
  REQUIRE(includes.size() > 100);
  for (const auto& [file, included] : includes) {
    for (const auto& rule : rules) {
      if (!file.starts_with(rule.where) || is_below(file, rule.except)) continue;
      INFO(file << " includes " << included);
      CHECK_FALSE(included.starts_with(rule.what));
    }
  }
}

TEST_CASE("the third-party headers are where the rules expect them", "[layers]") {
  const auto includes = all_includes();
  const auto has = [&](const std::string& file, const std::string& what) {
    return std::any_of(includes.begin(), includes.end(), [&](const Include& include) {
      return include.file.starts_with(file) && include.included.starts_with(what);
    });
  };
  CHECK(has("shim/cni/protocol/log.cpp", "spdlog/"));
  CHECK(has("shim/cni/", "nlohmann/"));
}
