// A pod's bindings change hands: wherever the command dies, no binding is held for nobody.
#include "allocator/store/bindings.hpp"

#include <functional>
#include <string>
#include <vector>

#include "test/unit/catch.hpp"
#include "test/unit/support/faults.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::Binding;
using allocator::PodHint;
using allocator::store::RecordFolder;
using test::ip;
using test::ips;
using test::pod;
using test::StoreWorld;

namespace {

constexpr const char* kBoot = "12345678";

Binding binding_of(const std::string& name, std::uint64_t sequence = 0) {
  return {pod(name), "uid", sequence, 0, kBoot};
}

/// "web" comes from 10.0.0.2, to which it is bound, to 10.0.0.3, which is held for "other".
using Way = std::function<void(RecordFolder&, std::vector<std::string>&)>;

struct NamedWay {
  std::string name;
  Way run;
};

std::vector<NamedWay> ways() {
  return {
      {"what a plugin answered",
       [](RecordFolder& records, std::vector<std::string>& notes) {
         bind_answer(records, binding_of("web"), ips({"10.0.0.3"}), notes);
       }},
      {"what an attachment was found to have",
       [](RecordFolder& records, std::vector<std::string>& notes) {
         bind_attachment(records, ips({"10.0.0.3"}), binding_of("web"), notes);
       }},
  };
}

RecordFolder open_records(StoreWorld& world) {
  std::vector<std::string> changed;
  return RecordFolder::create(world.fs, world.options.state_dir, world.options.network_dir,
                              changed);
}

void prepare(StoreWorld& world) {
  auto records = open_records(world);
  records.put(pod("web"), PodHint{ips({"10.0.0.2"}), {}});
  records.put(ip("10.0.0.2"), binding_of("web"));
  records.put(pod("other"), PodHint{ips({"10.0.0.3"}), {}});
  records.put(ip("10.0.0.3"), binding_of("other", 7));
}

/// False when the command came to its end before the fault.
bool dies_at(int position, const Way& way) {
  StoreWorld world;
  prepare(world);
  const test::ArmedFault fault(world.fs, {position, EIO, test::Mode::crashes});
  std::vector<std::string> notes;
  try {
    auto records = open_records(world);
    way(records, notes);
  } catch (const std::system_error&) {
    CHECK(fault.was_met());
    CHECK(notes.empty());  // nothing is told that may not have happened
  }
  INFO("killed at call " << position << ": " << fault.call());
  CHECK(world.orphans().empty());
  return fault.was_met();
}

}  // namespace

TEST_CASE("bindings: killed at any call, no address is held for nobody", "[store]") {
  for (const auto& [name, way] : ways()) {
    INFO(name);
    int position = 1;
    while (position < test::kManyCalls && dies_at(position, way)) ++position;
    CHECK(position > 5);
    CHECK(position < test::kManyCalls);
  }
}

TEST_CASE("bindings: a pod that moves leaves its address, and ends what was bound on the new one",
          "[store]") {
  for (const auto& [name, way] : ways()) {
    INFO(name);
    StoreWorld world;
    prepare(world);
    auto records = open_records(world);
    std::vector<std::string> notes;
    way(records, notes);
    CHECK_FALSE(records.binding(ip("10.0.0.2")));
    CHECK(records.binding(ip("10.0.0.3"))->pod == pod("web"));
    CHECK(records.hint(pod("web"))->addresses == ips({"10.0.0.3"}));
    CHECK_FALSE(records.hint(pod("other")));
    CHECK(bindings_of(records, pod("web")).size() == 1);
  }
}
