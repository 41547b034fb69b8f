// What each address of a network counts as, and how many there are of each.
#include "shim/cli/inspect/networks/states.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/values.hpp"

using namespace shim::inspect;
using allocator::store::SurveyedAddress;
using test::ip;

namespace {

SurveyedAddress& use(Network& network, const std::string& address) {
  auto& one = network.survey.addresses.try_emplace(ip(address), ip(address)).first->second;
  one.is_in_use = true;
  return one;
}

SurveyedAddress& hold(Network& network, const std::string& address) {
  auto& one = network.survey.addresses.try_emplace(ip(address), ip(address)).first->second;
  one.has_record = true;
  return one;
}

std::string unused_text(const Network& network) {
  std::string text;
  for (const auto& one : unused_of(network))
    text += (text.empty() ? "" : ", ") + std::string(name_of(one.state)) + " " + one.to_string() +
            (one.why.empty() ? "" : " " + std::string(one.why));
  return text;
}

}  // namespace

TEST_CASE("the first match decides: in use, dead, reserved, held, free", "[states]") {
  Network network;
  network.conf.allocation.sets = test::sets_of({"10.0.0.0/29"});
  network.conf.allocation.reservations.excluded = {test::span("10.0.0.4", "10.0.0.5")};
  network.conf.allocation.reservations.pins = {test::pin("web", "10.0.0.3")};
  hold(network, "10.0.0.3");
  hold(network, "10.0.0.4");
  hold(network, "10.0.0.6");
  use(network, "10.0.0.5");
  use(network, "10.0.0.2").is_dead = true;
  const auto name = [&](const char* address) { return name_of(state_of(network, ip(address))); };
  CHECK(name("10.0.0.1") == "reserved");
  CHECK(name("10.0.0.2") == "dead");
  CHECK(name("10.0.0.3") == "reserved");
  CHECK(name("10.0.0.4") == "reserved");
  CHECK(name("10.0.0.5") == "in-use");
  CHECK(name("10.0.0.6") == "held");
  CHECK(unused_text(network) ==
        "reserved 10.0.0.1 gateway, reserved 10.0.0.3 pinned, reserved 10.0.0.4 excluded");
  const Counts counts = count(network).all();
  CHECK((counts.in_use == 1 && counts.dead == 1 && counts.reserved == 3 && counts.held == 1));
  CHECK(counts.free == 0);
}

TEST_CASE("excluded spans may overlap, and lie around pins, users and the ends", "[states]") {
  Network network;
  network.conf.allocation.sets = test::sets_of({"10.0.0.0/27"});
  network.conf.allocation.reservations.excluded = {test::span("10.0.0.8", "10.0.0.12"),
                                                   test::span("10.0.0.10", "10.0.0.14"),
                                                   test::span("10.0.0.28", "10.0.1.9")};
  network.conf.allocation.reservations.pins = {test::pin("web", "10.0.0.11")};
  use(network, "10.0.0.9");
  CHECK(unused_text(network) ==
        "reserved 10.0.0.1 gateway, free 10.0.0.2-10.0.0.7, reserved 10.0.0.8 excluded, "
        "reserved 10.0.0.10-10.0.0.14 excluded, free 10.0.0.15-10.0.0.27, "
        "reserved 10.0.0.28-10.0.0.30 excluded");
  const Counts counts = count(network).all();
  CHECK(counts.in_use + counts.reserved + counts.free == 30);
}

TEST_CASE("more addresses than can be counted", "[states]") {
  Network network;
  network.conf.allocation.sets = test::sets_of({"fd00::/16"});
  CHECK(count(network).all().free == ~std::uint64_t{0});
}

TEST_CASE("an address that no range hands out any more is still somebody's", "[states]") {
  Network network;
  use(network, "10.9.0.2");
  CHECK_FALSE(is_outside(network, ip("10.9.0.2")));  // the ranges are not known
  network.conf.allocation.sets = test::sets_of({"10.0.0.0/29"});
  CHECK(is_outside(network, ip("10.9.0.2")));
  CHECK(count(network).all().in_use == 1);
}
