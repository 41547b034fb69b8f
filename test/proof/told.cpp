#include "test/proof/told.hpp"

#include <nlohmann/json.hpp>

namespace proof {
namespace {

using Json = nlohmann::json;

Json told_of(const Event& event, const World& world) {
  const Happening& came = world.happening();
  Json one = {{"event", text_of(event)},
              {"nothing", came.is_nothing},
              {"files", world.files()},
              {"records", world.records()},
              {"read_only", world.is_read_only()},
              {"cached", world.cached()}};
  if (came.is_nothing) return one;
  one["container"] = came.container;
  one["pod"] = came.pod;
  one["new"] = came.is_new_namespace;
  one["addresses"] = came.addresses;
  one["failure"] = came.failure;
  one["valid"] = came.valid;
  one["name"] = came.name;
  one["text"] = came.text;
  return one;
}

}  // namespace

History playable(History history) {
  history.setting.model = Model::ext4;
  Setting& setting = history.setting;
  setting.is_slow = false;
  setting.is_old_kernel = setting.is_root_immutable = setting.is_node_container = false;
  setting.attributes = Attributes::kept;
  std::erase_if(history.events, [](const Event& event) { return is_odd(event.kind); });
  history.setting.reuses_numbers = history.setting.reuses_namespaces = true;
  for (auto& event : history.events) {
    event.fate = Fate::whole;
    if (event.kind == Kind::power_cut) event.kind = Kind::reboot;
    // Linux makes no symbolic link to nothing.
    if (event.kind == Kind::spoil_record && event.draw % kSpoilt.size() == 0) ++event.draw;
  }
  return history;
}

std::string told(const History& history) {
  World world(history.setting);
  Json events = Json::array();
  Json all{{"text", text_of(history)}, {"narrow", history.setting.is_narrow}};
  for (const auto& event : history.events) {
    const auto trouble = world.apply(event);
    events.push_back(told_of(event, world));
    if (!trouble) continue;
    all["broken"] = *trouble;
    break;
  }
  all["events"] = std::move(events);
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace proof
