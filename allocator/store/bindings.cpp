#include "allocator/store/bindings.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "allocator/store/disk/sha256.hpp"

namespace allocator::store {
namespace {

constexpr std::uint64_t kTrimInterval = 64;  // counting all records is for now and then

std::uint64_t highest_sequence(RecordFolder& records) {
  std::uint64_t number = 0;
  for (const auto& [address, binding] : records.bindings()) {
    if (binding.sequence < kSequenceLimit) number = std::max(number, binding.sequence);
  }
  return number;
}

bool has_family(const std::vector<Address>& addresses, Family family) {
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const Address& address) { return address.family() == family; });
}

/// Another binding of the pod than those on addresses of the same attachment.
bool is_bound_elsewhere(RecordFolder& records, const PodHint& hint, const PodKey& pod,
                        Family family, const std::vector<Address>& of_attachment) {
  return std::any_of(hint.addresses.begin(), hint.addresses.end(), [&](const Address& address) {
    if (address.family() != family || contains(of_attachment, address)) return false;
    const auto binding = records.readable_binding(address);
    return binding && binding->pod == pod;
  });
}

/// The hint of a pod that adopts an address; nullopt when it must not.
std::optional<PodHint> hint_of_adopter(RecordFolder& records, const Address& address,
                                       const PodKey& pod,
                                       const std::vector<Address>& of_attachment) {
  PodHint hint = records.hint(pod).value_or(PodHint{});
  const Family family = address.family();
  if (is_bound_elsewhere(records, hint, pod, family, of_attachment)) return std::nullopt;
  std::erase_if(hint.addresses, [&](const Address& other) {
    return other == address || (other.family() == family && !contains(of_attachment, other));
  });
  // Behind the others of its attachment: when there are too many, the first sets keep theirs.
  hint.addresses.push_back(address);
  if (!contains(newest_of_each_family(hint.addresses), address)) return std::nullopt;
  return hint;
}

}  // namespace

HeldAddress as_held(const Address& address, const Binding& binding) {
  const PodKey& pod = binding.pod;
  return {address, number_of_namespace(pod.pod_namespace),
          sha256_number(pod.pod_namespace + "/" + pod.pod_name), binding.sequence};
}

std::uint64_t number_of_namespace(const std::string& name) { return sha256_number(name); }

void trim(RecordFolder& records, std::vector<HeldAddress> held,
          const std::function<bool(const Address&)>& is_in_use) {
  // What no DEL has stamped may be in use by a pod whose file somebody removed.
  std::erase_if(held, [](const HeldAddress& one) { return one.sequence == 0; });
  for (const Family family : {Family::v4, Family::v6}) {
    std::vector<HeldAddress> of_family;
    std::copy_if(held.begin(), held.end(), std::back_inserter(of_family),
                 [&](const HeldAddress& one) { return one.address.family() == family; });
    for (const auto& one : surplus(std::move(of_family), kHeldPerFamily, kHeldPerPod)) {
      try {
        const auto binding = records.binding(one.address);
        const bool is_held =
            binding && binding->sequence == one.sequence && !is_in_use(one.address);
        if (!is_held) continue;
        records.remove(one.address);
        records.forget_evicted(binding->pod);
      } catch (const std::system_error&) {
        continue;
      } catch (const ClosedRecord&) {
        continue;
      }
    }
  }
}

void trim(RecordFolder& records) {
  std::vector<HeldAddress> held;
  try {
    for (const auto& [address, binding] : records.bindings())
      held.push_back(as_held(address, binding));
  } catch (const std::system_error&) {
    return;
  }
  trim(records, std::move(held), [](const Address&) { return false; });
}

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
  const auto hint = hint_of_adopter(records, address, binding.pod, of_attachment);
  if (!hint) return false;
  records.put(binding.pod, *hint);
  records.put(address, binding);
  return true;
}

bool adopt_damaged(RecordFolder& records, const Address& address, const Binding& binding,
                   const std::vector<Address>& of_attachment) {
  const auto hint = hint_of_adopter(records, address, binding.pod, of_attachment);
  if (!hint) return false;
  records.put(binding.pod, *hint);
  records.replace_damaged(address, binding);
  return true;
}

Bindings bindings_of(RecordFolder& records, const PodKey& pod) {
  Bindings bound;
  const auto hint = records.readable_hint(pod);
  if (!hint) return bound;
  for (const auto& address : hint->addresses) {
    auto binding = records.readable_binding(address);
    if (binding && binding->pod == pod) bound.emplace_back(address, std::move(*binding));
  }
  return bound;
}

std::vector<Address> previous_boot(const std::optional<PodHint>& known, const Bindings& bound,
                                   const std::string& boot8) {
  if (!known) return {};
  const bool is_new_boot = bound.empty() || bound.front().second.boot8 != boot8;
  return is_new_boot ? known->addresses : known->previous_boot;
}

namespace {

bool is_on(const Bindings& bindings, const Address& address) {
  return std::any_of(bindings.begin(), bindings.end(),
                     [&](const auto& one) { return one.first == address; });
}

/// Tolerates a full disk for what does not matter; returns false then.
template <typename Write>
bool write_unless_full(bool may_be_left_out, std::vector<std::string>& notes, Write write) {
  try {
    write();
    return true;
  } catch (const std::system_error& error) {
    const int number = error.code().value();
    if (!may_be_left_out || (number != ENOSPC && number != EDQUOT)) throw;
    notes.push_back("not recorded: " + std::string(error.what()));
    return false;
  }
}

/// The pods whose bindings on the addresses are about to end.
std::vector<PodKey> owners_that_lose(RecordFolder& records, const PodKey& pod,
                                     const Bindings& given) {
  std::vector<PodKey> owners;
  for (const auto& [address, binding] : given) {
    const auto before = records.binding(address);
    if (before && before->pod != pod) owners.push_back(before->pod);
  }
  return owners;
}

}  // namespace

std::vector<Address> rebind(RecordFolder& records, const PodKey& pod, const Rebinding& change,
                            std::vector<std::string>& notes) {
  const auto losers = owners_that_lose(records, pod, change.given);
  const auto put_hint = [&](bool may_be_left_out, const PodHint& hint) {
    if (change.is_hint_closed) return;
    static_cast<void>(write_unless_full(may_be_left_out, notes, [&] { records.put(pod, hint); }));
  };
  PodHint meanwhile = change.hint;
  std::vector<Address> given_up;
  for (const auto& [address, binding] : change.bound) {
    if (contains(change.hint.addresses, address)) continue;
    given_up.push_back(address);
    meanwhile.addresses.push_back(address);
  }
  const auto is_known = [&](const auto& one) {
    return change.known && contains(change.known->addresses, one.first);
  };
  const bool leads_there = std::all_of(change.given.begin(), change.given.end(), is_known);
  put_hint(change.may_be_left_out && leads_there, meanwhile);
  std::vector<Address> left_out;
  for (const auto& one : change.given) {
    const bool is_written =
        write_unless_full(change.may_be_left_out && is_on(change.bound, one.first), notes,
                          [&] { records.put(one.first, one.second); });
    if (!is_written) left_out.push_back(one.first);
  }
  for (const auto& address : given_up) records.remove(address);
  if (!given_up.empty()) put_hint(change.may_be_left_out, change.hint);
  for (const auto& loser : losers) records.forget_evicted(loser);
  return left_out;
}

void bind_attachment(RecordFolder& records, const std::vector<Address>& addresses,
                     const Binding& binding, std::vector<std::string>& notes) {
  const auto now = newest_of_each_family(addresses);
  Rebinding change;
  for (const auto& address : now) {
    const auto before = records.binding(address);
    if (!before || before->pod != binding.pod) change.given.emplace_back(address, binding);
  }
  if (change.given.empty()) return;
  change.known = records.hint(binding.pod);
  change.hint = change.known.value_or(PodHint{});
  for (const auto& address : change.hint.addresses) {
    const bool may_end = has_family(now, address.family());
    auto own = may_end ? records.binding(address) : std::nullopt;
    if (own && own->pod == binding.pod) change.bound.emplace_back(address, std::move(*own));
  }
  std::erase_if(change.hint.addresses,
                [&](const Address& other) { return has_family(now, other.family()); });
  change.hint.addresses.insert(change.hint.addresses.begin(), now.begin(), now.end());
  // Nobody has noted when it got them: when it is made again, it comes back to what it had.
  if (change.hint.previous_boot.empty()) change.hint.previous_boot = now;
  rebind(records, binding.pod, change, notes);
}

Bindings bind_answer(RecordFolder& records, const Binding& binding,
                     const std::vector<Address>& addresses, std::vector<std::string>& notes) {
  Rebinding change;
  change.known = records.hint(binding.pod);
  change.bound = bindings_of(records, binding.pod);
  change.hint = PodHint{addresses, previous_boot(change.known, change.bound, binding.boot8)};
  for (const auto& [address, old] : change.bound) {
    if (!has_family(addresses, address.family())) change.hint.addresses.push_back(address);
  }
  Bindings ended;
  for (const auto& address : addresses) {
    Binding renewed = binding;
    const auto old = records.binding(address);
    if (old && old->pod == binding.pod) renewed.kept = old->kept + 1;
    change.given.emplace_back(address, renewed);
    if (old && old->pod != binding.pod) ended.emplace_back(address, *old);
  }
  rebind(records, binding.pod, change, notes);
  for (const auto& [address, old] : ended) {
    notes.push_back("the binding of " + old.pod.display() + " on " + address.to_string() +
                    " ended: " + binding.pod.display() + " was given it");
  }
  for (const auto& [address, old] : change.bound) {
    if (contains(change.hint.addresses, address)) continue;
    const Family family = address.family();
    const auto now = std::find_if(addresses.begin(), addresses.end(),
                                  [&](const Address& other) { return other.family() == family; });
    notes.push_back(binding.pod.display() + " changed from " + address.to_string() + " to " +
                    now->to_string());
  }
  return ended;
}

void forget(RecordFolder& records, const PodKey& pod) {
  for (const auto& [address, binding] : bindings_of(records, pod)) records.remove(address);
  records.forget_evicted(pod);
}

std::uint64_t next_release_number(RecordFolder& records, RunFolder& run) {
  return run.next_sequence([&] { return highest_sequence(records); });
}

bool hold(RecordFolder& records, RunFolder& run, const std::vector<Address>& freed,
          const Owner& owner) {
  std::optional<std::uint64_t> sequence;
  const auto next = [&] {
    if (!sequence) sequence = next_release_number(records, run);
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
  return sequence && *sequence % kTrimInterval == 0;
}

}  // namespace allocator::store
