#include "allocator/store/snapshot.hpp"

#include <algorithm>

namespace allocator::store {

std::optional<Binding> StoreSnapshot::binding(const Address& address) {
  return records_ ? records_->binding(address) : std::nullopt;
}

std::string StoreSnapshot::describe_use(const Address& address) {
  const auto user = network_.holder(address);
  const auto bound = binding(address);
  const AttachmentFile* file = network_.file_of(address);
  return "in use by " + user.value_or("nobody any more") +
         (bound ? ", bound to " + bound->pod.display() : "") + ": " + network_.path() +
         (file == nullptr ? "" : "/" + file->name);
}

bool StoreSnapshot::is_taken(const Address& address) {
  return network_.is_in_use(address) || (records_ && records_->has_binding(address));
}

bool StoreSnapshot::is_closed(const Address& address) {
  return records_ && records_->why_closed(address).has_value();
}

bool StoreSnapshot::is_dead(const Address& address) {
  if (!records_) return false;
  const AttachmentFile* file = network_.file_of(address);
  if (file == nullptr || !names_attachment(*file)) return false;
  return judge_.is_owner_dead(network_, *file, network_.stamp_of(file->name));
}

std::optional<Address> StoreSnapshot::cursor(std::size_t set) { return network_.cursor(set); }

std::vector<Address> StoreSnapshot::in_use_by_age(const RangeSet& set) {
  if (!records_) return {};
  auto boots = records_->boots();
  const std::string boot8 = boot8_of(session_.boot_id());
  if (boots.empty() || boots.back() != boot8) boots.push_back(boot8);
  std::vector<std::pair<std::ptrdiff_t, Address>> by_boot;
  for (const auto& file : network_.files()) {
    if (!file.address || !set.contains(*file.address)) continue;
    const auto stamp = network_.stamp_of(file.name);
    if (!stamp) continue;
    const auto& boot = stamp->boot_id.empty() ? stamp->container_boot : stamp->boot_id;
    const auto found = std::find(boots.begin(), boots.end(), boot8_of(boot));
    // A boot that fell out of the list is older than all in it.
    by_boot.emplace_back(found == boots.end() ? -1 : found - boots.begin(), *file.address);
  }
  std::sort(by_boot.begin(), by_boot.end());
  std::vector<Address> addresses;
  addresses.reserve(by_boot.size());
  for (const auto& [boot, address] : by_boot) addresses.push_back(address);
  return addresses;
}

}  // namespace allocator::store
