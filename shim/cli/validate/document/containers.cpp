#include "shim/cli/validate/document/containers.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "shim/cli/generate/generate.hpp"
#include "shim/cli/validate/document/duplicates.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/yaml.hpp"

namespace shim::validate {
namespace {

constexpr std::string_view kOurName = "delegated-ipam";

/// Charts whose values have rules.
bool is_known_chart(std::string_view chart) {
  const Words names = {"cilium", "flannel", "yurt"};
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    return chart.find(name) != std::string_view::npos;
  });
}

/// True when our name stands in it as something that is configured, not as an object's name.
bool names_us(const Json& value) {
  if (value.is_string()) {
    const std::string_view text = scalar_text(value);
    return text.find(kOurName) != std::string_view::npos &&
           text.find_first_of("{:") != std::string_view::npos &&
           text.find("type") != std::string_view::npos;
  }
  if (text_member(value, "type") == kOurName) return true;
  return value.is_structured() && std::any_of(value.begin(), value.end(), &names_us);
}

class Opener {
 public:
  Opener(InnerTexts& texts, const Report& report) : texts_(texts), report_(report) {}

  std::vector<Inner> take() { return std::move(found_); }

  /// Values at a path of keys: an object, or its text.
  void values(Json& object, const std::string& place, const char* path, const std::string& chart) {
    Json* value = const_cast<Json*>(at_path(object, path));
    if (value == nullptr || value->is_null()) return;
    const std::string pointer = joined({place, "/", path});
    if (value->is_object()) {
      found_.push_back({Inner::Kind::values, value, pointer, chart});
    } else if (Json* json = open_text(*value, pointer, true)) {
      found_.push_back({Inner::Kind::values, json, pointer, chart});
    }
  }

  /// A network's configuration, as text.
  void network(Json& object, const char* key, const std::string& pointer) {
    Json* value = member(object, key);
    if (value == nullptr) return;
    const std::string place = joined({pointer, "/", key});
    if (Json* json = open_text(*value, place, false))
      found_.push_back({Inner::Kind::network, json, place});
  }

  /// `spec.ipam` of a network whose other plugin configuration an operator writes.
  void ipam(Json& document, std::string_view type) {
    Json* spec = object_member(document, "spec");
    Json* value = spec == nullptr ? nullptr : member(*spec, "ipam");
    Json* json = value == nullptr ? nullptr : open_text(*value, "/spec/ipam", false);
    if (json == nullptr) return;
    Json conf = object_of("cniVersion", "0.3.1");
    conf["name"] = std::string(text_at(document, "metadata/name"));
    conf["type"] = std::string(type);
    conf["ipam"] = *json;
    InnerText& text = texts_.back();
    text.json = text.original = std::move(conf);
    text.member = "ipam";
    found_.push_back({Inner::Kind::network, &text.json, "/spec"});
  }

  void not_looked_at(Words pointer, Words what) const {
    report_.found(rules::kNotLookedAt, pointer, what);
  }

 private:
  Json* open_text(Json& value, const std::string& pointer, bool is_yaml) {
    if (!value.is_string()) {
      if (names_us(value)) report_.found(rules::kTextExpected, {pointer}, {"must be text"});
      return nullptr;
    }
    const std::string_view text = scalar_text(value);
    const Report report = report_.below({pointer});
    if (text.find("{{") != std::string_view::npos) {
      if (text.find(kOurName) != std::string_view::npos)
        report.found(rules::kNotLookedAt, {}, {"this is a template"});
      return nullptr;
    }
    Json json;
    try {
      json = is_yaml ? read_yaml(text, report) : read_json(text, report);
    } catch (const std::runtime_error& error) {  // YamlError, JsonSyntaxError
      report.found(rules::kSyntax, {}, {"in the text: ", error.what()});
      return nullptr;
    }
    if (!json.is_object()) return nullptr;
    return &texts_.emplace_back(InnerText{&value, json, json, is_yaml}).json;
  }

  static Json read_yaml(std::string_view text, const Report& report) {
    std::vector<DuplicateKey> duplicates;
    const auto documents = parse_yaml(text, &duplicates);
    report_duplicates(duplicates, "in the text ", report);
    return documents.empty() ? Json() : documents.front();
  }

  static Json read_json(std::string_view text, const Report& report) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return {};
    Json json = parse_json(text);
    report_duplicates(duplicate_keys(text), "in the text ", report);
    return json;
  }

  InnerTexts& texts_;
  const Report& report_;
  std::vector<Inner> found_;
};

/// An object of the manifest, and where it stands.
struct Place {
  Json& json;
  std::string pointer;
};

/// Settings by name and dots, as in --set, or from elsewhere: they come on top of the values.
void tell_of_settings(const Opener& opener, const Place& place, const char* path,
                      std::string_view chart) {
  const Json* value = at_path(place.json, path);
  if (value == nullptr || value->empty()) return;
  if (!is_known_chart(chart) && !names_us(*value)) return;
  opener.not_looked_at({place.pointer, "/", path}, {"they come on top of the values of ", chart});
}

std::string first_text(const Json& json, Words paths) {
  for (const auto path : paths) {
    if (const auto text = text_at(json, path); !text.empty()) return std::string(text);
  }
  return {};
}

/// `object` has the chart and its values at these paths, and at `more` what is not looked at.
void open_values(Opener& opener, const Place& place, Words chart_at, const char* values_at,
                 std::initializer_list<const char*> more) {
  const std::string chart = first_text(place.json, chart_at);
  opener.values(place.json, place.pointer, values_at, chart);
  for (const char* path : more) tell_of_settings(opener, place, path, chart);
}

/// `source` of Argo CD's Application.
void open_source(Opener& opener, const Place& place) {
  const Words chart = {"chart", "path"};
  if (at_path(place.json, "helm/valuesObject") != nullptr) {  // which wins over the text
    open_values(opener, place, chart, "helm/valuesObject",
                {"helm/values", "helm/parameters", "helm/valueFiles"});
  } else {
    open_values(opener, place, chart, "helm/values", {"helm/parameters", "helm/valueFiles"});
  }
}

/// What `open` makes of each element of a list.
template <typename Open>
void each_of(Json& object, const std::string& pointer, const char* key, Open open) {
  Json* list = member(object, key);
  for (std::size_t i = 0; list != nullptr && list->is_array() && i < list->size(); ++i)
    open(Place{list->at(i), joined({pointer, "/", key, "/", std::to_string(i)})});
}

void open_application(Opener& opener, const Place& place) {
  Json* spec = object_member(place.json, "spec");
  if (spec == nullptr) return;
  const std::string pointer = place.pointer + "/spec";
  if (Json* source = object_member(*spec, "source"))
    open_source(opener, {*source, pointer + "/source"});
  each_of(*spec, pointer, "sources", [&](const Place& source) { open_source(opener, source); });
}

void open_application_set(Opener& opener, Json& document) {
  Json* spec = object_member(document, "spec");
  if (Json* app = spec == nullptr ? nullptr : object_member(*spec, "template"))
    open_application(opener, {*app, "/spec/template"});
}

/// OpenShift's own Network: of its additional ones those that are raw.
void open_openshift(Opener& opener, Json& document) {
  Json* spec = object_member(document, "spec");
  if (spec == nullptr) return;
  each_of(*spec, "/spec", "additionalNetworks",
          [&](const Place& place) { opener.network(place.json, "rawCNIConfig", place.pointer); });
}

/// The plugin whose configuration an operator writes around `spec.ipam`; empty for other kinds.
std::string_view type_of_operator(std::string_view kind) {
  struct Operator {
    std::string_view kind, type;
  };
  constexpr std::array<Operator, 6> kOperators = {{{"SriovNetwork", "sriov"},
                                                   {"SriovIBNetwork", "ib-sriov"},
                                                   {"OVSNetwork", "ovs"},
                                                   {"MacvlanNetwork", "macvlan"},
                                                   {"IPoIBNetwork", "ipoib"},
                                                   {"HostDeviceNetwork", "host-device"}}};
  const auto* found = std::find_if(kOperators.begin(), kOperators.end(),
                                   [&](const Operator& one) { return one.kind == kind; });
  return found == kOperators.end() ? "" : found->type;
}

/// False when nobody knows the kind.
bool open_known(Opener& opener, Json& document, std::string_view kind) {
  const Place place{document, ""};
  if (kind == "HelmChart" || kind == "HelmChartConfig") {
    open_values(opener, place, {"spec/chart", "metadata/name"}, "spec/valuesContent",
                {"spec/set", "spec/valuesSecrets"});
  } else if (kind == "HelmRelease") {
    open_values(opener, place, {"spec/chart/spec/chart", "spec/chartRef/name", "metadata/name"},
                "spec/values", {"spec/valuesFrom"});
  } else if (kind == "Application") {
    open_application(opener, place);
  } else if (kind == "ApplicationSet") {
    open_application_set(opener, document);
  } else if (kind == "Kustomization") {
    each_of(document, "", "helmCharts", [&](const Place& chart) {
      open_values(opener, chart, {"name"}, "valuesInline", {"valuesFile"});
    });
  } else if (kind == "Network") {
    open_openshift(opener, document);
  } else if (const auto type = type_of_operator(kind); !type.empty()) {
    opener.ipam(document, type);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::vector<Inner> open_container(Json& document, const std::string& kind, InnerTexts& texts,
                                  const Report& report) {
  Opener opener(texts, report);
  const bool is_known = open_known(opener, document, kind);
  auto inner = opener.take();
  if (!is_known && names_us(document)) {
    report.found(rules::kNotLookedAt, {},
                 {"delegated-ipam is named in this ", kind, ", which no rule knows"});
  }
  return inner;
}

void write_back(InnerTexts& texts) {
  for (auto text = texts.rbegin(); text != texts.rend(); ++text) {
    if (text->json == text->original) continue;
    const Json json = text->member.empty() ? text->json : text->json.at(text->member);
    *text->home = text->is_yaml ? print_yaml(json) : conflist_text(json);
  }
}

}  // namespace shim::validate
