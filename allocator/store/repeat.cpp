#include "allocator/store/repeat.hpp"

#include <algorithm>
#include <string_view>

#include "allocator/fields.hpp"
#include "allocator/store/state/call_start.hpp"

namespace allocator::store {
namespace {

constexpr std::string_view kTookOver = "took";  // no PID begins with it
constexpr std::string_view kAlone = "alone-";   // nor with this
constexpr std::size_t kFieldsEach = 3;

/// Format: "took" and for each address ",<address>,<container ID>,<ifname>", the names escaped.
std::string encode(const std::vector<TakenOver>& taken) {
  std::string text(kTookOver);
  for (const auto& [address, old] : taken) {
    text += "," + address.to_string() + "," + escape(old.container_id) + "," + escape(old.ifname);
  }
  return text;
}

std::vector<TakenOver> decode_taken(const std::string& text) {
  std::vector<TakenOver> taken;
  const auto fields = split(text, ',');
  for (std::size_t i = 1; i + kFieldsEach <= fields.size(); i += kFieldsEach) {
    const auto address = Address::parse(fields[i]);
    const auto container_id = unescape(fields[i + 1]);
    const auto ifname = unescape(fields[i + 2]);
    if (address && container_id && ifname) taken.push_back({*address, {*container_id, *ifname}});
  }
  return taken;
}

}  // namespace

std::string remember_repeat(FileSystem& fs, RunFolder& run, const Attachment& attachment) {
  auto add = add_above(fs, attachment.container_id);
  // No DEL is taken for that of a main plugin then.
  if (!add) add = std::string(kAlone) + std::to_string(boottime_now());
  run.put_repeat(attachment, *add);
  return *add;
}

std::string remember_answer(FileSystem& fs, RunFolder& run, const Attachment& attachment,
                            const std::vector<Pick>& picks, const std::vector<TakenOver>& taken) {
  const bool is_repeat = std::any_of(
      picks.begin(), picks.end(), [](const Pick& pick) { return pick.reason == Reason::present; });
  if (is_repeat) return remember_repeat(fs, run, attachment);
  std::string noted = taken.empty() ? std::string() : encode(taken);
  if (!noted.empty()) {
    run.put_repeat(attachment, noted);
  } else if (run.repeat(attachment)) {
    run.remove_repeat(attachment);  // host-local's DEL ends no memory of ours
  }
  return noted;
}

bool was_answered_since(RunFolder& run, const Attachment& attachment, const std::string& noted) {
  const auto last = run.repeat(attachment);
  return last && *last != noted;
}

TakenBack look_for_take_back(FileSystem& fs, RunFolder& run, const Attachment& attachment,
                             std::vector<std::string>& notes) {
  const auto before = run.repeat(attachment);
  if (!before) return {};
  const auto add = add_above(fs, attachment.container_id);
  if (add == before) {
    notes.push_back("a repeated ADD of " + attachment.container_id + " " + attachment.ifname +
                    " failed: what it has is kept");
    return {true, {}};
  }
  run.remove_repeat(attachment);
  if (!add || !before->starts_with(kTookOver)) return {};
  return {false, decode_taken(*before)};
}

}  // namespace allocator::store
