#pragma once
/// Short spellings of the allocator's values for tests. Bad text is a mistake in the test: it
/// throws.
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "allocator/choose.hpp"
#include "allocator/range_set.hpp"

namespace test {

inline allocator::Address ip(const std::string& text) {
  const auto address = allocator::Address::parse(text);
  if (!address) throw std::invalid_argument("no address: " + text);
  return *address;
}

inline allocator::Cidr cidr(const std::string& text) {
  const auto block = allocator::Cidr::parse(text);
  if (!block) throw std::invalid_argument("no CIDR block: " + text);
  return *block;
}

/// "" stands for a missing address.
inline std::optional<allocator::Address> maybe_ip(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(ip(text));
}

/// A range as written; "" leaves a part out.
struct RangeText {
  std::string subnet;
  std::string start = {};
  std::string end = {};
  std::string gateway = {};
};

inline allocator::RangeSpec spec(const RangeText& text) {
  return {cidr(text.subnet), maybe_ip(text.start), maybe_ip(text.end), maybe_ip(text.gateway)};
}

inline allocator::RangeSet range_set(std::initializer_list<RangeText> texts) {
  std::vector<allocator::RangeSpec> specs;
  for (const auto& text : texts) specs.push_back(spec(text));
  return allocator::RangeSet(specs);
}

/// One set for each subnet.
inline allocator::RangeSets sets_of(std::initializer_list<const char*> subnets) {
  allocator::RangeSets sets;
  for (const char* subnet : subnets) sets.push_back(range_set({{subnet}}));
  return sets;
}

inline std::vector<allocator::Address> ips(std::initializer_list<const char*> texts) {
  std::vector<allocator::Address> addresses;
  for (const char* text : texts) addresses.push_back(ip(text));
  return addresses;
}

/// The number that stands for a name in a list of held addresses.
inline std::uint64_t number_of(const std::string& name) { return std::hash<std::string>()(name); }

inline allocator::HeldAddress held_address(const allocator::Address& address,
                                           const allocator::Binding& binding) {
  const allocator::PodKey& pod = binding.pod;
  return {address, number_of(pod.pod_namespace), number_of(pod.pod_namespace + "/" + pod.pod_name),
          binding.sequence};
}

inline allocator::PodKey pod(const std::string& name, const std::string& ifname = "eth0") {
  return {"default", name, ifname};
}

inline allocator::Pin pin(const std::string& pod_name, const std::string& address) {
  return {"default", pod_name, ip(address)};
}

inline allocator::Span span(const std::string& first, const std::string& last) {
  return {ip(first), ip(last)};
}

/// "10.0.0.2 10.0.0.3"
inline std::string joined(const std::vector<allocator::Address>& addresses) {
  std::string text;
  for (const auto& address : addresses) text += (text.empty() ? "" : " ") + address.to_string();
  return text;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace test
