// Whose held addresses go: every namespace pays for its own pods.
#include "allocator/fairness.hpp"

#include <map>

#include "test/unit/catch.hpp"
#include "test/unit/support/random.hpp"
#include "test/unit/support/values.hpp"

using allocator::HeldAddress;
using test::ip;

namespace {

HeldAddress held(const std::string& address, const std::string& space, const std::string& name,
                 std::uint64_t sequence, const std::string& ifname = "eth0") {
  return test::held_address(ip(address), {{space, name, ifname}, "", sequence, 0, {}});
}

std::string first(const std::vector<HeldAddress>& all, const std::optional<std::string>& space) {
  const auto number = space ? std::optional(test::number_of(*space)) : std::nullopt;
  const HeldAddress* found = allocator::first_to_go(all, number);
  return found == nullptr ? "none" : found->address.to_string();
}

std::string joined(const std::vector<HeldAddress>& all) {
  std::string text;
  for (const auto& one : all) text += (text.empty() ? "" : " ") + one.address.to_string();
  return text;
}

const std::vector<HeldAddress> kTwoTenants = {
    held("10.0.0.2", "bank", "web-0", 1), held("10.0.0.3", "shop", "a", 2),
    held("10.0.0.4", "shop", "b", 3), held("10.0.0.5", "bank", "web-1", 4),
    held("10.0.0.6", "shop", "c", 5)};

}  // namespace

TEST_CASE("a namespace makes room for its own pods", "[fairness]") {
  CHECK(first(kTwoTenants, "bank") == "10.0.0.2");
  CHECK(first(kTwoTenants, "shop") == "10.0.0.3");
}

TEST_CASE("for a namespace that holds nothing, the one that holds most makes room", "[fairness]") {
  CHECK(first(kTwoTenants, "evil") == "10.0.0.3");
  CHECK(first(kTwoTenants, std::nullopt) == "10.0.0.3");
  CHECK(first({}, "evil") == "none");
}

TEST_CASE("of two that hold as many, the address held longest goes", "[fairness]") {
  auto two = kTwoTenants;
  two.pop_back();
  CHECK(first(two, std::nullopt) == "10.0.0.2");
}

TEST_CASE("what no DEL has ended goes last, of two such the lower address", "[fairness]") {
  CHECK(first({held("10.0.0.2", "shop", "a", 0), held("10.0.0.9", "shop", "b", 7)}, "shop") ==
        "10.0.0.9");
  CHECK(first({held("10.0.0.3", "shop", "a", 0), held("10.0.0.2", "shop", "b", 0)}, "shop") ==
        "10.0.0.2");
}

TEST_CASE("over the limit, the namespace that has most gives way", "[fairness]") {
  CHECK(joined(allocator::surplus(kTwoTenants, 5, 16)).empty());
  CHECK(joined(allocator::surplus(kTwoTenants, 4, 16)) == "10.0.0.3");
  CHECK(joined(allocator::surplus(kTwoTenants, 3, 16)) == "10.0.0.3 10.0.0.2");
  CHECK(allocator::surplus(kTwoTenants, 0, 16).size() == 5);
}

TEST_CASE("a pod's interfaces count together", "[fairness]") {
  std::vector<HeldAddress> all;
  for (unsigned i = 0; i < 20; ++i) {
    all.push_back(
        held("10.0.1." + std::to_string(i), "evil", "many", 100 - i, "net" + std::to_string(i)));
  }
  all.push_back(held("10.0.0.2", "bank", "web-0", 1));
  CHECK(joined(allocator::surplus(all, 4096, 16)) == "10.0.1.16 10.0.1.17 10.0.1.18 10.0.1.19");
}

TEST_CASE("no namespace falls below what each could have", "[fairness]") {
  test::Random random;
  INFO(test::Random::note());
  for (int round = 0; round < 200; ++round) {
    std::vector<HeldAddress> all;
    std::map<std::uint64_t, std::size_t> before;
    const std::size_t count = random.below(60);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string space = "n" + std::to_string(random.below(5));
      ++before[test::number_of(space)];
      all.push_back(
          held("10.0.0." + std::to_string(i), space, "p" + std::to_string(i), random.below(1000)));
    }
    const std::size_t limit = random.below(60);
    auto left = before;
    const auto gone = allocator::surplus(all, limit, 16);
    for (const auto& one : gone) --left[one.space];
    REQUIRE(gone.size() == (count > limit ? count - limit : 0));
    const std::size_t share = before.empty() ? 0 : limit / before.size();
    for (const auto& [space, number] : before) CHECK(left[space] >= std::min(number, share));
  }
}
