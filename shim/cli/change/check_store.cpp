// What `check` finds wrong with stores, and the repair of their records.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "allocator/store/repair/repair.hpp"
#include "shim/cli/change/check.hpp"
#include "shim/cli/inspect/networks/audit.hpp"
#include "shim/cli/inspect/networks/state_file.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/result/libcni_cache.hpp"
#include "shim/cni/verbs/store_inputs.hpp"

namespace shim::change {
namespace {

using namespace inspect;
using allocator::store::FileSystem;
using allocator::store::Flaw;
using allocator::store::Mend;

/// The rule of a flaw; nullptr for what the survey tells already.
const Rule* rule_of_flaw(Flaw::Kind kind) {
  switch (kind) {
    case Flaw::Kind::left_over:
      return &rules::kLeftOver;
    case Flaw::Kind::folder_name:
      return &rules::kFolderName;
    case Flaw::Kind::strange:
      return &rules::kRecordStrange;
    case Flaw::Kind::list:
      return &rules::kListUnreadable;
    case Flaw::Kind::hint:
      return &rules::kHintUnreadable;
    case Flaw::Kind::idle_hint:
      return &rules::kHintIdle;
    case Flaw::Kind::unled:
      return &rules::kHintMissing;
    case Flaw::Kind::surplus:
      return &rules::kBoundTooOften;
    case Flaw::Kind::idle_stamp:
      return &rules::kStampIdle;
    case Flaw::Kind::binding:
      return nullptr;
  }
  return nullptr;
}

std::string_view message_of(const Flaw& flaw) {
  if (!flaw.why.empty()) return flaw.why;
  switch (flaw.kind) {
    case Flaw::Kind::left_over:
      return "was left by a command that was killed";
    case Flaw::Kind::idle_hint:
      return "leads to no address that is its pod's";
    case Flaw::Kind::idle_stamp:
      return "its address has no file";
    default:
      return "is no record of this version's";
  }
}

/// Looks at one network.
class StoreCheck {
 public:
  StoreCheck(Node& node, const Network& network, Findings& findings)
      : node_(node), network_(network), findings_(findings) {}

  void run() {
    const std::string folder = records_path(network_);
    for (const auto& flaw : network_.survey.flaws) {
      if (const Rule* rule = rule_of_flaw(flaw.kind))
        tell(*rule, folder + "/" + flaw.name, message_of(flaw));
    }
    if (!network_.chooses()) return;
    check_cursors();
    check_rights(folder);
  }

 private:
  void tell(const Rule& rule, std::string_view place, std::string_view message) {
    found(findings_, rule, network_.name, place, message);
  }

  void check_cursors() {
    const auto& sets = network_.conf.allocation.sets;
    const auto& cursors = network_.survey.cursors;
    for (std::size_t i = 0; i < std::min(sets.size(), cursors.size()); ++i) {
      if (!cursors[i] || sets[i].contains(*cursors[i])) continue;
      tell(rules::kCursor, network_.network_dir + "/last_reserved_ip." + std::to_string(i),
           cursors[i]->to_string() + " is outside of today's ranges");
    }
  }

  void check_rights(const std::string& records) {
    check_rights_in(records, {"."});
    std::vector<std::string> names = {"."};
    for (const auto& [address, one] : network_.survey.addresses) {
      if (one.is_in_use && !one.is_nested) names.push_back(address.to_string());
    }
    check_rights_in(network_.network_dir, names);
  }

  /// What is gone by now, or cannot be looked at, is told by others.
  void check_rights_in(const std::string& path, const std::vector<std::string>& names) {
    try {
      const auto folder = node_.fs().open_directory(path);
      for (std::size_t i = 0; folder && i < names.size(); ++i) {
        const auto there = node_.fs().identify(*folder, names[i]);
        if (there && !there->is_private)
          tell(rules::kWritable, names[i] == "." ? path : path + "/" + names[i],
               "others than root may write to it");
      }
    } catch (const std::system_error&) {
      return;
    }
  }

  Node& node_;
  const Network& network_;
  Findings& findings_;
};

/// What lies in a state folder beside the records of the networks that are known.
class StateFolderCheck {
 public:
  StateFolderCheck(Node& node, Findings& findings) : node_(node), findings_(findings) {
    for (const auto& network : node.networks()) {
      known_.insert(records_path(network));
      folders_.insert(network.conf.placement.state_dir);
    }
  }

  void run() {
    for (const auto& folder : folders_) {
      try {
        check_folder(folder);
      } catch (const std::system_error& error) {
        found(findings_, rules::kFolder, {}, folder, error.code().message());
      }
    }
  }

 private:
  void check_folder(const std::string& path) {
    const auto folder = node_.fs().open_directory(path);
    if (!folder) return;
    auto names = node_.fs().list(*folder);
    std::sort(names.begin(), names.end());
    for (const auto& name : names) check_entry(*folder, name);
  }

  void check_entry(const allocator::store::Directory& state, const std::string& name) {
    const std::string path = state.path + "/" + name;
    if (known_.count(path) != 0) return;
    const auto there = node_.fs().identify(state, name);
    if (!there || there->kind != allocator::store::FileKind::directory) {
      if (there) found(findings_, rules::kStateForeign, {}, path, "is no folder of records");
      return;
    }
    const auto folder = node_.fs().open_directory(path);
    const auto owner = folder ? node_.fs().read_link(*folder, "netdir") : std::nullopt;
    if (!owner) {
      found(findings_, rules::kFolderName, {}, path, "does not tell whose records it has");
    } else if (owner->starts_with("1~/") &&
               allocator::store::record_folder_name(owner->substr(2)) != name) {
      found(findings_, rules::kFolderName, {}, path,
            "has the name of another network's than " + owner->substr(2) + ", which it names");
    }
  }

  Node& node_;
  Findings& findings_;
  std::set<std::string> known_;
  std::set<std::string> folders_;
};

std::string_view becomes(const Repair& repair) {
  if (!repair.obstacle.empty()) return "as it was";
  return repair.flaw.mend == Mend::remove ? "removed" : "written";
}

/// Why it is safe to do, or why it is not done.
std::string why_repaired(const Repair& repair) {
  const Flaw& flaw = repair.flaw;
  if (!repair.obstacle.empty()) return repair.obstacle;
  switch (flaw.mend) {
    case Mend::remove:
      return flaw.kind == Flaw::Kind::binding   ? "nobody uses the address"
             : flaw.kind == Flaw::Kind::surplus ? "others of the pod's were used later"
                                                : "it binds nobody";
    case Mend::lead:
      return "from the pod's bindings";
    case Mend::bind:
      return flaw.addresses.empty() ? "the pod's own record leads there"
                                    : "the runtime's cache tells whose the container is";
    default:
      return "the folder's name tells it";
  }
}

/// As a line of what was changed by hand has it.
Row audit_row(const Repair& repair) {
  const Flaw& flaw = repair.flaw;
  const allocator::PodKey pod = flaw.pod.value_or(allocator::PodKey{});
  return {repair.network->name,
          flaw.address ? flaw.address->to_string() : "",
          pod.pod_namespace,
          pod.pod_name,
          pod.ifname,
          "",
          flaw.name,
          std::string(becomes(repair)),
          why_repaired(repair)};
}

void make_repairs_of(FileSystem& fs, const Network& network, Repairs& repairs) {
  std::vector<Flaw> flaws;
  std::vector<Row> rows;
  std::vector<Repair*> made;
  for (auto& repair : repairs) {
    if (repair.network != &network) continue;
    flaws.push_back(repair.flaw);
    rows.push_back(audit_row(repair));
    made.push_back(&repair);
  }
  if (flaws.empty()) return;
  append_audit(fs, network, "check", rows);
  ResultCache cache(fs);
  const auto obstacles = allocator::store::repair(
      fs, store_options(network.conf.placement, network.network_dir), &cache, flaws);
  rows.clear();
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i]->obstacle = obstacles[i];
    if (!obstacles[i].empty()) rows.push_back(audit_row(*made[i]));
  }
  if (!rows.empty()) append_audit(fs, network, "check", rows);
}

}  // namespace

Findings check_stores(Node& node) {
  Findings findings;
  for (const auto& network : node.networks()) StoreCheck(node, network, findings).run();
  StateFolderCheck(node, findings).run();
  return findings;
}

Repairs plan_repairs(const Node& node) {
  Repairs repairs;
  for (const auto& network : node.networks()) {
    for (const auto& flaw : network.survey.flaws) {
      if (flaw.mend != Mend::none) repairs.push_back({&network, flaw});
    }
  }
  return repairs;
}

void make_repairs(FileSystem& fs, Repairs& repairs) {
  std::set<const Network*> networks;
  for (const auto& repair : repairs) networks.insert(repair.network);
  for (const auto* network : networks) make_repairs_of(fs, *network, repairs);
}

Table make_repair_table(const Repairs& repairs) {
  Table table{{{"network", "NETWORK", Shown::wide},
               {"record", "RECORD"},
               {"address", "ADDRESS", Shown::on_demand},
               {"namespace", "NAMESPACE", Shown::on_demand},
               {"pod", "POD", Shown::on_demand},
               {"becomes", "BECOMES"},
               {"why", "WHY"}},
              {}};
  std::set<const Network*> networks;
  for (const auto& repair : repairs) {
    networks.insert(repair.network);
    const Row row = audit_row(repair);
    table.rows.push_back({row[0], row[6], row[1], row[2], row[3], row[7], row[8]});
  }
  if (networks.size() > 1) table.columns.front().shown = Shown::always;
  return table;
}

}  // namespace shim::change
