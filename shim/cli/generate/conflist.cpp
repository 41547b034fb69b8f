/// Conflists, for each plugin that calls an IPAM plugin.
#include <algorithm>
#include <array>

#include "shim/cli/command.hpp"
#include "shim/cli/generate/ipam.hpp"
#include "shim/cni/conf/delegate_conf.hpp"
#include "shim/cni/conf/net_conf.hpp"
#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/version.hpp"

namespace shim {
namespace {

using allocator::Family;

/// What containerd fills in when it knows the node's pod CIDRs.
constexpr const char* kRangesTemplate =
    "[{{range $i, $range := .PodCIDRRanges}}{{if $i}}, {{end}}[{\"subnet\": "
    "\"{{$range}}\"}]{{end}}]";
constexpr const char* kRoutesTemplate =
    "[{{range $i, $route := .Routes}}{{if $i}}, {{end}}{\"dst\": \"{{$route}}\"}{{end}}]";

constexpr const char* kPlace = "containerd's";  // until then

// The main plugins. The capability makes the runtime hand a pod's annotations to them.

constexpr const char* kFlannel = R"({
  "type": "flannel",
  "capabilities": {"io.kubernetes.cri.pod-annotations": true},
  "ipam": {},
  "delegate": {"hairpinMode": true, "isDefaultGateway": true}
})";

constexpr const char* kCilium = R"({
  "type": "cilium-cni",
  "enable-debug": false,
  "log-file": "/var/run/cilium/cilium-cni.log",
  "capabilities": {"io.kubernetes.cri.pod-annotations": true},
  "ipam": {}
})";

constexpr const char* kBridge = R"({
  "type": "bridge",
  "bridge": "cni0",
  "isDefaultGateway": true,
  "ipMasq": true,
  "hairpinMode": true,
  "capabilities": {"io.kubernetes.cri.pod-annotations": true},
  "ipam": {}
})";

constexpr const char* kPtp = R"({
  "type": "ptp",
  "ipMasq": true,
  "capabilities": {"io.kubernetes.cri.pod-annotations": true},
  "ipam": {}
})";

constexpr const char* kPortMap = R"({"type": "portmap", "capabilities": {"portMappings": true}})";

bool has_family(const ConflistOptions& options, Family family) {
  if (options.shared_subnet) return options.shared_subnet->address.family() == family;
  return std::any_of(options.subnets.begin(), options.subnets.end(),
                     [&](const auto& subnet) { return subnet.address.family() == family; });
}

/// ptp takes its default routes from the IPAM plugin.
Json default_routes(const ConflistOptions& options) {
  Json routes = Json::array();
  const auto add = [&](const char* destination) {
    routes.emplace_back(Json::object())["dst"] = destination;
  };
  const bool is_unknown = options.subnets.empty() && !options.shared_subnet;
  if (has_family(options, Family::v4) || is_unknown) add("0.0.0.0/0");
  if (has_family(options, Family::v6)) add("::/0");
  return routes;
}

Json main_plugin(const ConflistOptions& options) {
  constexpr std::array kTexts = {kFlannel, kCilium, kBridge, kPtp};  // as MainPlugin counts
  if (!options.subnet_file.empty() && options.main != MainPlugin::flannel)
    throw UsageError("--subnet-file: is Flannel's; use --ranges-from subnet-file=" +
                     options.subnet_file);
  Json plugin = parse_json(kTexts.at(static_cast<std::size_t>(options.main)));
  if (!options.subnet_file.empty()) plugin["subnetFile"] = options.subnet_file;
  plugin["ipam"] = make_ipam(options);
  if (options.main == MainPlugin::ptp)
    plugin["ipam"]["delegate"]["routes"] = default_routes(options);
  return plugin;
}

/// What the plugin will be given, with ranges in the place of those that are read on the node.
Json as_called(const Json& conflist) {
  Json document = conflist["plugins"][0];
  document["name"] = conflist["name"];
  document["cniVersion"] = conflist["cniVersion"];
  return document;
}

/// The option that fills a place of the configuration.
const char* option_of(std::string_view pointer, const ConflistOptions& options) {
  struct Origin {
    std::string_view pointer;
    const char* option;
  };
  const std::array origins = {
      Origin{"/ipam/exclude", "--exclude"},
      Origin{"/ipam/pins", "--pin"},
      Origin{"/ipam/delegate/type", "--delegate"},
      Origin{"/ipam/rangesFrom", "--ranges-from"},
      Origin{"/ipam/stateDir", "--state-dir"},
      Origin{"/ipam", options.delegate_config ? "--delegate-config" : "--subnet"},
      Origin{"/name", "--name"},
      Origin{"/cniVersion", "--cni-version"}};
  for (const auto& [place, option] : origins) {
    if (pointer.starts_with(place)) return option;
  }
  return "the options together";
}

/// Reads the configuration as the plugin will.
void require_readable(const Json& conflist, const ConflistOptions& options) {
  Json document = as_called(conflist);
  const std::string some_range =
      options.shared_subnet ? options.shared_subnet->to_string() : "192.0.2.0/24";  // RFC 5737
  const ConfInputs inputs{{}, [&](const RangesSource&, const PlacementConf&, const std::string&) {
                            return std::vector<std::string>{some_range};
                          }};
  try {
    const ConfHead head = read_head(document, Strictness::strict);
    if (!head.choice.is_built_in) {
      static_cast<void>(read_delegate_conf(document, head, inputs));
      return;
    }
    // Flannel writes the ranges in.
    if (document["type"] == "flannel")
      document["ipam"]["ranges"] = parse_json(R"([[{"subnet": "192.0.2.0/24"}]])");
    static_cast<void>(read_net_conf(document, head, inputs));
  } catch (...) {
    const CniError error = to_cni_error(std::current_exception());
    throw UsageError(option_of(error.pointer, options) +
                     std::string(": the plugin would refuse it: ") + error.what() +
                     (error.hint.empty() ? "" : " (" + error.hint + ")"));
  }
}

/// The plugin adds the network's name to it.
void refuse_joined(const std::string& data_dir, const std::string& name) {
  const auto end = data_dir.find_last_not_of('/');
  const std::string path = data_dir.substr(0, end == std::string::npos ? 0 : end + 1);
  if (path == kDefaultDataDir || !path.ends_with("/" + name)) return;
  refuse_option("--data-dir", data_dir,
                "ends in the network's name, which is added to it; write " +
                    path.substr(0, path.size() - name.size() - 1) + ", or leave it out");
}

}  // namespace

std::string default_name(MainPlugin plugin) {
  switch (plugin) {
    case MainPlugin::flannel:
      return "cbr0";
    case MainPlugin::cilium:
      return "cilium";
    default:
      return "pods";
  }
}

Json make_conflist(const ConflistOptions& options) {
  const bool is_cilium = options.main == MainPlugin::cilium;
  const std::string version =
      options.cni_version.empty() ? (is_cilium ? "0.3.1" : "1.0.0") : options.cni_version;
  if (!is_supported(version))
    refuse_option("--cni-version", version,
                  "is no version of CNI that there is; write one of " + version_list());
  Json conflist;
  conflist["cniVersion"] = version;
  conflist["name"] = options.name.empty() ? default_name(options.main) : options.name;
  refuse_joined(options.data_dir, conflist["name"]);
  conflist["plugins"].push_back(main_plugin(options));
  if (!is_cilium) conflist["plugins"].push_back(parse_json(kPortMap));
  require_readable(conflist, options);
  return conflist;
}

std::string conflist_text(const Json& conflist) {
  return with_json_escapes(conflist.dump(2)) + "\n";
}

std::string make_containerd_template(const ConflistOptions& options) {
  if (options.main == MainPlugin::flannel || options.main == MainPlugin::cilium)
    throw UsageError(
        "--main: containerd's template is for bridge and ptp; Flannel and Cilium bring their own "
        "conflists");
  if (!options.subnets.empty() || !options.ranges_from.empty())
    throw UsageError(
        "--subnet, --ranges-from: containerd fills the node's pod CIDRs in; leave them out");
  if (!options.delegate.empty() && options.delegate != "host-local")
    throw UsageError(
        "--delegate: containerd's template is for the ranges of the built-in allocator; leave it "
        "out");
  ConflistOptions filled = options;
  filled.subnets = {*allocator::Cidr::parse("192.0.2.0/24")};
  Json conflist = make_conflist(filled);
  std::vector<const char*> templates;
  Json& block = conflist["plugins"][0]["ipam"]["delegate"];
  for (const auto& [key, text] :
       {std::pair("ranges", kRangesTemplate), {"routes", kRoutesTemplate}}) {
    if (!block.contains(key)) continue;
    block[key] = kPlace;
    templates.push_back(text);
  }
  std::string text = conflist_text(conflist);
  const std::string place = "\"" + std::string(kPlace) + "\"";
  for (const char* one : templates) text.replace(text.find(place), place.size(), one);
  return text;
}

}  // namespace shim
