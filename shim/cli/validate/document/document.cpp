#include "shim/cli/validate/document/document.hpp"

#include <algorithm>

#include "shim/cli/validate/document/duplicates.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/document/recognition.hpp"
#include "shim/cli/yaml.hpp"

namespace shim::validate {
namespace {

/// `what` with the end of the text as its place: where it ends too early the library names none.
std::string with_place(std::string_view what, std::string_view text) {
  if (what.starts_with("line ")) return std::string(what);
  const auto lines = std::count(text.begin(), text.end(), '\n');
  const std::size_t column = text.size() - (text.rfind('\n') + 1);
  return joined({"line ", std::to_string(lines + 1), ", column ",
                 std::to_string(std::max<std::size_t>(column, 1)), ": ", what});
}

void report_syntax(const Report& report, std::string_view what, std::string_view text) {
  const bool is_template = text.find("{{") != std::string_view::npos;
  report.found(rules::kSyntax, {}, {with_place(what, text)},
               is_template ? "this is a template: validate what is rendered from it" : "");
}

class Collector {
 public:
  Collector(Documents& documents, Findings& findings, std::size_t file)
      : all_(documents), findings_(findings), file_(file) {}

  /// Sorts one document of the file.
  void document(Json& document, const std::string& pointer) {
    if (!is_known(document, pointer))
      report(pointer).found(rules::kUnknown, {}, {"no rule knows what this is"});
  }

 private:
  [[nodiscard]] Report report(const std::string& pointer) const {
    return {findings_, file_, pointer};
  }

  bool is_known(Json& document, const std::string& pointer) {
    if (!document.is_object()) return false;
    const std::string kind(text_member(document, "kind"));
    if (!kind.empty()) {
      manifest(document, kind, pointer);
      return true;
    }
    if (add_delegates(document, document, pointer, Origin::file)) return true;
    if (looks_like_conf(document)) {
      Network& network = add_network(document, document, pointer, Origin::file);
      const auto& drop_in = all_.files[file_].drop_in;
      if (drop_in && network.is_single) make_drop_in(network, *drop_in);
      return true;
    }
    return patch(document, pointer) || values(document, pointer);
  }

  /// A patch of a ConfigMap has what it changes, and neither its kind nor, often, its name.
  bool patch(Json& document, const std::string& pointer) {
    const auto before = all_.networks.size() + all_.parts.size();
    if (object_member(document, "data") != nullptr) config_map(document, pointer);
    return all_.networks.size() + all_.parts.size() != before;
  }

  void manifest(Json& document, const std::string& kind, const std::string& pointer) {
    if (kind.ends_with("List")) {  // kubectl's, and typed ones
      Json* items = member(document, "items");
      for (std::size_t i = 0; items != nullptr && items->is_array() && i < items->size(); ++i)
        is_known((*items)[i], pointer + "/items/" + std::to_string(i));
    } else if (kind == "ConfigMap") {
      config_map(document, pointer);
    } else if (kind == "NetworkAttachmentDefinition") {
      Json* spec = object_member(document, "spec");
      Json* config = spec == nullptr ? nullptr : member(*spec, "config");
      if (config == nullptr) return;
      const std::string name(text_at(document, "metadata/name"));
      add_text(*config, "config", pointer + "/spec", Origin::attachment, name);
    } else if (kind == "DaemonSet") {
      add_part(PartKind::flannel_daemon, document, pointer);
    } else if (kind == "Cluster" && text_member(document, "apiVersion").starts_with("kind.")) {
      add_part(PartKind::kind_cluster, document, pointer);
    } else {
      for (const auto& inner : open_container(document, kind, all_.texts, report(pointer)))
        add_inner(inner, pointer + inner.pointer);
    }
  }

  void add_inner(const Inner& inner, const std::string& pointer) {
    if (inner.kind == Inner::Kind::values) {
      values(*inner.json, pointer, inner.chart);
    } else if (looks_like_conf(*inner.json)) {
      add_network(*inner.json, *inner.json, pointer, Origin::attachment);
    }
  }

  void config_map(Json& document, const std::string& pointer) {
    const std::string owner(text_at(document, "metadata/name"));
    Json* data = object_member(document, "data");
    if (data == nullptr) return;
    if (owner == "cilium-config") add_part(PartKind::cilium_config, *data, pointer + "/data");
    const bool is_yurthub = owner.empty() && find_member(*data, "cache_agents") != nullptr;
    if (owner == "yurt-hub-cfg" || is_yurthub)
      add_part(PartKind::yurthub, *data, pointer + "/data", "cache_agents");
    // One by one: there may be a key for each of ten thousand nodes, and letter case counts.
    for (auto& [key, value] : data->get_ref<Json::object_t&>())
      add_text(value, key, pointer + "/data", Origin::config_map, owner);
  }

  /// `chart`: whose they are, where something says so.
  bool values(Json& document, const std::string& pointer, std::string_view chart = {}) {
    bool known = false;
    unfold_dotted_keys(document, report(pointer));
    if (Json* flannel = object_member(document, "flannel")) {
      known = true;
      Json* inner = object_member(*flannel, "flannel");  // as a chart below another one
      if (inner != nullptr) flannel = inner;
      const std::string place = pointer + (inner != nullptr ? "/flannel/flannel" : "/flannel");
      add_part(PartKind::flannel_values, *flannel, place);
      if (Json* conf = member(*flannel, "cniConf"))
        add_text(*conf, "cniConf", place, Origin::flannel_values);
    }
    Json* yurthub = object_member(document, "yurthub");
    if (yurthub != nullptr || at_path(document, "cacheAgents") != nullptr) {
      known = true;
      add_part(PartKind::yurthub, yurthub != nullptr ? *yurthub : document,
               yurthub != nullptr ? pointer + "/yurthub" : pointer, "cacheAgents");
    }
    // Comes last: a setting that is added to the whole document moves the members of the others.
    Json* cilium = object_member(document, "cilium");  // as a chart below another one
    const bool is_ciliums = chart.empty() ? looks_like_cilium_values(document)
                                          : chart.find("cilium") != std::string_view::npos;
    if (cilium != nullptr || is_ciliums) {
      known = true;
      add_part(PartKind::cilium_values, cilium != nullptr ? *cilium : document,
               cilium != nullptr ? pointer + "/cilium" : pointer);
    }
    return known;
  }

  void add_part(PartKind kind, Json& json, const std::string& pointer, std::string key = {}) {
    all_.parts.push_back({kind, file_, pointer, &json, std::move(key)});
  }

  /// `conf`: what is in `home`, or in its text.
  Network& add_network(Json& home, const Json& conf, const std::string& pointer, Origin origin) {
    Network& network = all_.networks.emplace_back();
    network.file = file_;
    network.pointer = pointer;
    network.origin = origin;
    network.json = network.original = conf;
    network.is_single = is_single_conf(conf);
    network.is_text = home.is_string();
    network.home = &home;
    return network;
  }

  /// Name and version are the list's, whatever the file says.
  static void make_drop_in(Network& network, const Input::DropIn& drop_in) {
    network.is_drop_in = true;
    network.json = object_of("cniVersion", drop_in.cni_version);
    network.json["name"] = drop_in.network;
    network.json["plugins"] = list_of(*network.home);
    network.original = network.json;
  }

  /// The networks of Multus' own configuration, which `home` holds; false when it is none.
  bool add_delegates(Json& home, const Json& conf, const std::string& pointer, Origin origin) {
    const auto delegates = delegates_of_multus(conf);
    for (const auto& within : delegates) {
      Network& network =
          add_network(home, conf.at(Json::json_pointer(within)), pointer + within, origin);
      network.within = within;
    }
    return !delegates.empty();
  }

  /// A network in the text of a member, where there is one. `owner`: the object's name.
  void add_text(Json& value, const std::string& key, const std::string& pointer, Origin origin,
                const std::string& owner = {}) {
    const std::string place = joined({pointer, "/", escaped(key)});
    Json parsed = value;
    if (value.is_string()) {
      const std::string_view text = scalar_text(value);
      if (!looks_like_conf_text(text)) return;
      try {
        parsed = parse_json(text);
        report_duplicates(duplicate_keys(text), "in the text ", report(place));
      } catch (const JsonSyntaxError& error) {
        report(place).found(rules::kSyntax, {}, {"in the text: ", with_place(error.what(), text)});
        return;
      }
    }
    if (add_delegates(value, parsed, place, origin) || !looks_like_conf(parsed)) return;
    if (origin == Origin::config_map && !has_place_for_ipam(parsed)) return;
    Network& network = add_network(value, parsed, place, origin);
    network.is_text = true;  // what is an object becomes text
    (network.is_for_multus() ? network.object_name : network.owner) = owner;
    network.key = key;
    if (value.is_string()) return;
    report(place).found(rules::kTextExpected, {}, {"must be text, but is an object"});
    network.original = nullptr;  // to be written in any case
  }

  Documents& all_;
  Findings& findings_;
  std::size_t file_;
};

void report_in_stream(const std::vector<DuplicateKey>& duplicates, bool is_stream,
                      const Report& report) {
  for (const auto& one : duplicates)
    report_duplicates({one}, "",
                      is_stream ? report.below({"/", std::to_string(one.document)}) : report);
}

void parse(const Input& input, File& file, const Report& report) {
  const bool is_json_name = file.base.ends_with(".json") || file.base.ends_with(".conf") ||
                            file.base.ends_with(".conflist");
  const auto first = input.text.find_first_not_of(" \t\r\n");
  const bool looks_json =
      first != std::string::npos && (input.text[first] == '{' || input.text[first] == '[');
  const bool is_yaml_name = file.base.ends_with(".yaml") || file.base.ends_with(".yml");
  file.is_yaml = !is_json_name && (!looks_json || is_yaml_name);
  try {
    if (file.is_yaml) {
      std::vector<DuplicateKey> duplicates;
      file.documents = parse_yaml(input.text, &duplicates);
      report_in_stream(duplicates, file.documents.size() > 1, report);
    } else {
      file.documents.push_back(parse_json(input.text));
      report_duplicates(duplicate_keys(input.text), "", report);
    }
    if (file.documents.empty()) report.found(rules::kUnknown, {}, {"it is empty"});
  } catch (const std::runtime_error& error) {  // YamlError, JsonSyntaxError
    report_syntax(report, error.what(), input.text);
  }
  file.as_read = file.documents;
}

}  // namespace

Documents read_documents(const std::vector<Input>& inputs, Findings& findings) {
  Documents documents;
  documents.files.reserve(inputs.size());
  for (const auto& input : inputs) {
    const std::size_t index = documents.files.size();
    File& file = documents.files.emplace_back();
    file.name = input.name;
    file.drop_in = input.drop_in;
    if (input.name != "-") file.base = input.name.substr(input.name.find_last_of('/') + 1);
    parse(input, file, Report(findings, index, ""));
    Collector collector(documents, findings, index);
    const bool is_stream = file.documents.size() > 1;
    for (std::size_t i = 0; i < file.documents.size(); ++i)
      collector.document(file.documents[i], is_stream ? "/" + std::to_string(i) : "");
  }
  return documents;
}

}  // namespace shim::validate
