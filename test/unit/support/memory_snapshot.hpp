#pragma once
/// A store in memory for choose(): who holds what, what is bound to whom, where the cursors stand.
#include <map>
#include <set>
#include <string>

#include "test/unit/support/values.hpp"

namespace test {

class MemorySnapshot final : public allocator::Snapshot {
 public:
  std::optional<std::string> holder(const allocator::Address& address) override {
    const auto found = holders_.find(address);
    return found == holders_.end() ? std::nullopt : std::optional(found->second);
  }
  bool is_in_use(const allocator::Address& address) override {
    return holders_.count(address) != 0;
  }
  bool is_taken(const allocator::Address& address) override {
    return is_in_use(address) || is_closed(address) || bindings_.count(address) != 0 ||
           nonsense_.count(address) != 0;
  }
  std::optional<allocator::Binding> binding(const allocator::Address& address) override {
    const auto found = bindings_.find(address);
    return found == bindings_.end() ? std::nullopt : std::optional(found->second);
  }
  std::string describe_use(const allocator::Address& address) override {
    return "in use by " + holder(address).value_or("nobody");
  }
  bool is_closed(const allocator::Address& address) override { return closed_.count(address) != 0; }
  std::vector<allocator::HeldAddress> held() override {
    ++held_questions;
    std::vector<allocator::HeldAddress> held;
    for (const auto& [address, binding] : bindings_) {
      if (holders_.count(address) == 0) held.push_back(held_address(address, binding));
    }
    return held;
  }
  bool distrust_held() override { return false; }
  std::uint64_t number_of_namespace(const std::string& name) override { return number_of(name); }
  bool is_dead(const allocator::Address& address) override {
    ++death_questions;
    return dead_.count(address) != 0;
  }
  std::vector<allocator::Address> in_use_by_age(const allocator::RangeSet& set) override {
    std::vector<allocator::Address> addresses;
    for (const auto& address : by_age_) {
      if (set.contains(address) && holders_.count(address) != 0) addresses.push_back(address);
    }
    return addresses;
  }
  bool is_set_aside(const allocator::Address& address) override {
    return aside_.count(address) != 0;
  }
  std::vector<allocator::Address> set_aside() override { return {aside_.begin(), aside_.end()}; }
  std::optional<allocator::Address> cursor(std::size_t set) override {
    const auto found = cursors_.find(set);
    return found == cursors_.end() ? std::nullopt : std::optional(found->second);
  }

  MemorySnapshot& use(const std::string& address, const std::string& holder = "other eth0") {
    holders_[ip(address)] = holder;
    by_age_.push_back(ip(address));
    return *this;
  }
  /// In use by an attachment that is proven dead. The first one made is the oldest.
  MemorySnapshot& dead(const std::string& address, const std::string& holder = "dead eth0") {
    dead_.insert(ip(address));
    return use(address, holder);
  }
  MemorySnapshot& bind(const std::string& address, const allocator::PodKey& key,
                       std::uint64_t sequence = 0) {
    bindings_[ip(address)] = {key, "", sequence, 0, "12345678"};
    return *this;
  }
  MemorySnapshot& cursor_at(std::size_t set, const std::string& address) {
    cursors_.insert_or_assign(set, ip(address));
    return *this;
  }
  /// A record that makes no sense.
  MemorySnapshot& scribble(const std::string& address) {
    nonsense_.insert(ip(address));
    return *this;
  }
  MemorySnapshot& put_aside(const std::string& address) {
    aside_.insert(ip(address));
    return *this;
  }
  void free(const std::string& address) { holders_.erase(ip(address)); }

  /// What an ADD does with its choice.
  void apply(const allocator::Choice& choice) {
    for (const auto& pick : choice.picks) {
      holders_[pick.address] = "picked eth0";
      cursors_.insert_or_assign(pick.set, pick.address);
    }
  }

  /// A record there cannot be read.
  MemorySnapshot& close(const std::string& address) {
    closed_.insert(ip(address));
    return *this;
  }

  int held_questions = 0;
  int death_questions = 0;

 private:
  std::map<allocator::Address, std::string> holders_;
  std::map<allocator::Address, allocator::Binding> bindings_;
  std::map<std::size_t, allocator::Address> cursors_;
  std::vector<allocator::Address> by_age_;
  std::set<allocator::Address> dead_;
  std::set<allocator::Address> aside_;
  std::set<allocator::Address> nonsense_;
  std::set<allocator::Address> closed_;
};

inline std::string reason_name(allocator::Reason reason) {
  switch (reason) {
    case allocator::Reason::present:
      return "present";
    case allocator::Reason::pin:
      return "pin";
    case allocator::Reason::requested:
      return "requested";
    case allocator::Reason::held:
      return "held";
    case allocator::Reason::round_robin:
      return "round robin";
    case allocator::Reason::evicted:
      return "evicted";
    case allocator::Reason::reclaimed:
      return "reclaimed";
  }
  return "?";
}

/// "10.0.0.2 round robin; 2001:db8::2 held", or "error: <text>".
inline std::string outcome(const allocator::Choice& choice) {
  if (choice.failure) return std::string("error: ") + choice.failure->what();
  std::string text;
  for (const auto& pick : choice.picks) {
    text += (text.empty() ? "" : "; ") + pick.address.to_string() + " " + reason_name(pick.reason);
  }
  return text;
}

}  // namespace test
