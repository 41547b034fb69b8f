#pragma once
/// Keys that are in one object twice: whoever reads it takes the last one without a word. Pure.
#include <string_view>
#include <vector>

#include "shim/cli/validate/document/report.hpp"
#include "shim/cli/yaml.hpp"

namespace shim::validate {

/// The keys that are spelled alike. `json` is a text that parse_json reads.
std::vector<DuplicateKey> duplicate_keys(std::string_view json);

/// `where`: goes before both places.
void report_duplicates(const std::vector<DuplicateKey>& duplicates, std::string_view where,
                       const Report& report);

/// The keys of an object that differ in letter case only, which CNI plugins read as one.
void check_letter_case(const Json& object, const Report& report);

}  // namespace shim::validate
