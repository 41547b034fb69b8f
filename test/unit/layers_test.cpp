// Which folder may include what: the arrows of the folder map, read off the #include lines.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
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
    all["allocator/store/survey"] = below("allocator/store");
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
    all["shim/cli/generate"] = below("shim/cli");
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
