// YAML as validate and generate read and write it: a document that was read is written so that it
// reads the same.
#include <nlohmann/json.hpp>

#include "shim/cli/yaml.hpp"
#include "test/fuzz/target.hpp"

namespace {

using fuzz::require;
using shim::Json;

void run(std::string_view text) {
  std::vector<shim::DuplicateKey> duplicates;
  const auto documents =
      fuzz::accepted<shim::YamlError>([&] { return shim::parse_yaml(text, &duplicates); });
  if (!documents) return;
  for (const auto& duplicate : duplicates)
    require(duplicate.document < documents->size() + 1 && !duplicate.path.empty(),
            "a duplicate key nowhere");
  for (const auto& document : *documents) {
    const std::string written = shim::print_yaml(document);
    require(written.ends_with('\n'), "no line feed at the end");
    const auto again = fuzz::accepted<shim::YamlError>([&] { return shim::parse_yaml(written); });
    require(again.has_value(), "what is written is not read: " + written);
    require(*again == std::vector<Json>{document}, "a document is written as another: " + written);
  }
}

const fuzz::Registration kTarget("yaml", &run);

}  // namespace
