// flanneld writes subnet.env, Flannel's plugin on the host reads it: both must mean one file.
#include <algorithm>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cli/validate/node/together.hpp"

namespace shim::validate {
namespace {

constexpr std::string_view kUsualFile = "/run/flannel/subnet.env";

/// What a flanneld is told; the pointer is that of its arguments.
struct Flanneld {
  std::string pointer;
  std::string_view file = kUsualFile;
  std::vector<std::string> mounts;
};

/// An argument goes before it.
void read_environment(const Json& container, Flanneld& daemon) {
  for (const auto& variable : elements(container, "env")) {
    if (text_member(variable, "name") == "FLANNELD_SUBNET_FILE")
      daemon.file = text_member(variable, "value");
  }
}

void read_arguments(const Json& object, Flanneld& daemon) {
  const auto& arguments = elements(object, "args");
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view text = scalar_text(arguments[i]);
    if (text.starts_with("--")) text.remove_prefix(1);  // Go takes both
    if (text.starts_with("-subnet-file=")) {
      daemon.file = text.substr(text.find('=') + 1);
    } else if (text == "-subnet-file" && i + 1 < arguments.size()) {
      daemon.file = scalar_text(arguments[i + 1]);
    }
  }
}

/// The container that runs flanneld.
std::optional<Flanneld> flanneld_of(const Json& daemon_set) {
  const Json* pod = at_path(daemon_set, "spec/template/spec");
  if (pod == nullptr) return std::nullopt;
  const auto& containers = elements(*pod, "containers");
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const auto& command = elements(containers[i], "command");
    if (command.empty() || !scalar_text(command.front()).ends_with("flanneld")) continue;
    Flanneld daemon;
    daemon.pointer = "/spec/template/spec/containers/" + std::to_string(i);
    read_environment(containers[i], daemon);
    read_arguments(containers[i], daemon);
    for (const auto& mount : elements(containers[i], "volumeMounts"))
      daemon.mounts.push_back(clean_path(text_member(mount, "mountPath")));
    return daemon;
  }
  return std::nullopt;
}

/// The chart mounts this folder and no other.
Flanneld flanneld_of_values(const Json& values) {
  Flanneld daemon;
  daemon.mounts = {"/run/flannel"};
  daemon.pointer = "/args";
  read_arguments(values, daemon);
  return daemon;
}

}  // namespace

void check_flanneld(const Part& part, const Context& context, const Report& report) {
  const bool is_values = part.kind == PartKind::flannel_values;
  const auto daemon =
      is_values ? std::optional(flanneld_of_values(*part.json)) : flanneld_of(*part.json);
  if (!daemon) return;
  // With values somebody else may patch what the chart makes of them.
  const auto tell = [&](Words message) {
    if (is_values) {
      report.warned(rules::kFlannelSubnetFile, {daemon->pointer}, message);
    } else {
      report.found(rules::kFlannelSubnetFile, {daemon->pointer}, message);
    }
  };
  const std::string written = clean_path(daemon->file);
  for (const auto& network : context.documents->networks) {
    const Json* plugin = find_plugin_of(network.json, "flannel");
    if (plugin == nullptr) continue;
    const std::string_view given = text_member(*plugin, "subnetFile");
    const std::string read = clean_path(given.empty() ? kUsualFile : given);
    if (read == written) continue;
    tell({"flanneld writes ", written, ", but the conflist reads ", read});
    return;
  }
  const bool is_mounted =
      std::any_of(daemon->mounts.begin(), daemon->mounts.end(),
                  [&](const std::string& folder) { return lies_in(written, folder); });
  if (!is_mounted)
    tell({written, " is written into the container: no folder of the host is there"});
}

}  // namespace shim::validate
