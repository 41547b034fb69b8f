// What becomes of the pods of a network under another configuration.
#include "shim/cli/inspect/plan/forecast.hpp"

#include "test/unit/catch.hpp"
#include "test/unit/support/values.hpp"

using namespace shim::inspect;
using allocator::store::SurveyedAddress;
using test::contains;
using test::ip;

namespace {

/// A network of ours, as it is, in which pods run and have run.
class Today {
 public:
  explicit Today(std::initializer_list<const char*> subnets) {
    network_.name = "pods";
    network_.ipam_type = "delegated-ipam";
    network_.network_dir = "/networks/pods";
    network_.survey.has_records = true;
    network_.conf.allocation.sets = test::sets_of(subnets);
  }

  SurveyedAddress& run(const allocator::PodKey& pod, const std::string& address) {
    SurveyedAddress& one = use("sandbox of " + pod.pod_name, address, pod.ifname);
    one.binding = allocator::Binding{pod, {}, 0, 0, {}};
    one.has_record = true;
    return one;
  }

  SurveyedAddress& use(const std::string& container, const std::string& address,
                       const std::string& ifname = "eth0") {
    SurveyedAddress& one = at(address);
    one.is_in_use = true;
    one.attachment = {container, ifname};
    return one;
  }

  void hold(const std::string& pod, const std::string& address, std::uint64_t sequence) {
    SurveyedAddress& one = at(address);
    one.binding = allocator::Binding{test::pod(pod), {}, sequence, 0, {}};
    one.has_record = true;
  }

  [[nodiscard]] Network with(std::initializer_list<const char*> subnets) const {
    Network planned = network_;
    planned.conf.allocation.sets = test::sets_of(subnets);
    return planned;
  }
  [[nodiscard]] const Network& network() const { return network_; }
  Network& network() { return network_; }

 private:
  SurveyedAddress& at(const std::string& address) {
    return network_.survey.addresses.try_emplace(ip(address), ip(address)).first->second;
  }

  Network network_;
};

/// "web-0 MOVES 10.0.0.2>10.0.1.2, ..."
std::string told(const Forecast& forecast) {
  std::string text;
  for (const auto& one : forecast.pods)
    text += (text.empty() ? "" : ", ") + one.pod.pod_name + " " +
            std::string(name_of(one.outlook)) + " " + listed(one.now) + ">" + listed(one.after);
  return text;
}

std::string told(const Today& today, Network planned) {
  return told(forecast_of(today.network(), planned));
}

}  // namespace

TEST_CASE("who has an address inside the new ranges keeps it, the others move behind",
          "[forecast]") {
  Today today({"10.0.0.0/24"});
  today.run(test::pod("a"), "10.0.0.20");
  today.run(test::pod("b"), "10.0.0.2");
  today.hold("c", "10.0.0.3", 1);
  today.hold("d", "10.0.0.30", 2);
  Network planned = today.with({"10.0.0.0/29"});
  const auto forecast = forecast_of(today.network(), planned);
  CHECK(told(forecast) ==
        "a MOVES 10.0.0.20>10.0.0.4, d DORMANT 10.0.0.30>, b KEEPS 10.0.0.2>10.0.0.2, "
        "c KEEPS 10.0.0.3>10.0.0.3");
  CHECK(forecast.pods.front().why == "10.0.0.20 is outside the ranges");
  CHECK(forecast.counts.v4.free == 2);
}

TEST_CASE("a mover never gets what another pod comes back to", "[forecast]") {
  Today today({"10.0.0.0/24"});
  today.run(test::pod("a"), "10.0.0.20");
  today.run(test::pod("b"), "10.0.0.21");
  today.run(test::pod("c"), "10.0.0.2");  // the only one of a /30
  CHECK(told(today, today.with({"10.0.0.0/30"})) ==
        "a DOES-NOT-FIT 10.0.0.20>, b DOES-NOT-FIT 10.0.0.21>, c KEEPS 10.0.0.2>10.0.0.2");
}

TEST_CASE("the one held longest makes room for a mover", "[forecast]") {
  Today today({"10.0.0.0/24"});
  today.run(test::pod("a"), "10.0.0.20");
  today.hold("young", "10.0.0.2", 9);
  today.hold("old", "10.0.0.3", 4);
  Network planned = today.with({"10.0.0.0/29"});
  planned.conf.allocation.reservations.excluded = {test::span("10.0.0.4", "10.0.0.6")};
  const auto forecast = forecast_of(today.network(), planned);
  CHECK(told(forecast) ==
        "a MOVES 10.0.0.20>10.0.0.3, old EVICTED 10.0.0.3>, young KEEPS 10.0.0.2>10.0.0.2");
  CHECK(contains(forecast.pods[0].why, "default/old, whose binding ends"));
  CHECK(forecast.pods[1].why == "10.0.0.3 goes to default/a");
}

TEST_CASE("pods whose pins are each other's addresses change places", "[forecast]") {
  Today today({"10.0.0.0/29"});
  today.run(test::pod("a"), "10.0.0.2");
  today.run(test::pod("b"), "10.0.0.3");
  Network planned = today.with({"10.0.0.0/29"});
  planned.conf.allocation.reservations.pins = {test::pin("a", "10.0.0.3"),
                                               test::pin("b", "10.0.0.2")};
  CHECK(told(today, planned) == "a MOVES 10.0.0.2>10.0.0.3, b MOVES 10.0.0.3>10.0.0.2");
}

TEST_CASE("of two interfaces of a pod one gets the pin, the other what is free", "[forecast]") {
  Today today({"10.0.0.0/29"});
  today.run(test::pod("a", "eth0"), "10.0.0.2");
  today.run(test::pod("a", "net1"), "10.0.0.3");
  Network planned = today.with({"10.0.0.0/29"});
  planned.conf.allocation.reservations.pins = {test::pin("a", "10.0.0.6")};
  CHECK(told(today, planned) == "a MOVES 10.0.0.2>10.0.0.6, a KEEPS 10.0.0.3>10.0.0.3");
}

TEST_CASE("both families count: what keeps one moves with the other", "[forecast]") {
  Today today({"10.0.0.0/29", "fd00::/120"});
  today.run(test::pod("a"), "10.0.0.2");
  today.run(test::pod("a"), "fd00::2");
  CHECK(told(today, today.with({"10.0.0.0/29", "fd00::/120"})) ==
        "a KEEPS 10.0.0.2,fd00::2>10.0.0.2,fd00::2");
  CHECK(told(today, today.with({"10.0.0.0/29", "fd11::/120"})) ==
        "a MOVES 10.0.0.2,fd00::2>10.0.0.2,fd11::2");
  CHECK(told(today, today.with({"10.0.0.0/29"})) == "a MOVES 10.0.0.2,fd00::2>10.0.0.2");
}

TEST_CASE("who has no pod runs on, and is in the way", "[forecast]") {
  Today today({"10.0.0.0/29"});
  today.use("podman", "10.0.0.3");
  today.run(test::pod("a"), "10.0.0.2");
  Network planned = today.with({"10.0.0.0/29"});
  planned.conf.allocation.reservations.pins = {test::pin("a", "10.0.0.3")};
  const auto forecast = forecast_of(today.network(), planned);
  CHECK(told(forecast) == "a DOES-NOT-FIT 10.0.0.2>,  NOT-KEPT 10.0.0.3>");
  CHECK(contains(forecast.pods[0].why, "in use by container podman eth0"));
  CHECK(forecast.pods[1].why == "10.0.0.3 is pinned to default/a");
}

TEST_CASE("a dead container is in nobody's way", "[forecast]") {
  Today today({"10.0.0.0/29"});
  for (const char* address : {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"})
    today.use(address, address).is_dead = true;
  today.network().survey.addresses.at(ip("10.0.0.6")).stamp = allocator::store::Stamp{};
  today.run(test::pod("a"), "10.0.0.20");
  CHECK(told(today, today.with({"10.0.0.0/29"})) == "a MOVES 10.0.0.20>10.0.0.6");
}

TEST_CASE("what an ADD does not find, or must not take, is no return", "[forecast]") {
  Today today({"10.0.0.0/29"});
  today.run(test::pod("lost"), "10.0.0.2").is_led_to = false;
  today.run(test::pod("note"), "10.0.0.3").attachment.reset();
  today.run(test::pod("aside"), "10.0.0.4");
  today.network().survey.set_aside = test::ips({"10.0.0.4"});
  Network planned = today.network();
  const auto forecast = forecast_of(today.network(), planned);
  CHECK(
      told(forecast) ==
      "aside MOVES 10.0.0.4>10.0.0.5, lost MOVES 10.0.0.2>10.0.0.6, note MOVES 10.0.0.3>10.0.0.2");
  CHECK(forecast.pods[0].why == "10.0.0.4 is set aside");
  CHECK(forecast.pods[1].why == "its record does not lead to it");
  CHECK(contains(forecast.pods[2].why, "names no attachment"));
}

TEST_CASE("nothing is kept by another plugin, in another folder, or for whom retain leaves out",
          "[forecast]") {
  Today today({"10.0.0.0/29"});
  today.run(test::pod("a"), "10.0.0.2");
  today.hold("b", "10.0.0.3", 1);
  const std::string lost = "a MOVES 10.0.0.2>, b DORMANT 10.0.0.3>";
  Network planned = today.network();
  SECTION("host-local") { planned.ipam_type = "host-local"; }
  SECTION("retain: false") { planned.conf.placement.retain.enabled = false; }
  SECTION("retain.exclude") { planned.conf.placement.retain.exclude = {"default/*"}; }
  SECTION("another folder") {
    planned.network_dir = "/elsewhere/pods";
    planned.survey = {};
  }
  CHECK(told(today, planned) == lost);
}

TEST_CASE("a pin counts for whom nothing is kept, too", "[forecast]") {
  Today today({"10.0.0.0/29"});
  today.run(test::pod("a"), "10.0.0.2");
  today.run(test::pod("b"), "10.0.0.3");
  Network planned = today.network();
  planned.conf.placement.retain.exclude = {"default/*"};
  planned.conf.allocation.reservations.pins = {test::pin("a", "10.0.0.2")};
  CHECK(told(today, planned) == "b MOVES 10.0.0.3>, a KEEPS 10.0.0.2>10.0.0.2");
}

TEST_CASE("another state folder knows who is in use from the runtime's cache", "[forecast]") {
  Today today({"10.0.0.0/29"});
  today.run(test::pod("a"), "10.0.0.2");
  today.run(test::pod("b"), "10.0.0.3");
  today.hold("c", "10.0.0.4", 1);
  Network planned = today.network();
  planned.conf.placement.state_dir = "/elsewhere";
  planned.survey.addresses.erase(ip("10.0.0.4"));
  planned.survey.cursors = {ip("10.0.0.3")};
  for (auto& [address, one] : planned.survey.addresses) one.binding.reset();
  allocator::store::CachedAttachment known;
  known.attachment = {"sandbox of a", "eth0"};
  known.pod = test::pod("a");
  planned.cached.emplace("sandbox of a", known);
  CHECK(told(today, planned) ==
        "b MOVES 10.0.0.3>10.0.0.4, c DORMANT 10.0.0.4>, a KEEPS 10.0.0.2>10.0.0.2");
}
