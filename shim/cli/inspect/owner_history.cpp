#include "shim/cli/inspect/owner_history.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "allocator/store/state/record_folder.hpp"
#include "shim/cli/inspect/address_table.hpp"
#include "shim/cli/inspect/networks/audit.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::Binding;
using allocator::PodKey;
using allocator::store::FileSystem;
using allocator::store::RecordFolder;
using allocator::store::SurveyedAddress;
using validate::joined;

/// What is known of one address in one boot.
struct Told {
  Address address;
  PodKey pod;  ///< without a name: nobody's
  std::string what;
};

class OwnerHistory {
 public:
  OwnerHistory(FileSystem& fs, const Network& network, const Subject& subject)
      : network_(network), subject_(subject), boots_(network.survey.boots) {
    const std::string now8 = allocator::boot8_of(network.survey.boot_id);
    if (boots_.empty() || boots_.back() != now8) boots_.push_back(now8);
    told_.resize(boots_.size());
    for (const auto& [address, one] : network.survey.addresses) tell_of_now(one);
    for (const auto& one : network.survey.evicted) tell_of_evicted(one);
    tell_of_before(fs);
    tell_of_hand(fs);
  }

  /// Nothing where the subject is known by name only.
  void add_to(Table& table) {
    if (subject_.address && told_.back().empty()) tell_of_nobody(*subject_.address);
    const auto oldest = std::find_if(told_.begin(), told_.end(),
                                     [](const auto& of_boot) { return !of_boot.empty(); });
    if (oldest == told_.end() && before_all_.empty()) return;
    for (std::size_t boot = told_.size(); boot-- > 0;) {
      if (before_all_.empty() && told_.begin() + static_cast<std::ptrdiff_t>(boot) < oldest) break;
      add_boot(table, boot);
    }
    const std::string since = before_all_.empty() ? since_before(oldest) : "before these boots";
    for (const auto& one : before_all_) add_row(table, {}, since, one);
    if (before_all_.empty()) table.rows.push_back(row_of_nothing({}, since));
  }

 private:
  using ToldBoots = std::vector<std::vector<Told>>;

  [[nodiscard]] bool is_wanted(const Address& address, const PodKey& pod) const {
    if (subject_.address) return address == *subject_.address;
    return subject_.is_pod(pod.pod_namespace, pod.pod_name);
  }

  /// nullopt for a boot that the network has forgotten, or that nobody has noted.
  [[nodiscard]] std::optional<std::size_t> place_of(const std::string& boot8) const {
    const auto found = std::find(boots_.begin(), boots_.end(), boot8);
    if (boot8.empty() || found == boots_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - boots_.begin());
  }

  void tell(std::size_t boot, const Address& address, const PodKey& pod, std::string what) {
    if (is_wanted(address, pod)) told_[boot].push_back({address, pod, std::move(what)});
  }

  /// Nobody else was given the address since the binding's last ADD. `now`: how it is.
  void tell_of_binding(const Address& address, const Binding& binding, std::string now) {
    const std::size_t last = boots_.size() - 1;
    const auto first = place_of(binding.boot8);
    // Without a boot it may be from just now.
    for (std::size_t boot = first ? *first : binding.boot8.empty() ? last : 0; boot < last; ++boot)
      tell(boot, address, binding.pod,
           first == boot ? "given by an ADD of this boot" : "kept for it: no ADD in this boot");
    tell(last, address, binding.pod, std::move(now));
  }

  void tell_of_now(const SurveyedAddress& one) {
    if (one.is_told_by_binding()) {
      tell_of_binding(one.address, *one.binding, how_it_is(one, *one.binding));
      return;
    }
    const Owner owner = network_.owner_of(one);
    const std::string who = owner.is_known() ? "" : ", and of no pod is anything known";
    if (one.is_in_use)
      tell(boots_.size() - 1, one.address, owner.key(),
           joined({name_of(state_of(network_, one.address)), who}));
    if (one.binding)
      tell(boots_.size() - 1, one.address, one.binding->pod, "kept for it, and in use by another");
  }

  [[nodiscard]] std::string how_it_is(const SurveyedAddress& one, const Binding& binding) const {
    const bool is_of_now = binding.boot8 == boots_.back();
    std::string text(name_of(state_of(network_, one.address)));
    if (one.is_in_use && !one.is_dead)
      text += is_of_now ? ", given by an ADD of this boot" : ", and no ADD in this boot";
    if (!one.is_in_use || one.is_dead)
      text += is_of_now ? " for it since an ADD of this boot" : " for it: no ADD in this boot";
    return binding.kept == 0 ? text : joined({text, "; kept: ", std::to_string(binding.kept)});
  }

  void tell_of_evicted(const allocator::store::Evicted& one) {
    tell_of_binding(one.address, one.binding, "its no more: another one was given it");
  }

  /// The boot of each pod's last ADD, by which its own record tells of the one before.
  [[nodiscard]] std::map<PodKey, std::size_t, ByName> last_boots() const {
    std::map<PodKey, std::size_t, ByName> boots;
    for (const auto& [address, one] : network_.survey.addresses) {
      const auto place = one.binding ? place_of(one.binding->boot8) : std::nullopt;
      if (!place) continue;
      const auto [entry, is_new] = boots.emplace(one.binding->pod, *place);
      entry->second = std::max(entry->second, *place);
    }
    return boots;
  }

  void tell_of_before(FileSystem& fs) {
    auto records = RecordFolder::open(fs, network_.conf.placement.state_dir, network_.network_dir);
    if (!records) return;
    for (const auto& [pod, boot] : last_boots()) {
      if (!subject_.address && !subject_.is_pod(pod.pod_namespace, pod.pod_name)) continue;
      const auto hint = records->readable_hint(pod);
      if (!hint) continue;
      for (const auto& address : hint->previous_boot) tell_of_end(boot, address, pod);
    }
  }

  /// What a pod had when a boot began it had when the one before ended.
  void tell_of_end(std::size_t boot, const Address& address, const PodKey& pod) {
    const char* const what = "its when the boot ended";
    if (boot == 0) {
      if (is_wanted(address, pod)) before_all_.push_back({address, pod, what});
      return;
    }
    const auto& known = told_[boot - 1];
    const bool is_told = std::any_of(known.begin(), known.end(), [&](const Told& one) {
      return one.address == address && one.pod == pod;
    });
    if (!is_told) tell(boot - 1, address, pod, what);
  }

  /// A line that changes nothing takes back the one before: it was not done.
  void tell_of_hand(FileSystem& fs) {
    std::vector<Row> done;
    for (auto& line : read_audit(fs, network_)) {
      if (line[kAuditWas] != line[kAuditBecomes]) {
        done.push_back(std::move(line));
        continue;
      }
      const auto undone = std::find_if(done.rbegin(), done.rend(), [&](const Row& one) {
        return one[kAuditBoot] == line[kAuditBoot] && one[kAuditCommand] == line[kAuditCommand] &&
               one[kAuditAddress] == line[kAuditAddress];
      });
      if (undone != done.rend()) done.erase(std::next(undone).base());
    }
    for (const auto& line : done) tell_of_line(line);
  }

  void tell_of_line(const Row& line) {
    const auto address = Address::parse(line[kAuditAddress]);
    const auto boot = place_of(line[kAuditBoot]);
    const PodKey pod{line[kAuditNamespace], line[kAuditPod], line[kAuditInterface]};
    if (address && boot)
      tell(*boot, *address, pod,
           joined({"by hand, ", line[kAuditCommand], ": ", line[kAuditWas], " became ",
                   line[kAuditBecomes]}));
  }

  void tell_of_nobody(const Address& address) {
    const auto& sets = network_.conf.allocation.sets;
    if (set_of(sets, address) == sets.size()) return;
    tell(boots_.size() - 1, address, {}, std::string(name_of(state_of(network_, address))));
  }

  [[nodiscard]] std::string since_before(ToldBoots::const_iterator oldest) const {
    if (oldest == told_.begin()) return "before these boots";
    const auto& boot8 = boots_[static_cast<std::size_t>(oldest - told_.begin()) - 1];
    return since_text(network_.survey, boot8) + " and before";
  }

  void add_boot(Table& table, std::size_t boot) const {
    const std::string since = since_text(network_.survey, boots_[boot]);
    if (told_[boot].empty()) table.rows.push_back(row_of_nothing(boots_[boot], since));
    for (const auto& one : told_[boot]) add_row(table, boots_[boot], since, one);
  }

  void add_row(Table& table, const std::string& boot8, const std::string& since,
               const Told& one) const {
    const PodKey& pod = one.pod;
    table.rows.push_back({network_.name, boot8, since, one.address.to_string(), pod.pod_namespace,
                          pod.pod_name, pod.ifname, one.what});
  }

  [[nodiscard]] Row row_of_nothing(const std::string& boot8, const std::string& since) const {
    return {network_.name, boot8, since, {}, {}, {}, {}, "not recorded"};
  }

  const Network& network_;
  const Subject& subject_;
  std::vector<std::string> boots_;  ///< oldest first, the present one last
  ToldBoots told_;                  ///< of each of them
  std::vector<Told> before_all_;    ///< of the one before the oldest
};

}  // namespace

Table make_owner_table(const Networks& networks) {
  const Shown where = networks.size() > 1 ? Shown::always : Shown::wide;
  Table table;
  table.columns = {
      {"network", "NETWORK", where}, {"boot", "BOOT"}, {"when", "WHEN"}, {"address", "ADDRESS"},
      {"namespace", "NAMESPACE"},    {"pod", "POD"},   {"if", "IF"},     {"what", "WHAT"}};
  return table;
}

void add_owners(Table& table, FileSystem& fs, const Network& network, const Subject& subject) {
  OwnerHistory(fs, network, subject).add_to(table);
}

}  // namespace shim::inspect
