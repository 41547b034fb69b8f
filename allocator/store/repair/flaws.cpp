#include "allocator/store/repair/flaws.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>

#include "allocator/store/bindings.hpp"
#include "allocator/store/disk/errors.hpp"

namespace allocator::store {
namespace {

/// A record as it lies there.
struct Record {
  enum class State : std::uint8_t { readable, odd, folder, damaged, newer };
  State state;
  std::string text = {};  ///< what it says, or why it cannot be read

  [[nodiscard]] bool is_readable() const { return state == State::readable; }
  /// True when what it says is unknown, and may be known one day.
  [[nodiscard]] bool is_closed() const { return state == State::damaged || state == State::newer; }
  /// True for what may be replaced.
  [[nodiscard]] bool is_ours_to_mend() const {
    return state != State::newer && state != State::folder;
  }
};

std::string why_unread(const Record& record) {
  switch (record.state) {
    case Record::State::newer:
      return "is of a newer version: install that one again";
    case Record::State::folder:
      return "is a folder";
    case Record::State::damaged:
      return "cannot be read: " + record.text;
    default:
      return "makes no sense";
  }
}

bool is_number(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// What is written before it gets its own name: a record, or the audit file.
bool is_temporary(std::string_view name) {
  constexpr std::string_view record = ".new";
  if (name.starts_with(record)) return is_number(name.substr(record.size()));
  return name.starts_with(".delegated-ipam.") && name.ends_with(".new");
}

/// The list that a record is a part of; empty for none. Long lists are written in parts.
std::string list_of_part(const std::string& name) {
  for (const char* list : {"node-ranges", "pins"}) {
    if (name.starts_with(std::string(list) + ".")) return list;
  }
  return {};
}

/// The address that a record of a kind is about, in the one spelling that the store writes.
std::optional<Address> address_behind(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) ? address_of_name(name.substr(prefix.size())) : std::nullopt;
}

bool is_hint_name(std::string_view name) {
  return name.starts_with("pod.") || name.starts_with("pod~");
}

/// The pod in "<namespace>_<pod>@<ifname>"; nullopt for what key_text() does not make.
std::optional<PodKey> parse_key(std::string_view key) {
  const auto first = key.find('_');
  const auto second = key.find('@');
  if (first == key.npos || second == key.npos || second < first) return std::nullopt;
  const auto space = unescape(key.substr(0, first));
  const auto name = unescape(key.substr(first + 1, second - first - 1));
  const auto ifname = unescape(key.substr(second + 1));
  if (!space || !name || !ifname) return std::nullopt;
  return PodKey{*space, *name, *ifname};
}

/// A pod's bindings, and the record that is to lead to them.
struct Bound {
  PodKey pod;
  std::vector<Address> addresses = {};
};

std::string text_of(const std::vector<Address>& addresses) {
  std::string text;
  for (const auto& address : addresses) text += (text.empty() ? "" : ", ") + address.to_string();
  return text;
}

/// The look at one folder.
class FlawFinder {
 public:
  FlawFinder(FileSystem& fs, const Directory& folder, const Surroundings& around)
      : fs_(fs), folder_(folder), around_(around) {}

  std::vector<Flaw> find() {
    read_all();
    look_at_netdir();
    for (const auto& [name, record] : records_) look_at(name, record);
    for (const auto& [name, bound] : bound_) look_at_pod(name, bound);
    std::stable_sort(flaws_.begin(), flaws_.end(),
                     [](const Flaw& left, const Flaw& right) { return left.name < right.name; });
    if (around_.network == nullptr) {
      for (auto& flaw : flaws_) flaw.mend = Mend::none;
    }
    return std::move(flaws_);
  }

 private:
  void read_all() {
    auto names = fs_.list(folder_);
    std::sort(names.begin(), names.end());  // what is told comes in the same order each time
    for (const auto& name : names) {
      const Record& record = records_.emplace(name, read(name)).first->second;
      if (const auto address = address_behind(name, "ip.")) read_binding(*address, record);
      if (is_hint_name(name)) read_hint(name, record);
    }
  }

  [[nodiscard]] Record read(const std::string& name) {
    try {
      auto text = fs_.read_link(folder_, name);
      if (text && state_of_record(*text) == RecordState::newer_format)
        return {Record::State::newer};
      if (text) return {Record::State::readable, std::move(*text)};
      const auto there = fs_.identify(folder_, name);
      const bool is_folder = there && there->kind == FileKind::directory;
      return {is_folder ? Record::State::folder : Record::State::odd};
    } catch (const std::system_error& error) {
      if (is_own_want(error)) throw;
      return {Record::State::damaged, error.code().message()};
    }
  }

  void read_binding(const Address& address, const Record& record) {
    auto binding = record.is_readable() ? decode_binding(record.text) : std::nullopt;
    has_closed_ = has_closed_ || record.is_closed();
    if (!binding) return;
    Bound& bound = bound_.try_emplace(hint_name(binding->pod), Bound{binding->pod}).first->second;
    bound.addresses.push_back(address);
    bindings_.emplace(address, std::move(*binding));
  }

  void read_hint(const std::string& name, const Record& record) {
    auto hint = record.is_readable() ? decode_hint(record.text) : std::nullopt;
    if (hint) hints_.emplace(name, std::move(*hint));
  }

  void add(Flaw flaw) { flaws_.push_back(std::move(flaw)); }

  [[nodiscard]] bool is_in_use(const Address& address) const {
    return around_.network != nullptr && around_.network->is_in_use(address);
  }

  void look_at_netdir() {
    const auto found = records_.find("netdir");
    const std::string expected = "1~" + around_.network_dir;
    if (found == records_.end()) {
      add({Flaw::Kind::folder_name, "netdir", "is missing", Mend::name});
    } else if (!found->second.is_readable()) {
      const Record& record = found->second;
      add({Flaw::Kind::folder_name, "netdir", why_unread(record),
           record.is_ours_to_mend() ? Mend::name : Mend::none});
    } else if (found->second.text != expected) {
      add({Flaw::Kind::folder_name, "netdir", "is another folder's: " + found->second.text,
           Mend::name});
    }
  }

  void look_at(const std::string& name, const Record& record) {
    if (name == "netdir" || name == "audit" || name == "gc") return;
    if (name == "boots" || name == "node-ranges" || name == "ranges" || name == "pins") {
      look_at_list(name, record);
    } else if (is_temporary(name)) {
      look_at_left_over(name, record);
    } else if (const auto list = list_of_part(name); !list.empty()) {
      look_at_part(name, list, record);
    } else if (const auto bound = address_behind(name, "ip.")) {
      if (bindings_.count(*bound) == 0) look_at_binding(name, *bound, record);
    } else if (const auto stamped = address_behind(name, "stamp.")) {
      look_at_stamp(name, *stamped, record);
    } else if (is_hint_name(name)) {
      look_at_hint(name, record);
    } else {
      add({Flaw::Kind::strange, name});
    }
  }

  void look_at_list(const std::string& name, const Record& record) {
    if (!record.is_readable() || !record.text.starts_with("1~"))
      add({Flaw::Kind::list, name, why_unread(record)});
  }

  void look_at_left_over(const std::string& name, const Record& record) {
    add({Flaw::Kind::left_over,
         name,
         {},
         record.state == Record::State::folder ? Mend::none : Mend::remove});
  }

  /// Of a list that is not the present one: which that is must be known.
  void look_at_part(const std::string& name, const std::string& of, const Record& record) {
    const auto list = records_.find(of);
    const bool is_known = list == records_.end() || list->second.is_readable();
    const std::string hash = name.substr(of.size() + 1, name.rfind('.') - of.size() - 1);
    const bool is_used =
        list != records_.end() && list->second.text.find("*" + hash + ".") != std::string::npos;
    if (is_known && !is_used && record.is_ours_to_mend()) look_at_left_over(name, record);
  }

  void look_at_stamp(const std::string& name, const Address& address, const Record& record) {
    if (!is_in_use(address))
      add({Flaw::Kind::idle_stamp,
           name,
           {},
           record.is_ours_to_mend() ? Mend::remove : Mend::none,
           address});
  }

  // What cannot be read of an address: given to whoever has it, or had it, as far as that is told.

  void look_at_binding(const std::string& name, const Address& address, const Record& record) {
    Flaw flaw{Flaw::Kind::binding, name, why_unread(record), Mend::none, address};
    if (record.is_ours_to_mend()) {
      if (is_in_use(address)) {
        if (const auto* user = user_of(address)) bind(flaw, *user->pod, user->uid);
      } else if (!may_be_lost(address)) {
        flaw.mend = Mend::remove;
        if (const auto pod = led_here(address)) bind(flaw, *pod, {});
      }
    }
    add(std::move(flaw));
  }

  /// Unless the pod has another address of the family, as in adopt().
  void bind(Flaw& flaw, const PodKey& pod, const std::string& uid) const {
    const auto found = bound_.find(hint_name(pod));
    const auto of_attachment = beside(*flaw.address);
    const bool is_elsewhere =
        found != bound_.end() && std::any_of(found->second.addresses.begin(),
                                             found->second.addresses.end(), [&](const auto& other) {
                                               return other.family() == flaw.address->family() &&
                                                      !contains(of_attachment, other);
                                             });
    const auto hint = records_.find(hint_name(pod));
    const bool is_hint_closed = hint != records_.end() && hint->second.is_closed();
    if (is_elsewhere || is_hint_closed || !around_.retains(pod)) return;
    flaw.mend = Mend::bind;
    flaw.pod = pod;
    flaw.uid = uid;
    flaw.addresses = of_attachment;
  }

  /// The addresses of the attachment that has this one.
  [[nodiscard]] std::vector<Address> beside(const Address& address) const {
    std::vector<Address> addresses;
    const AttachmentFile* own = around_.network->file_of(address);
    if (own == nullptr || !names_attachment(*own)) return addresses;
    const Attachment attachment = parse_owner(own->owner);
    for (const auto& file : around_.network->find(attachment)) {
      if (file.address) addresses.push_back(*file.address);
    }
    return addresses;
  }

  /// Who has the address, as the runtime tells.
  [[nodiscard]] const CachedAttachment* user_of(const Address& address) const {
    const AttachmentFile* file = around_.network->file_of(address);
    if (file == nullptr || !names_attachment(*file)) return nullptr;
    const auto& all = around_.cached;
    const auto known = std::find_if(all.begin(), all.end(), [&](const CachedAttachment& one) {
      return one.pod && one.attachment == parse_owner(file->owner) &&
             contains(one.addresses, address);
    });
    return known == all.end() ? nullptr : &*known;
  }

  /// Somebody removed the address' file, and its pod may run on.
  [[nodiscard]] bool may_be_lost(const Address& address) {
    return std::any_of(around_.cached.begin(), around_.cached.end(), [&](const auto& one) {
      return contains(one.addresses, address) && is_there(one.netns_path);
    });
  }

  [[nodiscard]] bool is_there(const std::string& netns_path) {
    try {
      return fs_.network_namespace(netns_path).has_value();
    } catch (const std::system_error&) {
      return true;  // what we may not look at may be alive
    }
  }

  /// The one pod whose hint leads to the address, and to no other of the family of which as little
  /// is known.
  [[nodiscard]] std::optional<PodKey> led_here(const Address& address) const {
    std::optional<PodKey> pod;
    for (const auto& [name, hint] : hints_) {
      if (!contains(hint.addresses, address)) continue;
      const auto other = pod_of_hint(name);
      const auto unread = std::count_if(
          hint.addresses.begin(), hint.addresses.end(),
          [&](const Address& one) { return one.family() == address.family() && is_unread(one); });
      if (pod || !other || unread != 1) return std::nullopt;
      pod = other;
    }
    return pod;
  }

  // Hints.

  /// nullopt for a name that the store does not give.
  [[nodiscard]] std::optional<PodKey> pod_of_hint(const std::string& name) const {
    constexpr std::size_t prefix = 4;  // "pod."
    auto pod = parse_key(name.substr(prefix));
    if (name.starts_with("pod~")) {
      const auto bound = bound_.find(name);
      const std::string& text = records_.at(name).text;
      std::size_t names = 0;
      for (int field = 0; field < 3 && names != text.npos; ++field)
        names = text.find('~', names + 1);
      pod = bound != bound_.end() ? std::optional(bound->second.pod) : std::nullopt;
      if (!pod && names != text.npos) pod = parse_hashed(text.substr(names + 1));
    }
    return pod && hint_name(*pod) == name ? pod : std::nullopt;
  }

  /// "<namespace>~<pod>~<ifname>"
  static std::optional<PodKey> parse_hashed(std::string text) {
    for (const char mark : {'_', '@'}) {
      const auto separator = text.find('~');
      if (separator == text.npos) return std::nullopt;
      text[separator] = mark;
    }
    return parse_key(text);
  }

  /// Of a pod that no binding names; the others are looked at with their bindings.
  void look_at_hint(const std::string& name, const Record& record) {
    const bool is_told = name.starts_with("pod.") || hints_.count(name) != 0;
    if (is_told && !pod_of_hint(name)) {
      add({Flaw::Kind::strange, name});
      return;
    }
    if (record.state == Record::State::newer || record.state == Record::State::folder) {
      add({Flaw::Kind::hint, name, why_unread(record), Mend::none, {}, pod_of_hint(name)});
      return;
    }
    const auto hint = hints_.find(name);
    const bool is_idle = hint != hints_.end();
    const bool has_lost = is_idle && look_for_lost(hint->second, *pod_of_hint(name));
    if (bound_.count(name) != 0 || has_lost) return;
    if (is_idle && leads_to_unread(hint->second)) return;
    // What else cannot be read may be the pod's, and only this record would lead to it.
    const bool may_lead = record.state == Record::State::damaged && has_closed_;
    add({is_idle ? Flaw::Kind::idle_hint : Flaw::Kind::hint,
         name,
         is_idle ? "" : why_unread(record),
         may_lead ? Mend::none : Mend::remove,
         {},
         pod_of_hint(name)});
  }

  /// Of the addresses that the pod's record leads to and that nothing binds: those that the pod
  /// has, as the runtime tells. True when there are some.
  [[nodiscard]] bool look_for_lost(const PodHint& hint, const PodKey& pod) {
    bool any = false;
    for (const auto& address : hint.addresses) {
      Flaw flaw{Flaw::Kind::binding, "ip." + address.to_string(), "is missing", Mend::none,
                address};
      if (records_.count(flaw.name) != 0 || !is_in_use(address)) continue;
      const auto* user = user_of(address);
      if (user != nullptr && user->pod == pod) bind(flaw, pod, user->uid);
      if (flaw.mend != Mend::bind) continue;
      add(std::move(flaw));
      any = true;
    }
    return any;
  }

  [[nodiscard]] bool leads_to_unread(const PodHint& hint) const {
    return std::any_of(hint.addresses.begin(), hint.addresses.end(),
                       [&](const Address& address) { return is_unread(address); });
  }

  /// A binding is there, and nobody knows whose.
  [[nodiscard]] bool is_unread(const Address& address) const {
    return bindings_.count(address) == 0 && records_.count("ip." + address.to_string()) != 0;
  }

  void look_at_pod(const std::string& name, const Bound& bound) {
    const auto record = records_.find(name);
    if (record != records_.end() && !record->second.is_ours_to_mend()) return;
    const auto hint = hints_.find(name);
    std::vector<Address> unled = bound.addresses;
    std::vector<Address> known;
    if (hint != hints_.end()) known = hint->second.addresses;
    std::erase_if(unled, [&](const Address& address) { return contains(known, address); });
    if (unled.empty()) return;
    const bool is_damaged =
        record != records_.end() && record->second.state == Record::State::damaged;
    const auto all = in_order(bound.addresses, known);
    const auto kept = newest_of_each_family(all);
    add({Flaw::Kind::unled,
         name,
         bound.pod.display() + " is bound to " + text_of(unled) +
             (record == records_.end() ? ", and there is no such record"
              : hint == hints_.end()   ? ", and it " + why_unread(record->second)
                                       : ", and it does not lead there"),
         is_damaged && has_closed_ ? Mend::none : Mend::lead,
         {},
         bound.pod,
         {},
         kept});
    for (const auto& address : bound.addresses) {
      if (!contains(kept, address)) add_surplus(address, bound.pod);
    }
  }

  /// What the pod uses comes first, then what led there, then what was released last; behind them
  /// what cannot be read and may be the pod's.
  [[nodiscard]] std::vector<Address> in_order(std::vector<Address> addresses,
                                              const std::vector<Address>& known) const {
    const auto rank = [&](const Address& address) {
      const auto sequence = bindings_.at(address).sequence;
      return std::make_tuple(!is_in_use(address), !contains(known, address),
                             sequence == 0 ? 0 : ~sequence);
    };
    std::stable_sort(
        addresses.begin(), addresses.end(),
        [&](const Address& left, const Address& right) { return rank(left) < rank(right); });
    std::copy_if(known.begin(), known.end(), std::back_inserter(addresses),
                 [&](const Address& address) { return is_unread(address); });
    return addresses;
  }

  /// What no DEL has stamped may be in use by a pod whose file somebody removed.
  void add_surplus(const Address& address, const PodKey& pod) {
    const bool is_held = !is_in_use(address) && bindings_.at(address).sequence != 0;
    add({Flaw::Kind::surplus, "ip." + address.to_string(),
         pod.display() + " is bound to more than four of its family",
         is_held ? Mend::remove : Mend::none, address, pod});
  }

  FileSystem& fs_;
  const Directory& folder_;
  const Surroundings& around_;
  std::map<std::string, Record> records_;
  std::map<Address, Binding> bindings_;
  std::map<std::string, Bound> bound_;    ///< by the name of the hint
  std::map<std::string, PodHint> hints_;  ///< those that can be read, by name
  bool has_closed_ = false;               ///< a binding is there that may be read one day
  std::vector<Flaw> flaws_;
};

}  // namespace

std::vector<Flaw> find_flaws(FileSystem& fs, const Directory& records, const Surroundings& around) {
  return FlawFinder(fs, records, around).find();
}

}  // namespace allocator::store
