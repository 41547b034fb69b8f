#include "allocator/store/survey/survey_snapshot.hpp"

#include <algorithm>

#include "allocator/store/bindings.hpp"

namespace allocator::store {

bool SurveySnapshot::holds(const SurveyedAddress& one) const {
  return one.is_in_use && (!one.attachment || std::find(ended_.begin(), ended_.end(),
                                                        *one.attachment) == ended_.end());
}

std::optional<std::string> SurveySnapshot::holder(const Address& address) {
  const SurveyedAddress* one = survey_.find(address);
  if (one == nullptr || !holds(*one)) return std::nullopt;
  if (!one->attachment) return "an unknown owner";
  return one->attachment->container_id + " " + one->attachment->ifname;
}

bool SurveySnapshot::is_in_use(const Address& address) {
  const SurveyedAddress* one = survey_.find(address);
  return one != nullptr && holds(*one);
}

bool SurveySnapshot::is_taken(const Address& address) {
  const SurveyedAddress* one = survey_.find(address);
  return one != nullptr && (holds(*one) || one->has_record);
}

std::optional<Binding> SurveySnapshot::binding(const Address& address) {
  const SurveyedAddress* one = survey_.find(address);
  return one == nullptr ? std::nullopt : one->binding;
}

std::string SurveySnapshot::describe_use(const Address& address) {
  return "in use by " + holder(address).value_or("nobody any more");
}

bool SurveySnapshot::is_closed(const Address& address) {
  const SurveyedAddress* one = survey_.find(address);
  return one != nullptr && one->is_closed;
}

std::vector<HeldAddress> SurveySnapshot::held() {
  std::vector<HeldAddress> held;
  for (const auto& [address, one] : survey_.addresses) {
    if (one.binding && !holds(one)) held.push_back(as_held(one.address, *one.binding));
  }
  return held;
}

std::uint64_t SurveySnapshot::number_of_namespace(const std::string& name) {
  return store::number_of_namespace(name);
}

bool SurveySnapshot::is_dead(const Address& address) {
  const SurveyedAddress* one = survey_.find(address);
  return one != nullptr && one->is_dead;
}

std::vector<Address> SurveySnapshot::in_use_by_age(const RangeSet& set) {
  constexpr std::size_t oldest = 1U << 30;
  std::vector<std::pair<std::ptrdiff_t, Address>> by_age;
  for (const auto& [address, one] : survey_.addresses) {
    if (!holds(one) || !one.stamp || !set.contains(one.address)) continue;
    const auto& boot = one.stamp->boot_id.empty() ? one.stamp->container_boot : one.stamp->boot_id;
    const std::size_t ago = boots_ago(survey_, boot8_of(boot)).value_or(oldest);
    by_age.emplace_back(-static_cast<std::ptrdiff_t>(ago), address);
  }
  std::sort(by_age.begin(), by_age.end());
  std::vector<Address> addresses;
  addresses.reserve(by_age.size());
  for (const auto& [age, address] : by_age) addresses.push_back(address);
  return addresses;
}

std::optional<Address> SurveySnapshot::cursor(std::size_t set) {
  return set < survey_.cursors.size() ? survey_.cursors[set] : std::nullopt;
}

}  // namespace allocator::store
