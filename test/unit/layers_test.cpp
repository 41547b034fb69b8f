// Which folder may include what: the arrows of the folder map, read off the #include lines.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "test/unit/catch.hpp"

namespace {

/// What a folder's files may include of ours, beside each other.
using Arrows = std::map<std::string, std::set<std::string>>;

const Arrows& arrows() {
  static const Arrows kArrows = [] {
    // Pure code, and what stands on the disk.
    Arrows all = {
        {"allocator", {}},
        {"allocator/store/disk", {}},
        {"allocator/store/index", {"allocator", "allocator/store/disk"}},
        {"allocator/store/state", {"allocator", "allocator/store/disk", "allocator/store/index"}},
        {"delegate", {}},
    };
    const auto below = [&](const std::string& folder, std::set<std::string> more = {}) {
      std::set<std::string> found = all.at(folder);
      found.insert(folder);
      found.merge(more);
      return found;
    };
    all["allocator/store/alive"] = below("allocator/store/state");
    all["allocator/store"] = below("allocator/store/alive");
    all["allocator/store/delegates"] = below("allocator/store");
    all["allocator/store/hand"] = below("allocator/store");
    all["allocator/store/repair"] = below("allocator/store");
    all["allocator/store/survey"] = below("allocator/store/repair");
    // The plugin.
    all["shim/cni/protocol"] = {"allocator", "allocator/store/disk"};
    all["shim/cni/result"] = below("shim/cni/protocol", {"allocator/store/state"});
    all["shim/cni/announce"] = below("shim/cni/protocol");
    all["shim/cni/conf"] =
        below("shim/cni/result", {"allocator/store", "allocator/store/delegates"});
    all["shim/cni/verbs"] =
        below("shim/cni/conf", {"allocator/store/alive", "delegate", "shim/cni/announce"});
    all["shim/cni"] = below("shim/cni/verbs");
    // The operator's tool: it knows the plugin's configuration, and starts the plugin.
    all["shim/cli"] = below("shim/cni/conf", {"shim/cni"});
    all["shim/cli/streams"] = {};
    all["shim/cli/install"] = below("shim/cli");
    all["shim/cli/generate"] = below("shim/cli/install");
    all["shim/cli/validate/document"] = below("shim/cli/generate");
    all["shim/cli/validate/network"] = below("shim/cli/validate/document");
    all["shim/cli/validate/node"] = below("shim/cli/validate/network");
    all["shim/cli/validate"] = below("shim/cli/validate/node");
    all["shim/cli/inspect/output"] = below("shim/cli");
    all["shim/cli/inspect/networks"] =
        below("shim/cli/inspect/output",
              {"allocator/store/survey", "shim/cli/validate/document", "shim/cni/verbs"});
    all["shim/cli/inspect"] =
        below("shim/cli/inspect/networks", {"allocator/store/alive", "shim/cni/announce"});
    all["shim/cli/inspect/plan"] = below("shim/cli/inspect");
    all["shim/cli/change/gc"] = below("shim/cli/inspect/networks");
    all["shim/cli/change"] = below("shim/cli/inspect", below("shim/cli/validate"));
    all["shim/cli/change"].insert({"shim/cli/change/gc", "allocator/store/repair"});
    all["shim"] = below("shim/cli", {"shim/cni/announce", "delegate"});
    return all;
  }();
  return kArrows;
}

/// Headers of others, and the only place that may include them: a folder with "/" at its end, or a
/// file.
const std::map<std::string, std::string>& third_party() {
  static const std::map<std::string, std::string> kPlaces = {
      {"nlohmann/", "shim/"},
      {"spdlog/", "shim/cni/protocol/log.cpp"},
      {"CLI/", "shim/cli/command_line.cpp"},
      {"yaml.h", "shim/cli/yaml.cpp"},
      {"boost/", "delegate/process.cpp"},
  };
  return kPlaces;
}

struct Include {
  std::string file;
  std::string included;
};

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::string included_path(const std::string& line) {
  if (!line.starts_with("#include")) return {};
  const auto start = line.find_first_of("<\"");
  const auto end = line.find_first_of(">\"", start + 1);
  return start == std::string::npos ? "" : line.substr(start + 1, end - start - 1);
}

/// The product's sources, by their paths in the repository.
std::vector<std::string> sources() {
  const std::filesystem::path root = SOURCE_DIR;
  std::vector<std::string> files;
  for (const char* folder : {"allocator", "delegate", "shim"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".hpp") continue;
      files.push_back(std::filesystem::relative(entry.path(), root).string());
    }
  }
  return files;
}

/// Every #include line of the product.
std::vector<Include> all_includes() {
  std::vector<Include> includes;
  for (const auto& name : sources()) {
    std::ifstream file(std::filesystem::path(SOURCE_DIR) / name);
    for (std::string line; std::getline(file, line);) {
      const std::string included = included_path(line);
      if (!included.empty()) includes.push_back({name, included});
    }
  }
  return includes;
}

/// The function that a line at the margin begins: "name" of "type name(...". "" if it begins none.
std::string function_of(const std::string& line) {
  const auto bracket = line.find('(');
  if (bracket == std::string::npos || line.find('=') < bracket) return "";
  if (std::string(" /#}").find(line.front()) != std::string::npos) return "";
  auto begin = bracket;
  while (begin > 0 &&
         (std::isalnum(static_cast<unsigned char>(line[begin - 1])) != 0 || line[begin - 1] == '_'))
    --begin;
  if (begin == 0 || line[begin - 1] == ':') return "";  // a member's, or no type before it
  return line.substr(begin, bracket - begin);
}

/// The functions that a file has for itself (in an unnamed namespace), or that a header declares.
std::set<std::string> functions_in(const std::string& name) {
  std::set<std::string> found;
  std::ifstream file(std::filesystem::path(SOURCE_DIR) / name);
  bool counts = name.ends_with(".hpp");
  for (std::string line; std::getline(file, line);) {
    if (line == "namespace {") counts = true;
    if (line == "}  // namespace") counts = false;
    if (counts && !line.empty()) found.insert(function_of(line));
  }
  found.erase("");
  return found;
}

bool is_ours(const std::string& included) {
  return included.starts_with("allocator/") || included.starts_with("delegate/") ||
         included.starts_with("shim/");
}

}  // namespace

TEST_CASE("no folder includes what it must not know", "[layers]") {
  const auto includes = all_includes();
  REQUIRE(includes.size() > 100);
  for (const auto& [file, included] : includes) {
    INFO(file << " includes " << included);
    REQUIRE(arrows().contains(folder_of(file)));
    if (!is_ours(included) || folder_of(file) == folder_of(included)) continue;
    CHECK(arrows().at(folder_of(file)).contains(folder_of(included)));
  }
}

TEST_CASE("the arrows between folders make no circle", "[layers]") {
  for (const auto& [folder, known] : arrows()) {
    for (const auto& other : known) {
      INFO(folder << " and " << other);
      REQUIRE(arrows().contains(other));
      CHECK_FALSE(arrows().at(other).contains(folder));
    }
  }
}

TEST_CASE("a folder holds as many files as one can look over", "[layers]") {
  std::map<std::string, int> counts;
  for (const auto& name : sources()) ++counts[folder_of(name)];
  CHECK(counts.size() == arrows().size());
  for (const auto& [folder, count] : counts) {
    INFO(folder);
    CHECK(count <= 25);
  }
}

// The files of a folder are compiled as one (compile_folders_as_one): two types of a name are an
// error there, but two functions of a name might be taken for each other.
TEST_CASE("no two files of a folder have functions of one name for themselves", "[layers]") {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> holders;
  for (const auto& name : sources())
    for (const auto& function : functions_in(name))
      holders[{folder_of(name), function}].insert(name);
  REQUIRE(holders.size() > 1000);
  for (const auto& [key, files] : holders) {
    const auto own = std::count_if(files.begin(), files.end(),
                                   [](const auto& name) { return name.ends_with(".cpp"); });
    INFO(key.second << " in " << *files.begin() << " and " << *files.rbegin());
    CHECK((own == 0 || files.size() == 1));
  }
}

TEST_CASE("each third-party header is included in one place", "[layers]") {
  std::set<std::string> seen;
  for (const auto& [file, included] : all_includes()) {
    for (const auto& [header, place] : third_party()) {
      if (!included.starts_with(header)) continue;
      INFO(file << " includes " << included);
      CHECK((place.ends_with('/') ? file.starts_with(place) : file == place));
      seen.insert(header);
    }
  }
  CHECK(seen.size() == third_party().size());
}
