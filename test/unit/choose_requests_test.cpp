// Which addresses a pod's author may ask for.
#include <algorithm>
#include <map>

#include "allocator/choose.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/memory_snapshot.hpp"
#include "test/unit/support/random.hpp"

using allocator::Choice;
using allocator::Kind;
using allocator::PodKey;
using allocator::RangeSets;
using allocator::Reason;
using allocator::Wish;
using Catch::Matchers::Contains;
using test::ip;
using test::MemorySnapshot;
using test::outcome;
using test::sets_of;

namespace {

const PodKey kBank{"bank", "web-0", "eth0"};

/// One IPv4 set of .2 to .6; .4 is bound to bank/web-0.
struct RequestNode {
  RequestNode() { snapshot.bind("10.0.0.4", kBank, 1); }

  Choice ask(const std::optional<PodKey>& pod, const char* address, bool may_ask = false) {
    Wish wish;
    wish.pod = pod;
    wish.requested = {ip(address)};
    wish.may_ask_for_others = may_ask;
    return allocator::choose(sets, {}, wish, snapshot);
  }

  RangeSets sets = sets_of({"10.0.0.0/29"});
  MemorySnapshot snapshot;
};

void check_refused(const Choice& choice, const std::string& why, Kind kind = Kind::refused) {
  REQUIRE(choice.failure);
  CHECK(choice.failure->kind == kind);
  CHECK_THAT(choice.failure->what(), Contains(why));
  CHECK_THAT(choice.failure->what(), !Contains("web-0") && !Contains("bank"));
}

}  // namespace

TEST_CASE("an address that is held for another namespace is not had by asking", "[requests]") {
  RequestNode node;
  check_refused(node.ask(PodKey{"evil", "thief", "eth0"}, "10.0.0.4"),
                "kept for a pod of another namespace");
  CHECK(outcome(node.ask(PodKey{"evil", "thief", "eth0"}, "10.0.0.5")) == "10.0.0.5 requested");
}

TEST_CASE("who has the namespace has its held addresses", "[requests]") {
  RequestNode node;
  CHECK(outcome(node.ask(kBank, "10.0.0.4")) == "10.0.0.4 requested");
  CHECK(outcome(node.ask(PodKey{"bank", "web-0", "net1"}, "10.0.0.4")) == "10.0.0.4 requested");
  CHECK(outcome(node.ask(PodKey{"bank", "other", "eth0"}, "10.0.0.4")) == "10.0.0.4 requested");
}

TEST_CASE("the operator may ask for everything that is in no use", "[requests]") {
  RequestNode node;
  CHECK(outcome(node.ask(PodKey{"evil", "thief", "eth0"}, "10.0.0.4", true)) ==
        "10.0.0.4 requested");
  CHECK(outcome(node.ask(std::nullopt, "10.0.0.4")) == "10.0.0.4 requested");
}

TEST_CASE("what is recorded for a dead sandbox is its pod's until its DEL", "[requests]") {
  RequestNode node;
  SECTION("bound") {
    node.snapshot.dead("10.0.0.4");
    check_refused(node.ask(PodKey{"evil", "thief", "eth0"}, "10.0.0.4"), "another namespace");
    check_refused(node.ask(PodKey{"bank", "other", "eth0"}, "10.0.0.4"), "has not been deleted",
                  Kind::busy);
    CHECK(outcome(node.ask(kBank, "10.0.0.4")) == "10.0.0.4 requested");
    CHECK(outcome(node.ask(PodKey{"evil", "thief", "eth0"}, "10.0.0.4", true)) ==
          "10.0.0.4 requested");
  }
  SECTION("not bound to anybody") {
    node.snapshot.dead("10.0.0.5");
    check_refused(node.ask(PodKey{"evil", "thief", "eth0"}, "10.0.0.5"), "has not been deleted",
                  Kind::busy);
    CHECK(outcome(node.ask(std::nullopt, "10.0.0.5")) == "10.0.0.5 requested");
  }
}

namespace {

/// A node of five addresses with pods of several namespaces, lived through step by step: what the
/// store does with each choice.
class History final : public allocator::Snapshot {
 public:
  using Address = allocator::Address;

  History(const RangeSets& sets, test::Random& random) : sets_(sets), random_(random) {}

  std::optional<std::string> holder(const Address& address) override {
    return in_use_.count(address) == 0 ? std::nullopt : std::optional<std::string>("other eth0");
  }
  std::optional<allocator::Binding> binding(const Address& address) override {
    const auto found = bindings_.find(address);
    return found == bindings_.end() ? std::nullopt : std::optional(found->second);
  }
  std::string describe_use(const Address&) override { return {}; }
  bool is_closed(const Address&) override { return false; }
  bool is_in_use(const Address& address) override { return holder(address).has_value(); }
  bool is_taken(const Address& address) override {
    return is_in_use(address) || binding(address).has_value();
  }
  std::vector<allocator::HeldAddress> held() override {
    std::vector<allocator::HeldAddress> held;
    for (const auto& [address, binding] : bindings_) {
      if (in_use_.count(address) == 0) held.push_back(test::held_address(address, binding));
    }
    return held;
  }
  bool distrust_held() override { return false; }
  std::uint64_t number_of_namespace(const std::string& name) override {
    return test::number_of(name);
  }
  bool is_dead(const Address& address) override { return in_use_.at(address); }
  std::vector<Address> in_use_by_age(const allocator::RangeSet&) override {
    std::vector<Address> addresses;
    for (const auto& [address, is_dead] : in_use_) addresses.push_back(address);
    return addresses;
  }
  bool is_set_aside(const Address&) override { return false; }
  std::vector<Address> set_aside() override { return {}; }
  std::optional<Address> cursor(std::size_t) override { return std::nullopt; }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
  }

  int refused = 0;
  int evictions = 0;
  int returns = 0;
  std::string faults;

 private:
  PodKey any_pod() {
    return {"n" + std::to_string(random_.below(3)), "p" + std::to_string(random_.below(3)), "eth0"};
  }

  void step() {
    switch (random_.below(8)) {
      case 0:
        return reboot();
      case 1:
      case 2:
        return del();
      default:
        // Without a DEL before it: a pod that was deleted by force.
        return add(any_pod(), random_.coin());
    }
  }

  void reboot() {
    if (random_.below(4) != 0) return;
    for (auto& [address, is_dead] : in_use_) is_dead = true;
  }

  void del() {
    if (in_use_.empty()) return;
    auto one = in_use_.begin();
    std::advance(one, static_cast<std::ptrdiff_t>(random_.below(in_use_.size())));
    const auto bound = bindings_.find(one->first);
    if (bound != bindings_.end()) bound->second.sequence = ++sequence_;
    in_use_.erase(one);
  }

  void add(const PodKey& pod, bool requests) {
    Wish wish;
    wish.pod = pod;
    for (const auto& [address, binding] : bindings_) {
      if (binding.pod == pod) wish.bound.push_back(address);
    }
    if (requests) wish.requested = {address_at(1 + random_.below(5))};
    const Choice choice = allocator::choose(sets_, {}, wish, *this);
    if (choice.failure) {
      ++refused;
      return;
    }
    const char* fault = wrong(pod, wish, choice.picks.front());
    if (fault != nullptr) faults += std::string(fault) + "; ";
    take(pod, choice.picks.front().address);
  }

  /// What one pod gets takes nothing from another namespace, unless nothing else was left: what
  /// went against that, or nullptr.
  const char* wrong(const PodKey& pod, const Wish& wish, const allocator::Pick& pick) {
    const auto bound = bindings_.find(pick.address);
    const bool is_others =
        bound != bindings_.end() && bound->second.pod.pod_namespace != pod.pod_namespace;
    if (pick.reason == Reason::held) ++returns;
    if (!is_others) return nullptr;
    ++evictions;
    if (!wish.requested.empty()) return "a request took it";
    if (pick.reason != Reason::evicted && pick.reason != Reason::reclaimed) return "not exhausted";
    std::map<std::string, std::size_t> held;
    for (std::size_t i = 1; i <= 5; ++i) {
      const Address address = address_at(i);
      const auto owner = bindings_.find(address);
      if (in_use_.count(address) != 0) continue;
      if (owner == bindings_.end()) return "one was free";
      ++held[owner->second.pod.pod_namespace];
    }
    if (pick.reason == Reason::reclaimed) return held.empty() ? nullptr : "one was held";
    if (held.count(pod.pod_namespace) != 0) return "its own namespace held one";
    const std::size_t of_loser = held[bound->second.pod.pod_namespace];
    const bool is_most = std::all_of(held.begin(), held.end(),
                                     [&](const auto& one) { return one.second <= of_loser; });
    return is_most ? nullptr : "another namespace held more";
  }

  void take(const PodKey& pod, const Address& address) {
    std::erase_if(bindings_, [&](const auto& one) { return one.second.pod == pod; });
    bindings_[address] = {pod, "", 0, 0, ""};
    in_use_[address] = false;
  }

  /// The gateway is number 0.
  [[nodiscard]] Address address_at(std::size_t number) const {
    Address address = sets_.front().ranges().front().gateway;
    for (; number > 0; --number) address = *address.next();
    return address;
  }

  const RangeSets& sets_;
  test::Random& random_;
  std::map<Address, bool> in_use_;  // and whether it is proven dead
  std::map<Address, allocator::Binding> bindings_;
  std::uint64_t sequence_ = 0;
};

}  // namespace

TEST_CASE("no request takes what another namespace comes back to, in 100 000 histories",
          "[requests]") {
  test::Random random;
  INFO(test::Random::note());
  const RangeSets sets = sets_of({"10.0.0.0/29"});
  int refused = 0;
  int evictions = 0;
  int returns = 0;
  for (int i = 0; i < 100'000; ++i) {
    History history(sets, random);
    history.run(10);
    refused += history.refused;
    evictions += history.evictions;
    returns += history.returns;
    if (!history.faults.empty()) FAIL_CHECK("history " << i << ": " << history.faults);
  }
  // Otherwise the histories are too quiet to show anything.
  CHECK(refused > 1000);
  CHECK(evictions > 1000);
  CHECK(returns > 1000);
}
