#include "shim/cli/inspect/output/outcomes.hpp"

#include <nlohmann/json.hpp>

#include "shim/cli/command.hpp"
#include "shim/cli/inspect/output/table.hpp"

namespace shim::inspect {

std::optional<std::size_t> read_outcome(const std::string& option, OutcomeNames names,
                                        std::string_view listed) {
  if (option.empty()) return std::nullopt;
  for (std::size_t number = 0; number < names.size(); ++number) {
    if (same_key(names[number], option)) return number;
  }
  refuse_option("--outcome", option, "is none; write " + std::string(listed));
}

std::string print_totals(OutcomeNames names, OutcomeCounts counts) {
  std::string text;
  for (std::size_t number = names.size(); number-- > 0;) {
    text.append(text.empty() ? "" : ", ").append(std::to_string(counts[number]));
    text.append(" ").append(names[number]);
  }
  return text;
}

Json totals_json(OutcomeNames names, OutcomeCounts counts) {
  Json totals = Json::object();
  for (std::size_t number = 0; number < names.size(); ++number)
    put(totals, names[number], counts[number]);
  return totals;
}

}  // namespace shim::inspect
