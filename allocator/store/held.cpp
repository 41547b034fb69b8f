#include "allocator/store/held.hpp"

#include <algorithm>
#include <system_error>

#include "allocator/fairness.hpp"

namespace allocator::store {
namespace {

constexpr std::size_t kHeldPerFamily = 4096;
constexpr std::size_t kHeldPerPod = 16;      // of a family, on all its interfaces
constexpr std::size_t kBoundPerFamily = 4;   // of one pod
constexpr std::uint64_t kTrimInterval = 64;  // counting all records is for now and then

std::uint64_t highest_sequence(RecordFolder& records) {
  std::uint64_t number = 0;
  for (const auto& [address, binding] : records.bindings()) {
    if (binding.sequence < kSequenceLimit) number = std::max(number, binding.sequence);
  }
  return number;
}

/// Ends the bindings that are too many. Those in use have sequence 0.
void trim(RecordFolder& records) {
  const auto bindings = records.bindings();
  for (const Family family : {Family::v4, Family::v6}) {
    std::vector<HeldAddress> held;
    for (const auto& [address, binding] : bindings) {
      if (address.family() == family && binding.sequence != 0) held.push_back({address, binding});
    }
    for (const auto& [address, binding] : surplus(std::move(held), kHeldPerFamily, kHeldPerPod)) {
      records.remove(address);
      records.forget_evicted(binding.pod);
    }
  }
}

bool has(const std::vector<Address>& addresses, const Address& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

bool has_family(const std::vector<Address>& addresses, Family family) {
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const Address& address) { return address.family() == family; });
}

/// Another binding of the pod than those on addresses of the same attachment.
bool is_bound_elsewhere(RecordFolder& records, const PodHint& hint, const PodKey& pod,
                        Family family, const std::vector<Address>& of_attachment) {
  return std::any_of(hint.addresses.begin(), hint.addresses.end(), [&](const Address& address) {
    if (address.family() != family || has(of_attachment, address)) return false;
    const auto binding = records.readable_binding(address);
    return binding && binding->pod == pod;
  });
}

}  // namespace

std::vector<Address> newest_of_each_family(const std::vector<Address>& addresses) {
  std::vector<Address> kept;
  for (const auto& address : addresses) {
    const auto same = std::count_if(kept.begin(), kept.end(), [&](const Address& other) {
      return other.family() == address.family();
    });
    if (static_cast<std::size_t>(same) < kBoundPerFamily) kept.push_back(address);
  }
  return kept;
}

bool adopt(RecordFolder& records, const Address& address, const Binding& binding,
           const std::vector<Address>& of_attachment) {
  if (records.binding(address)) return false;
  PodHint hint = records.hint(binding.pod).value_or(PodHint{});
  const Family family = address.family();
  if (is_bound_elsewhere(records, hint, binding.pod, family, of_attachment)) return false;
  std::erase_if(hint.addresses, [&](const Address& other) {
    return other == address || (other.family() == family && !has(of_attachment, other));
  });
  // Behind the others of its attachment: when there are too many, the first sets keep theirs.
  hint.addresses.push_back(address);
  if (!has(newest_of_each_family(hint.addresses), address)) return false;
  records.put(binding.pod, hint);
  records.put(address, binding);
  return true;
}

void bind_attachment(RecordFolder& records, const std::vector<Address>& addresses,
                     const Binding& binding) {
  const auto now = newest_of_each_family(addresses);
  PodHint hint = records.hint(binding.pod).value_or(PodHint{});
  std::vector<Address> given_up;
  for (const auto& other : hint.addresses) {
    if (!has(now, other) && has_family(now, other.family())) given_up.push_back(other);
  }
  std::vector<std::optional<Binding>> before;
  before.reserve(now.size());
  for (const auto& address : now) before.push_back(records.binding(address));
  const bool is_known = std::all_of(before.begin(), before.end(), [&](const auto& one) {
    return one && one->pod == binding.pod;
  });
  if (is_known) return;
  std::erase_if(hint.addresses,
                [&](const Address& other) { return has_family(now, other.family()); });
  hint.addresses.insert(hint.addresses.begin(), now.begin(), now.end());
  records.put(binding.pod, hint);
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (!before[i] || before[i]->pod != binding.pod) records.put(now[i], binding);
  }
  for (const auto& other : given_up) {
    const auto own = records.binding(other);
    if (own && own->pod == binding.pod) records.remove(other);
  }
  for (const auto& one : before) {
    if (one && one->pod != binding.pod) records.forget_evicted(one->pod);
  }
}

namespace {

/// The addresses that the pod is bound to so far.
std::vector<std::pair<Address, Binding>> bindings_of(RecordFolder& records, const PodHint& hint,
                                                     const PodKey& pod) {
  std::vector<std::pair<Address, Binding>> own;
  for (const auto& address : hint.addresses) {
    auto binding = records.readable_binding(address);
    if (binding && binding->pod == pod) own.emplace_back(address, std::move(*binding));
  }
  return own;
}

}  // namespace

void rebind(RecordFolder& records, const Binding& binding, const std::vector<Address>& addresses,
            std::vector<std::string>& notes) {
  const PodHint before = records.hint(binding.pod).value_or(PodHint{});
  const auto own = bindings_of(records, before, binding.pod);
  const bool is_new_boot = own.empty() || own.front().second.boot8 != binding.boot8;
  PodHint hint{addresses, is_new_boot ? before.addresses : before.previous_boot};
  for (const auto& [address, old] : own) {
    if (!has_family(addresses, address.family())) hint.addresses.push_back(address);
  }
  // The hint first, as PodRecords does it.
  records.put(binding.pod, hint);
  for (const auto& address : addresses) {
    Binding renewed = binding;
    const auto old = records.binding(address);
    if (old && old->pod == binding.pod) renewed.kept = old->kept + 1;
    records.put(address, renewed);
    if (!old || old->pod == binding.pod) continue;
    records.forget_evicted(old->pod);
    notes.push_back("the binding of " + old->pod.display() + " on " + address.to_string() +
                    " ended: " + binding.pod.display() + " was given it");
  }
  for (const auto& [address, old] : own) {
    if (has(hint.addresses, address)) continue;
    records.remove(address);
    const Family family = address.family();
    const auto now = std::find_if(addresses.begin(), addresses.end(),
                                  [&](const Address& other) { return other.family() == family; });
    notes.push_back(binding.pod.display() + " changed from " + address.to_string() + " to " +
                    now->to_string());
  }
}

void forget(RecordFolder& records, const PodKey& pod) {
  const auto hint = records.readable_hint(pod);
  if (!hint) return;
  for (const auto& address : hint->addresses) {
    const auto binding = records.readable_binding(address);
    if (binding && binding->pod == pod) records.remove(address);
  }
  records.forget_evicted(pod);
}

void hold(RecordFolder& records, RunFolder& run, const std::vector<Address>& freed,
          const Owner& owner) {
  std::optional<std::uint64_t> sequence;
  const auto next = [&] {
    if (!sequence) sequence = run.next_sequence([&] { return highest_sequence(records); });
    return *sequence;
  };
  const auto hold_one = [&](const Address& address) {
    auto binding = records.binding(address);
    // The Go plugin gave it to another pod than the one that it is bound to.
    const bool is_others = binding && owner.pod && binding->pod != *owner.pod;
    if (binding && owner.pod && (!owner.is_retained || is_others)) {
      records.remove(address);
      records.forget_evicted(binding->pod);
      binding.reset();
    }
    if (binding) {
      binding->sequence = next();
      records.put(address, *binding);
    } else if (owner.is_bound()) {
      adopt(records, address, {*owner.pod, owner.uid, next(), 0, {}}, freed);
    }
  };
  for (const auto& address : freed) {
    try {
      hold_one(address);
    } catch (const std::system_error&) {
      continue;
    } catch (const ClosedRecord&) {
      continue;
    }
  }
  if (!sequence || *sequence % kTrimInterval != 0) return;
  try {
    trim(records);
  } catch (const std::system_error&) {
    return;  // the next occasion will do
  } catch (const ClosedRecord&) {
    return;
  }
}

}  // namespace allocator::store
