#include "allocator/store/held.hpp"

#include <algorithm>
#include <system_error>

namespace allocator::store {
namespace {

constexpr std::size_t kHeldPerFamily = 4096;
constexpr std::uint64_t kTrimInterval = 64;  // counting all records is for now and then

std::uint64_t highest_sequence(RecordFolder& records) {
  std::uint64_t number = 0;
  for (const auto& [address, binding] : records.bindings())
    number = std::max(number, binding.sequence);
  return number;
}

/// Drops the bindings released longest ago when a family has more than its share. Those in use have
/// sequence 0.
void trim(RecordFolder& records) {
  for (const Family family : {Family::v4, Family::v6}) {
    std::vector<std::pair<std::uint64_t, Address>> held;
    for (const auto& [address, binding] : records.bindings()) {
      if (address.family() == family && binding.sequence != 0)
        held.emplace_back(binding.sequence, address);
    }
    if (held.size() <= kHeldPerFamily) continue;
    std::sort(held.begin(), held.end());
    for (std::size_t i = 0; i < held.size() - kHeldPerFamily; ++i) {
      const auto binding = records.binding(held[i].second);
      records.remove(held[i].second);
      if (binding) records.forget_evicted(binding->pod);
    }
  }
}

bool has_binding_of_family(RecordFolder& records, const PodKey& pod, Family family) {
  const auto hint = records.hint(pod);
  if (!hint) return false;
  return std::any_of(hint->addresses.begin(), hint->addresses.end(), [&](const Address& address) {
    if (address.family() != family) return false;
    const auto binding = records.binding(address);
    return binding && binding->pod == pod;
  });
}

}  // namespace

bool adopt(RecordFolder& records, const Address& address, const Binding& binding) {
  if (records.binding(address) || has_binding_of_family(records, binding.pod, address.family()))
    return false;
  PodHint hint = records.hint(binding.pod).value_or(PodHint{});
  std::erase_if(hint.addresses,
                [&](const Address& other) { return other.family() == address.family(); });
  hint.addresses.insert(hint.addresses.begin(), address);
  records.put(binding.pod, hint);
  records.put(address, binding);
  return true;
}

void bind(RecordFolder& records, const Address& address, const Binding& binding) {
  const auto before = records.binding(address);
  if (before && before->pod == binding.pod) return;
  PodHint hint = records.hint(binding.pod).value_or(PodHint{});
  std::vector<Address> given_up;
  for (const auto& other : hint.addresses) {
    if (other.family() == address.family()) given_up.push_back(other);
  }
  std::erase_if(hint.addresses,
                [&](const Address& other) { return other.family() == address.family(); });
  hint.addresses.insert(hint.addresses.begin(), address);
  records.put(binding.pod, hint);
  records.put(address, binding);
  for (const auto& other : given_up) {
    const auto own = records.binding(other);
    if (other != address && own && own->pod == binding.pod) records.remove(other);
  }
  if (before) records.forget_evicted(before->pod);
}

void forget(RecordFolder& records, const PodKey& pod) {
  const auto hint = records.hint(pod);
  if (!hint) return;
  for (const auto& address : hint->addresses) {
    const auto binding = records.binding(address);
    if (binding && binding->pod == pod) records.remove(address);
  }
  records.forget_evicted(pod);
}

void hold(RecordFolder& records, RuntimeFolder& runtime, const std::vector<Address>& freed,
          const FormerOwner& owner) {
  std::optional<std::uint64_t> sequence;
  const auto next = [&] {
    if (!sequence) sequence = runtime.next_sequence([&] { return highest_sequence(records); });
    return *sequence;
  };
  const auto hold_one = [&](const Address& address) {
    auto binding = records.binding(address);
    // The Go plugin gave it to another pod than the one that it is bound to.
    const bool is_others = binding && owner.pod && binding->pod != *owner.pod;
    if (binding && owner.pod && (owner.is_never_held || is_others)) {
      records.remove(address);
      records.forget_evicted(binding->pod);
      binding.reset();
    }
    if (binding) {
      binding->sequence = next();
      records.put(address, *binding);
    } else if (owner.pod && !owner.is_never_held) {
      adopt(records, address, {*owner.pod, owner.uid, next(), 0, {}});
    }
  };
  for (const auto& address : freed) {
    try {
      hold_one(address);
    } catch (const std::system_error&) {
      continue;
    } catch (const NewerFormat&) {
      continue;
    }
  }
  if (!sequence || *sequence % kTrimInterval != 0) return;
  try {
    trim(records);
  } catch (const std::system_error&) {
    return;  // the next occasion will do
  } catch (const NewerFormat&) {
    return;
  }
}

}  // namespace allocator::store
