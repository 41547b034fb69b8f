#include "shim/cli/validate/node/cilium_settings.hpp"

#include "shim/cli/validate/document/edit.hpp"

namespace shim::validate {
namespace {

Json typed(std::string_view value) {
  if (value.empty()) return {};
  if (value == "true" || value == "false") return value == "true";
  return std::string(value);
}

std::string argument(const Setting& setting, std::string_view value) {
  return joined({"--", setting.option, "=", value});
}

}  // namespace

AgentSettings::Place AgentSettings::find(const Setting& setting) const {
  const auto place = [](Source source, std::string_view text) -> Place {
    return {text.empty() ? Source::nowhere : source, 0, text};
  };
  const bool has_option = !setting.option.empty();
  if (is_map_) return place(Source::value, has_option ? text_at(json_, setting.option) : "");
  const auto& arguments = elements_at(json_, "extraArgs");
  const std::string start = argument(setting, "");
  // The last one wins on a command line.
  for (std::size_t i = has_option ? arguments.size() : 0; i-- > 0;) {
    std::string_view text = scalar_text(arguments[i]);
    if (joined({text, "="}) == start) return {Source::argument, i, "true"};
    if (!text.starts_with(start)) continue;
    text.remove_prefix(start.size());
    return {Source::argument, i, text};
  }
  if (has_option) {
    const auto extra =
        place(Source::extra_config, text_at(json_, joined({"extraConfig/", setting.option})));
    if (extra.source != Source::nowhere) return extra;
  }
  return place(Source::value, setting.helm.empty() ? "" : text_at(json_, setting.helm));
}

std::string_view AgentSettings::get(const Setting& setting) const {
  const Place place = find(setting);
  return place.source == Source::nowhere ? setting.usual : place.text;
}

std::string AgentSettings::pointer(const Setting& setting) const {
  const Place place = find(setting);
  if (place.source == Source::argument) return "/extraArgs/" + std::to_string(place.argument);
  if (place.source == Source::extra_config) return joined({"/extraConfig/", setting.option});
  if (is_map_) return joined({"/", setting.option});
  return setting.helm.empty() ? "/extraArgs" : joined({"/", setting.helm});
}

bool AgentSettings::is_by_option(const Setting& setting) const {
  const Source source = find(setting).source;
  return is_map_ || source == Source::argument || source == Source::extra_config;
}

void AgentSettings::set(const Setting& setting, std::string_view value) {
  const Place place = find(setting);
  if (is_map_) {
    json_[std::string(setting.option)] = std::string(value);
  } else if (place.source == Source::argument) {
    json_["extraArgs"][place.argument] = argument(setting, value);
  } else if (place.source == Source::extra_config) {
    json_["extraConfig"][std::string(setting.option)] = std::string(value);
  } else if (!setting.helm.empty()) {
    set_at_path(json_, setting.helm, typed(value));
  } else {
    Json& arguments = json_["extraArgs"];
    if (!arguments.is_array()) arguments = Json::array();
    arguments.push_back(argument(setting, value));
  }
}

bool is_meant_for_plugin(const AgentSettings& agent) {
  return !agent.get(settings::kRouter4).empty() || !agent.get(settings::kRouter6).empty();
}

}  // namespace shim::validate
