// YurtHub answers an offline node out of its cache: only for components that it caches for.
#include <algorithm>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/node/together.hpp"

namespace shim::validate {

void check_yurthub(Part& part, const Context& context, const Report& report) {
  if (!context.has_cilium) return;
  const std::string_view agents = text_at(*part.json, part.key);
  const auto list = split_list(agents);
  const bool is_cached = std::any_of(list.begin(), list.end(), [](std::string_view agent) {
    return agent == "cilium-agent" || agent == "*";
  });
  if (is_cached) return;
  report.found(
      rules::kYurthub, {"/", part.key},
      {"YurtHub keeps nothing for cilium-agent: after a reboot without the cloud the agent "
       "does not start, and no pod gets an address"});
  (*part.json)[part.key] = joined({agents, agents.empty() ? "" : ",", "cilium-agent"});
}

}  // namespace shim::validate
