#include "test/proof/oracle.hpp"

#include <algorithm>

#include "test/proof/tree.hpp"

namespace proof {
namespace {

std::uint64_t mixed_all(std::uint64_t hash, const std::set<std::string>& texts) {
  for (const auto& text : texts) hash = mixed(hash, text);
  return mixed(hash, texts.size());
}

std::uint64_t mixed_all(std::uint64_t hash, const std::vector<std::string>& texts) {
  for (const auto& text : texts) hash = mixed(hash, text);
  return mixed(hash, texts.size());
}

}  // namespace

bool share_one(const std::vector<std::string>& left, const std::vector<std::string>& right) {
  return std::any_of(left.begin(), left.end(), [&](const std::string& address) {
    return std::find(right.begin(), right.end(), address) != right.end();
  });
}

void Oracle::tell(const std::string& container, const Told& told) {
  for (auto one = present.begin(); one != present.end();) {
    if (one->first != container && share_one(one->second.addresses, told.addresses)) {
      ended.insert(one->first);
      lost.erase(one->first);
      one = present.erase(one);
    } else {
      ++one;
    }
  }
  take(told);
  moving.erase(told.pod);
  present[container] = told;
  pods[container] = told.pod;
  ended.erase(container);
  unknown.erase(container);
  lost.erase(container);
  unflushed.erase(container);
  if (!told.is_retained) {
    kept.erase(told.pod);
  } else if (told.is_durable) {
    kept[told.pod] = {told.addresses};
  }
}

void Oracle::take(const Told& told) {
  std::erase_if(kept, [&](const auto& one) {
    return one.first != told.pod &&
           std::any_of(one.second.begin(), one.second.end(),
                       [&](const auto& addresses) { return share_one(addresses, told.addresses); });
  });
}

void Oracle::end(const std::string& container) {
  present.erase(container);
  unknown.erase(container);
  lost.erase(container);
  doubled.erase(container);
  if (unflushed.count(container) == 0) ended.insert(container);
}

void Oracle::forget(const std::string& container) {
  present.erase(container);
  ended.erase(container);
  lost.erase(container);
  unknown.insert(container);
}

bool Oracle::knows(const std::string& container) const {
  return present.count(container) + unknown.count(container) + unflushed.count(container) +
             ended.count(container) !=
         0;
}

std::uint64_t Oracle::fingerprint() const {
  std::uint64_t hash = 0;
  for (const auto& [container, told] : present) {
    hash = mixed_all(mixed(mixed(hash, container), told.pod), told.addresses);
    hash = mixed(hash, told.is_durable ? 1U : 0U);
  }
  for (const auto* texts : {&ended, &unknown, &lost, &unflushed, &moving, &blank, &interrupted})
    hash = mixed_all(hash, *texts);
  for (const auto& [pod, choices] : kept) {
    hash = mixed(hash, pod);
    for (const auto& addresses : choices) hash = mixed_all(hash, addresses);
  }
  // Without any the numbers are what they were: they decide what crash_states draws.
  return doubled.empty() ? hash : mixed_all(hash, doubled);
}

}  // namespace proof
