// What makes a network of a file: list or single conf, name, version, and what completes it.
#include <algorithm>

#include "shim/cli/drop_ins.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cni/protocol/environment.hpp"
#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/version.hpp"

namespace shim::validate {
namespace {

std::string_view first_type(const Json& list) {
  const auto& plugins = elements(list, "plugins");
  return plugins.empty() ? std::string_view() : text_member(plugins.front(), "type");
}

const char* usual_name(const Json& list) {
  const std::string_view type = first_type(list);
  if (type == "cilium-cni") return "cilium";
  return type == "flannel" ? "cbr0" : "pods";
}

/// Two networks of one file that have no name must not get the same one: it is their folder's.
std::string free_name(const Network& network) {
  const std::string name = usual_name(network.json);
  const std::string index = network.within.substr(network.within.rfind('/') + 1);
  return index.empty() || index == "0" ? name : name + "-" + index;
}

const char* usual_version(const Json& list) {
  return first_type(list) == "cilium-cni" ? "0.3.1" : "1.0.0";
}

/// The list that a single conf means.
Json wrapped(const Json& conf) {
  Json list = Json::object();
  Json plugin = Json::object();
  for (const auto& [key, value] : entries(conf)) {
    const bool is_lists = same_key(key, "cniVersion") || same_key(key, "name") ||
                          same_key(key, "cniVersions") || same_key(key, "disableCheck");
    (is_lists ? list : plugin)[key] = value;
  }
  list["plugins"] = list_of(std::move(plugin));
  return list;
}

void check_list_name(const Network& network, File& file, const Report& report) {
  const bool is_conf_name = file.base.ends_with(".conf") || file.base.ends_with(".json");
  if (network.is_for_multus() || network.origin != Origin::file || !is_conf_name ||
      file.base == "cni-conf.json")
    return;
  if (file.drop_in) {
    report.found(
        rules::kListInConf, {},
        {"a list of plugins among the drop-in files of ", file.drop_in->network,
         ": each of them is one plugin's object, and with this one the whole network fails"},
        "write each plugin into a file of its own there, or the list into a file above that "
        "ends in .conflist");
    return;
  }
  report.found(rules::kListInConf, {},
               {"a list of plugins in ", file.base,
                ": runtimes look for lists in files that end in .conflist"});
  file.needs_other_name = true;
}

void check_file(Network& network, File& file, const Report& report) {
  if (!network.is_single) return check_list_name(network, file, report);
  network.json = wrapped(network.json);
  if (network.is_for_multus()) {
    if (!network.original.is_null()) network.original = network.json;
  } else if (network.origin == Origin::file && !file.base.ends_with(".conflist")) {
    // Under its name a list would not be read: it is wrapped only beside a mistake.
    network.original = network.json;
    report.found(rules::kSingleConf, {},
                 {"a single conf: the CNI specification has dropped it, and no other plugin can be "
                  "chained to it"});
  } else {
    report.found(rules::kConfInConflist, {},
                 {"a single conf in ",
                  network.origin == Origin::file ? "a file that ends in .conflist"
                                                 : "what becomes a .conflist",
                  ": runtimes find no \"plugins\" in it"});
  }
}

std::string made_valid(std::string_view name) {
  std::string valid;
  for (const char c : name) {
    valid += c;
    if (is_identifier(valid)) continue;
    valid.pop_back();
    if (!valid.empty()) valid += '-';
  }
  return valid;
}

void check_name(Network& network, const Report& report) {
  const Json* name = find_member(network.json, "name");
  const std::string text(text_member(network.json, "name"));
  const auto at = spelled(network.json, "name");
  const bool is_missing = name == nullptr || (name->is_string() && text.empty());
  if (is_missing && is_identifier(network.object_name)) {
    // Multus puts it in; in the file it stays away.
    set_member(network.json, "name", network.object_name);
    if (!network.original.is_null()) set_member(network.original, "name", network.object_name);
    network.is_name_implied = true;
    return;
  }
  if (is_missing) {
    report.found(rules::kNameMissing, {"/", at}, {"the network has no name"});
  } else if (!is_identifier(text)) {
    report.found(rules::kNameBad, {"/", at},
                 {name->is_string() ? go_quoted(text) + " is no name for a network"
                                    : must_be("a string", *name)});
  } else {
    return;
  }
  const std::string valid = made_valid(text);
  set_member(network.json, "name", valid.empty() ? free_name(network) : valid);
}

void check_version(Network& network, const Report& report) {
  const Json* version = find_member(network.json, "cniVersion");
  if (version == nullptr) {
    if (!elements(network.json, "cniVersions").empty()) return;
    report.found(rules::kVersionMissing, {"/cniVersion"}, {"without it runtimes take 0.1.0"});
    return;
  }
  const auto text = text_member(network.json, "cniVersion");
  if (is_supported(text)) return;
  report.found(rules::kVersionUnknown, {"/", spelled(network.json, "cniVersion")},
               {version->is_string() ? "no plugin here speaks CNI " + go_quoted(text)
                                     : must_be("a string", *version)});
  set_member(network.json, "cniVersion", usual_version(network.json));
}

/// A list without "plugins": what completes it lies in a folder beside it.
void check_completed(const Network& network, const File& file, const Documents& documents,
                     const Report& report) {
  const auto inlined = loads_only_inlined(network.json);
  if (inlined != false) {
    report.found(
        rules::kPlugins, {"/loadOnlyInlinedPlugins"},
        {inlined ? "it is true, but there are no plugins in the list" : "must be true or false"},
        "write \"plugins\", or take it out so that the files of the folder count");
    return;
  }
  const std::string_view name = text_member(network.json, "name");
  const auto& files = documents.files;
  const bool has_some = std::any_of(files.begin(), files.end(), [&](const File& one) {
    return one.drop_in && one.drop_in->network == name;
  });
  if (has_some) return;
  const auto slash = file.name.rfind('/');
  const std::string folder =
      joined({slash == std::string::npos ? "" : file.name.substr(0, slash + 1), name});
  report.found(rules::kDropInsMissing, {},
               {"the list has no \"plugins\": they come from ", folder,
                "/*.conf beside it, and there is none"});
}

void check_drop_in(const File& file, const Report& report) {
  const std::string& list = file.drop_in->unread_because_of;
  if (list.empty()) return;
  report.found(rules::kDropInUnread, {},
               {"nobody reads it: ", list, " in the folder above says loadOnlyInlinedPlugins"});
}

}  // namespace

/// "must be a string, but is a number"
std::string must_be(std::string_view wanted, const Json& value) {
  return joined({"must be ", wanted, ", but is ", type_name(value)});
}

bool check_form(Network& network, Documents& documents, const Report& report) {
  File& file = documents.files[network.file];
  if (network.is_drop_in) {
    check_drop_in(file, report);
    return true;
  }
  check_file(network, file, report);
  check_name(network, report);
  check_version(network, report);
  // Multus looks for plugins in the configuration alone.
  const bool may_be_completed = !network.is_single && !network.is_for_multus();
  if (!may_be_completed || find_member(network.json, "plugins") != nullptr) return true;
  check_completed(network, file, documents, report);
  return false;
}

}  // namespace shim::validate
