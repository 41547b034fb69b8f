#pragma once
/// What becomes, or became, of each pod in one word, and how many pods of each there are. The words
/// of a command stand in one list, the worst first. Pure.
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "shim/cni/protocol/json_text.hpp"

namespace shim::inspect {

using OutcomeNames = std::span<const std::string_view>;
using OutcomeCounts = std::span<const std::size_t>;

/// The place of what --outcome says, in any letter case; nullopt without the option. `listed`: the
/// names for people.
/// Errors: throws UsageError for what is none of them.
std::optional<std::size_t> read_outcome(const std::string& option, OutcomeNames names,
                                        std::string_view listed);

/// "20 KEPT, 1 NEW, 0 CHANGED": the best first.
std::string print_totals(OutcomeNames names, OutcomeCounts counts);

/// {"CHANGED": 0, "NEW": 1, "KEPT": 20}
Json totals_json(OutcomeNames names, OutcomeCounts counts);

}  // namespace shim::inspect
