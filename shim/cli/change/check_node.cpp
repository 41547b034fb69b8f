// What `check` finds wrong with a node: its configurations, mounts and plugins.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "shim/cli/change/check.hpp"
#include "shim/cli/change/runtime_version.hpp"
#include "shim/cli/inspect/networks/yurthub_cache.hpp"
#include "shim/cli/inspect/safety.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cli/validate/node/drop_ins.hpp"
#include "shim/cli/validate/validate.hpp"
#include "shim/cni/conf/ranges_source.hpp"

namespace shim::change {
namespace {

using namespace inspect;
using allocator::Family;
using validate::joined;

constexpr std::size_t kConfLimit = std::size_t{4} << 20;
constexpr std::size_t kBinaryLimit = std::size_t{256} << 20;
constexpr std::chrono::seconds kRuntimePatience{2};

/// The object of a plugin that takes its addresses from a folder of host-local's; nullptr for none.
const Json* ipam_on_folder(const Json& plugin) {
  const Json* ipam = validate::object_member(plugin, "ipam");
  const bool is_ours = validate::uses_us(plugin);
  const bool is_host_locals =
      ipam != nullptr && !is_ours && validate::text_member(*ipam, "type") == "host-local";
  return is_host_locals || (is_ours && ipam != nullptr && validate::is_host_local(*ipam)) ? ipam
                                                                                          : nullptr;
}

/// Whose packets leave the node by the kernel's routing.
bool is_forwarded(const Json& plugin) {
  const auto type = validate::text_member(plugin, "type");
  return type == "bridge" || type == "ptp" || type == "flannel";
}

/// Looks at one node.
class MachineCheck {
 public:
  MachineCheck(Node& node, const NodePlaces& places) : node_(node), places_(places) {}

  NodeFindings take() {
    check_safety();
    check_files();
    check_forwarding(Family::v4, "/proc/sys/net/ipv4/ip_forward");
    check_forwarding(Family::v6, "/proc/sys/net/ipv6/conf/all/forwarding");
    check_binary();
    check_runtime();
    return std::move(all_);
  }

 private:
  void tell(const Rule& rule, std::string_view network, std::string_view place,
            std::string_view message) {
    found(all_.findings, rule, network, place, message);
  }

  /// What `status` tells, and whose state it is.
  void check_safety() {
    const auto before = static_cast<std::ptrdiff_t>(node_.findings().size());
    for (const auto& network : node_.networks()) {
      check_network(node_, network, count(network));
      check_owner(network);
    }
    auto& found = node_.findings();
    all_.findings.insert(all_.findings.begin(), found.begin() + before, found.end());
    found.erase(found.begin() + before, found.end());
  }

  void check_owner(const Network& network) {
    const auto& last = network.survey.remembered;
    const bool is_anothers = network.forgets_ranges && last && !last->is_anonymous &&
                             !node_.fs().has_root() && last->node != node_name();
    if (is_anothers)
      tell(rules::kOthersState, network.name, network.conf.placement.state_dir,
           joined({"remembers the ranges of node ", last->node, ", and this is ", node_name()}));
  }

  /// What `validate --node` tells of the configurations.
  void check_files() {
    std::vector<validate::Input> inputs = read_inputs();
    validate::Findings mistakes;
    validate::add_drop_ins(node_.fs(), inputs);
    const auto machine =
        node_.fs().has_root() ? validate::Machine::left_out : validate::Machine::looked_at;
    const auto documents = validate::find_mistakes(inputs, machine, places_.bin_dir, mistakes);
    for (const auto& one : mistakes) {
      if (is_told(one, documents)) borrow(one, documents.files[one.file].name);
    }
    check_folders(documents);
    check_cache_agent(documents);
  }

  /// Those that can be read: the others are told of by who looks for networks.
  std::vector<validate::Input> read_inputs() {
    std::vector<validate::Input> inputs;
    for (const auto& file : configuration_files(node_.fs(), places_.conf)) {
      try {
        auto text = node_.fs().read_regular(file, kConfLimit);
        static_cast<void>(parse_json(text));
        inputs.push_back({file, std::move(text)});
      } catch (const std::system_error&) {
        continue;
      } catch (const JsonSyntaxError&) {
        continue;
      }
    }
    return inputs;
  }

  /// Of networks that have nothing to do with us, nothing; nor once more what is told already.
  bool is_told(const validate::Finding& one, const validate::Documents& documents) const {
    const auto& networks = documents.networks;
    const bool is_ours =
        std::any_of(networks.begin(), networks.end(), [&](const validate::Network& network) {
          return network.file == one.file && validate::uses_us(network);
        });
    const auto& told = all_.findings;
    return is_ours && std::none_of(told.begin(), told.end(), [&](const Finding& other) {
             return other.rule == &rules::kInMemory &&
                    one.rule == validate::rules::kNodeFolder.id &&
                    one.message.starts_with(other.place + " is in memory");
           });
  }

  void borrow(const validate::Finding& one, const std::string& file) {
    const std::string& fix = all_.texts.emplace_back(one.fix);
    const Rule& rule = all_.rules.emplace_back(Rule{one.rule, one.severity, Reboot::safe, fix});
    tell(rule, {}, joined({file, one.pointer.empty() ? "" : ":", one.pointer}), one.message);
  }

  /// host-local beside us.
  void check_folders(const validate::Documents& documents) {
    struct Users {
      std::string ours;
      std::string host_locals;
    };
    std::map<std::string, Users> folders;
    for (const auto& network : documents.networks) {
      for (const auto& plugin : validate::elements(network.json, "plugins")) {
        const Json* ipam = ipam_on_folder(plugin);
        if (ipam == nullptr) continue;
        has_forwarded_ = has_forwarded_ || is_forwarded(plugin);
        Users& users = folders[joined(
            {validate::data_dir_of(*ipam), "/", validate::text_member(network.json, "name")})];
        (validate::uses_us(plugin) ? users.ours : users.host_locals) =
            documents.files[network.file].name;
      }
    }
    for (const auto& [folder, users] : folders) {
      if (users.ours.empty() || users.host_locals.empty() || is_ours_everywhere("host-local"))
        continue;
      tell(rules::kTwoPlugins, {}, folder,
           joined({"host-local hands out there by ", users.host_locals, ", delegated-ipam by ",
                   users.ours}));
    }
  }

  /// The agent of a node whose addresses Cilium gets from us.
  void check_cache_agent(const validate::Documents& documents) {
    const auto& networks = documents.networks;
    const bool has_cilium =
        std::any_of(networks.begin(), networks.end(), [](const validate::Network& network) {
          const Json* plugin = validate::find_plugin_of(network.json, "cilium-cni");
          return plugin != nullptr && validate::uses_us(*plugin);
        });
    const auto cache = has_cilium ? node_.fs().open_directory(kYurthubCache) : std::nullopt;
    if (!cache) return;
    const auto names = node_.fs().list(*cache);
    if (std::none_of(names.begin(), names.end(),
                     [](const std::string& name) { return name.starts_with("cilium-agent"); }))
      tell(rules::kCacheAgent, {}, kYurthubCache, "YurtHub keeps nothing for cilium-agent");
  }

  /// A copy has no kernel of its own to ask.
  void check_forwarding(Family family, const std::string& path) {
    const auto& networks = node_.networks();
    const bool is_needed =
        std::any_of(networks.begin(), networks.end(), [&](const Network& network) {
          const auto& sets = network.conf.allocation.sets;
          return std::any_of(sets.begin(), sets.end(), [&](const allocator::RangeSet& set) {
            return set.ranges().front().start.family() == family;
          });
        });
    if (!is_needed || !has_forwarded_ || node_.fs().has_root()) return;
    try {
      if (node_.fs().read_path(path, 1) == "0")
        tell(rules::kForwarding, {}, path, "is 0: packets of pods do not leave the node");
    } catch (const std::system_error&) {
      return;
    }
  }

  void check_binary() {
    for (const auto& path : other_builds("delegated-ipam"))
      tell(rules::kOtherBinary, {}, path, "is another build than this tool");
  }

  /// Where nobody answers nothing is known.
  void check_runtime() {
    if (node_.fs().has_root() || node_.networks().empty()) return;
    for (const char* socket : kContainerdSockets) {
      const auto version = containerd_version(socket, kRuntimePatience);
      if (version && skips_del(*version))
        tell(rules::kSkipsDel, {}, socket,
             joined({"containerd ", *version,
                     " sends no DEL for a sandbox whose ADD a power cut has ended"}));
    }
  }

  /// True where the executable is installed under another plugin's name.
  [[nodiscard]] bool is_ours_everywhere(const std::string& name) {
    return !node_.fs().has_root() && !files_named(name).empty() && other_builds(name).empty();
  }

  /// The files of a name in the plugin folders.
  std::vector<std::string> files_named(const std::string& name) {
    std::vector<std::string> paths;
    for (const auto& folder : validate::bin_dirs(places_.bin_dir)) {
      const auto there = node_.fs().open_directory(folder);
      if (there && node_.fs().identify(*there, name)) paths.push_back(folder + "/" + name);
    }
    return paths;
  }

  /// Those that are not this executable; what cannot be read, validate tells of.
  std::vector<std::string> other_builds(const std::string& name) {
    std::vector<std::string> others;
    if (node_.fs().has_root()) return others;
    try {
      const std::string own = node_.fs().read_regular("/proc/self/exe", kBinaryLimit);
      for (const auto& path : files_named(name)) {
        if (node_.fs().read_regular(path, kBinaryLimit) != own) others.push_back(path);
      }
    } catch (const std::system_error&) {
      others.clear();
    }
    return others;
  }

  Node& node_;
  const NodePlaces& places_;
  NodeFindings all_;
  bool has_forwarded_ = false;  ///< a plugin needs the kernel to forward
};

}  // namespace

NodeFindings check_machine(Node& node, const NodePlaces& places) {
  return MachineCheck(node, places).take();
}

}  // namespace shim::change
