#include "test/proof/history.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <sstream>
#include <stdexcept>

namespace proof {
namespace {

struct Named {
  const char* name;
  unsigned weight;  ///< of so many draws, one for each
};

/// By Kind.
constexpr std::array<Named, kKinds> kNames = {{
    {"add", 60},
    {"repeat_add", 12},
    {"del", 40},
    {"del_again", 6},
    {"die", 20},
    {"unmount", 4},
    {"exit", 3},
    {"collect", 5},
    {"reboot", 5},
    {"power_cut", 4},
    {"reboot_with_run", 2},
    {"remove_run", 2},
    {"copy_disk", 2},
    {"restore_disk", 2},
    {"restore_state", 2},
    {"remove_file", 6},
    {"empty_file", 2},
    {"strip_stamps", 1},
    {"remove_record", 4},
    {"spoil_record", 3},
    {"remove_state", 2},
    {"remove_network", 2},
    {"write_note", 1},
    {"go_add", 6},
    {"go_del", 4},
    {"cache_fresh", 3},
    {"cache_stale", 2},
    {"cache_gone", 1},
    {"read_only", 1},
    {"writable", 4},
    {"hung_add", 6},
    {"start_again", 4},
    {"known_id_add", 4},
    {"on_node", 6},
    {"in_container", 4},
    {"under_other_boot", 4},
    {"without_proc", 2},
    {"move_path", 3},
    {"restart_node", 4},
    {"clock_back", 4},
    {"damage_file", 3},
    {"damage_record", 2},
    {"repair", 3},
    {"unended_del", 6},
    {"hand_release", 5},
    {"hand_forget", 3},
    {"hand_hold", 5},
    {"hand_pin", 3},
    {"hand_unpin", 1},
}};

/// What every history has.
bool is_common(Kind kind) {
  return kind == Kind::add || kind == Kind::del || kind == Kind::die || kind == Kind::writable ||
         kind == Kind::cache_fresh;
}

bool is_command(Kind kind) {
  return kind == Kind::add || kind == Kind::repeat_add || kind == Kind::del ||
         kind == Kind::collect;
}

bool is_about_pod(Kind kind) {
  return kind == Kind::hung_add || kind == Kind::known_id_add || kind == Kind::move_path ||
         kind == Kind::unended_del || is_by_hand(kind);
}

bool contains(const std::vector<Kind>& kinds, Kind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

bool has_draw(Kind kind) {
  return kind == Kind::power_cut || kind == Kind::spoil_record || kind == Kind::hand_hold ||
         kind == Kind::hand_pin;
}

/// The same everywhere, which the standard library's distributions are not.
class Lots {
 public:
  explicit Lots(std::uint64_t seed) : engine_(seed) {}
  unsigned below(unsigned end) { return static_cast<unsigned>(engine_() % end); }
  bool one_in(unsigned count) { return below(count) == 0; }

 private:
  std::mt19937_64 engine_;
};

Kind draw_kind(Lots& lots, const std::vector<Kind>& kinds) {
  unsigned all = 0;
  for (const Kind kind : kinds) all += kNames.at(static_cast<std::size_t>(kind)).weight;
  unsigned left = lots.below(all);
  for (const Kind kind : kinds) {
    const unsigned weight = kNames.at(static_cast<std::size_t>(kind)).weight;
    if (left < weight) return kind;
    left -= weight;
  }
  return kinds.front();
}

unsigned number(const std::string& text) { return static_cast<unsigned>(std::stoul(text)); }

Event parse_event(const std::string& text) {
  std::istringstream words(text);
  std::string kind, who, fate, step;
  words >> kind >> who >> fate >> step;
  const auto named = std::find_if(kNames.begin(), kNames.end(),
                                  [&](const Named& one) { return kind == one.name; });
  if (named == kNames.end()) throw std::invalid_argument("no event: " + text);
  Event event;
  event.kind = static_cast<Kind>(named - kNames.begin());
  event.who = number(who);
  if (fate == "killed") event.fate = Fate::killed;
  if (fate == "cut") event.fate = Fate::power_cut;
  if (!step.empty()) event.step = number(step);
  if (const auto slash = text.find('/'); slash != std::string::npos)
    event.draw = number(text.substr(slash + 1));
  return event;
}

bool breaks_the_same(const History& history, const std::string& promise) {
  World::Counts ignored;
  const auto failure = replay(history, ignored);
  return failure && failure->what.substr(0, promise.size()) == promise;
}

/// With lots of its own: what was there before stays as it was.
void make_odd(std::uint64_t seed, unsigned pods, History& history) {
  constexpr unsigned kOneIn = 5;
  Lots lots(~seed);
  Setting& setting = history.setting;
  setting.is_old_kernel = lots.one_in(2);
  setting.is_root_immutable = lots.one_in(4);
  setting.is_node_container = lots.one_in(3);
  setting.attributes = lots.one_in(2) ? Attributes::kept : static_cast<Attributes>(lots.below(3));
  std::vector<Kind> kinds = {Kind::on_node, Kind::repair};
  for (std::size_t i = 0; i < kKinds; ++i) {
    const auto kind = static_cast<Kind>(i);
    if (is_odd(kind) && !contains(kinds, kind) && lots.one_in(2)) kinds.push_back(kind);
  }
  std::vector<Event> events;
  for (const auto& event : history.events) {
    if (lots.one_in(kOneIn)) {
      Event odd{draw_kind(lots, kinds)};
      odd.who = lots.below(is_about_pod(odd.kind) ? pods : 64);
      if (has_draw(odd.kind)) odd.draw = lots.below(64);
      events.push_back(odd);
    }
    events.push_back(event);
  }
  history.events = std::move(events);
}

}  // namespace

History draw_history(std::uint64_t seed, std::size_t events) {
  Lots lots(seed);
  History history;
  history.setting.model = static_cast<Model>(lots.below(4));
  history.setting.reuses_numbers = lots.one_in(2);
  history.setting.reuses_namespaces = lots.one_in(2);
  history.setting.is_narrow = lots.one_in(3);
  history.setting.is_slow = seed % 8 == 5;  // without a lot, which would change all others
  std::vector<Kind> kinds;
  for (std::size_t i = 0; i < kKinds; ++i) {
    const auto kind = static_cast<Kind>(i);
    if (is_odd(kind)) break;
    if (is_common(kind) || lots.one_in(2)) kinds.push_back(kind);
  }
  const unsigned pods = 1 + lots.below(kPods);
  const unsigned whole = lots.one_in(3) ? 1'000'000 : 3 + lots.below(10);
  while (history.events.size() < events) {
    Event event{draw_kind(lots, kinds)};
    event.who = lots.below(is_command(event.kind) || event.kind == Kind::die ? pods : 64);
    if (event.kind == Kind::go_add || event.kind == Kind::go_del || event.kind == Kind::unmount)
      event.who %= pods;
    if (is_command(event.kind) && lots.one_in(whole))
      event.fate = lots.one_in(2) ? Fate::killed : Fate::power_cut;
    if (event.fate != Fate::whole) event.step = lots.below(40);
    if (has_draw(event.kind) || event.fate == Fate::power_cut) event.draw = lots.below(64);
    history.events.push_back(event);
  }
  if (seed % 4 == 0 || seed % 4 == 3) make_odd(seed, pods, history);
  return history;
}

std::optional<Failure> replay(const History& history, World::Counts& counts) {
  World world(history.setting);
  std::optional<Failure> failure;
  for (std::size_t i = 0; i < history.events.size() && !failure; ++i) {
    if (const auto what = world.apply(history.events[i])) failure = Failure{i, *what};
  }
  counts.acknowledged += world.counts().acknowledged;
  counts.kept += world.counts().kept;
  counts.refused += world.counts().refused;
  counts.took_over += world.counts().took_over;
  return failure;
}

History shortened(const History& history, const Failure& failure) {
  const std::string promise = failure.what.substr(0, 3);
  History best = history;
  best.events.resize(failure.event + 1);
  for (std::size_t size = best.events.size() / 2; size != 0;) {
    bool is_shorter = false;
    for (std::size_t first = 0; first + size <= best.events.size();) {
      History shorter = best;
      const auto from = shorter.events.begin() + static_cast<std::ptrdiff_t>(first);
      shorter.events.erase(from, from + static_cast<std::ptrdiff_t>(size));
      if (breaks_the_same(shorter, promise)) {
        best = shorter;
        is_shorter = true;
      } else {
        ++first;
      }
    }
    size = is_shorter && size == 1 ? 1 : size / 2;
  }
  for (std::size_t i = 0; i < best.events.size(); ++i) {
    History simpler = best;
    simpler.events[i].fate = Fate::whole;
    if (breaks_the_same(simpler, promise)) best = simpler;
  }
  return best;
}

std::string text_of(const Event& event) {
  std::string text = std::string(kNames.at(static_cast<std::size_t>(event.kind)).name) + " " +
                     std::to_string(event.who);
  if (event.fate == Fate::killed) text += " killed " + std::to_string(event.step);
  if (event.fate == Fate::power_cut) text += " cut " + std::to_string(event.step);
  const bool is_drawn = has_draw(event.kind) || event.fate == Fate::power_cut;
  return is_drawn ? text + "/" + std::to_string(event.draw) : text;
}

std::string text_of(const History& history) {
  std::string text = name_of(history.setting.model);
  if (history.setting.reuses_numbers) text += " inodes";
  if (history.setting.reuses_namespaces) text += " namespaces";
  if (history.setting.is_narrow) text += " narrow";
  if (history.setting.is_slow) text += " slow";
  if (history.setting.is_old_kernel) text += " old-kernel";
  if (history.setting.is_root_immutable) text += " immutable-root";
  if (history.setting.is_node_container) text += " node-container";
  if (history.setting.attributes == Attributes::unknown) text += " no-attributes";
  if (history.setting.attributes == Attributes::no_room) text += " full-attributes";
  const char* separator = ": ";
  for (const auto& event : history.events) {
    text += separator + text_of(event);
    separator = ", ";
  }
  return text;
}

History parse_history(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos) throw std::invalid_argument("no colon: " + text);
  History history;
  std::istringstream words(text.substr(0, colon));
  for (std::string word; words >> word;) {
    for (const Model model : {Model::strict, Model::ext4, Model::xfs, Model::weak})
      if (word == name_of(model)) history.setting.model = model;
    history.setting.reuses_numbers |= word == "inodes";
    history.setting.reuses_namespaces |= word == "namespaces";
    history.setting.is_narrow |= word == "narrow";
    history.setting.is_slow |= word == "slow";
    history.setting.is_old_kernel |= word == "old-kernel";
    history.setting.is_root_immutable |= word == "immutable-root";
    history.setting.is_node_container |= word == "node-container";
    if (word == "no-attributes") history.setting.attributes = Attributes::unknown;
    if (word == "full-attributes") history.setting.attributes = Attributes::no_room;
  }
  std::istringstream events(text.substr(colon + 1));
  for (std::string event; std::getline(events, event, ',');)
    history.events.push_back(parse_event(event));
  return history;
}

}  // namespace proof
