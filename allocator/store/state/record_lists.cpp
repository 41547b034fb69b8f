/// The lists among the records: the boots of a network, the ranges that a source gave last, and what
/// is pinned by hand.
#include <algorithm>
#include <charconv>

#include "allocator/fields.hpp"
#include "allocator/store/disk/errors.hpp"
#include "allocator/store/disk/sha256.hpp"
#include "allocator/store/state/record_folder.hpp"

namespace allocator::store {
namespace {

constexpr const char* kBootsName = "boots";
constexpr const char* kRangesName = "node-ranges";
constexpr const char* kAnonymousRangesName = "ranges";
constexpr const char* kPinsName = "pins";
constexpr std::size_t kBootLimit = 16;
// What the target of a symbolic link may hold on every file system: xfs takes 1 024 bytes.
constexpr std::size_t kTargetLimit = 900;
constexpr std::size_t kHashLength = 16;
constexpr std::size_t kPartLimit = 100'000;
constexpr char kPartsMark = '*';

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const auto& field : list) text += (text.empty() ? "" : ",") + field;
  return text;
}

std::string part_name(const std::string& name, const std::string& hash, std::size_t number) {
  return name + "." + hash + "." + std::to_string(number);
}

/// What stands for a list in several parts: "*<hash of the whole>.<how many>".
struct Parts {
  std::string hash;
  std::size_t count = 0;
};

/// nullopt for a list that is written out.
std::optional<Parts> parts_of(const std::string& list) {
  if (list.size() < kHashLength + 3 || list.front() != kPartsMark) return std::nullopt;
  Parts parts{list.substr(1, kHashLength), 0};
  const char* const last = list.data() + list.size();
  const auto number = std::from_chars(list.data() + kHashLength + 2, last, parts.count);
  if (number.ec != std::errc{} || number.ptr != last || parts.count > kPartLimit)
    return std::nullopt;
  return parts;
}

/// What stands behind the last "~" of a record.
std::string last_field(const std::string& record) {
  return record.substr(record.find_last_of('~') + 1);
}

std::string hash_of(const std::vector<std::string>& list) {
  return sha256_hex(joined(list)).substr(0, kHashLength);
}

/// "<namespace>/<pod>=<address>": none of the marks can occur in the parts.
std::string text_of(const Pin& pin) {
  return escape(pin.pod_namespace) + "/" + escape(pin.pod_name) + "=" + pin.address.to_string();
}

std::optional<Pin> parse_pin(const std::string& text) {
  const auto slash = text.find('/');
  const auto equals = text.find('=');
  if (slash == std::string::npos || equals == std::string::npos || equals < slash)
    return std::nullopt;
  auto pod_namespace = unescape(std::string_view(text).substr(0, slash));
  auto pod_name = unescape(std::string_view(text).substr(slash + 1, equals - slash - 1));
  const auto address = Address::parse(std::string_view(text).substr(equals + 1));
  if (!pod_namespace || !pod_name || !address) return std::nullopt;
  return Pin{std::move(*pod_namespace), std::move(*pod_name), *address};
}

}  // namespace

std::vector<std::string> RecordFolder::read_list(const std::string& name) {
  const auto record = read(name);
  if (!record || !record->starts_with("1~")) return {};
  return split(record->substr(2), ',');
}

void RecordFolder::put_list(const std::string& name, const std::vector<std::string>& list) {
  change(name, "1~" + joined(list));
}

std::vector<std::string> RecordFolder::boots() {
  try {
    return read_list(kBootsName);
  } catch (const ClosedRecord&) {
    return {};
  }
}

bool RecordFolder::append_boot(const std::string& boot8) {
  auto list = boots();
  if (!list.empty() && list.back() == boot8) return false;
  std::erase(list, boot8);
  list.push_back(boot8);
  if (list.size() > kBootLimit) list.erase(list.begin());
  put_list(kBootsName, list);
  // Which node they were remembered on, only their own boot told.
  if (read(kAnonymousRangesName)) remove_record(kAnonymousRangesName);
  return true;
}

std::optional<RememberedRanges> RecordFolder::last_ranges() {
  const auto record = read(kRangesName);
  const auto fields = record ? split(*record, '~') : std::vector<std::string>();
  constexpr std::size_t width = 4;  // "1~<node>~<source>~<CIDR>,<CIDR>..."
  if (fields.size() == width) {
    const auto node = unescape(fields[1]);
    const auto source = unescape(fields[2]);
    auto cidrs = read_parts(kRangesName, fields[3]);
    if (node && source && !cidrs.empty()) return RememberedRanges{*node, *source, std::move(cidrs)};
  }
  auto anonymous = read_list(kAnonymousRangesName);
  if (anonymous.empty()) return std::nullopt;
  return RememberedRanges{{}, {}, std::move(anonymous), true};
}

void RecordFolder::put_last_ranges(const RememberedRanges& ranges) {
  const std::string place = "1~" + escape(ranges.node) + "~" + escape(ranges.source) + "~";
  // What names no node must not be believed by an earlier version either.
  if (put_long_list(kRangesName, place, ranges.cidrs)) remove_record(kAnonymousRangesName);
}

std::vector<Pin> RecordFolder::pins() {
  const auto record = read(kPinsName);
  if (!record) return {};
  const auto list = read_parts(kPinsName, last_field(*record));
  if (list.empty())
    throw DamagedRecord("read record " + folder_.path + "/" + kPinsName +
                        ": a part of the list is missing; remove the record and pin anew");
  std::vector<Pin> pins;
  for (const auto& text : list) {
    if (auto pin = parse_pin(text)) pins.push_back(std::move(*pin));
  }
  return pins;
}

void RecordFolder::put_pins(const std::vector<Pin>& pins) {
  std::vector<std::string> list;
  list.reserve(pins.size());
  for (const auto& pin : pins) list.push_back(text_of(pin));
  put_long_list(kPinsName, "1~", list);
}

/// Where the list is too long for one record, its parts come first and go last. False when it is
/// the one that is there.
bool RecordFolder::put_long_list(const std::string& name, const std::string& place,
                                 const std::vector<std::string>& list) {
  const auto before = read(name);
  const std::string old_list = before ? last_field(*before) : std::string();
  std::string text = joined(list);
  if (place.size() + text.size() > kTargetLimit) text = put_parts(name, list, old_list);
  if (before == place + text) return false;
  if (list.empty()) {
    remove_record(name);
  } else {
    change(name, place + text);
  }
  if (old_list != text) remove_parts(name, old_list);
  return true;
}

/// Parts of a list that is gone, damaged or torn are no list at all.
std::vector<std::string> RecordFolder::read_parts(const std::string& name,
                                                  const std::string& list) {
  const auto parts = parts_of(list);
  if (!parts) return split(list, ',');
  std::vector<std::string> whole;
  for (std::size_t number = 0; number < parts->count; ++number) {
    for (auto& one : read_list(part_name(name, parts->hash, number)))
      whole.push_back(std::move(one));
  }
  return hash_of(whole) == parts->hash ? whole : std::vector<std::string>();
}

/// Writes the parts and returns what stands for the list; `before` stands for the one that is
/// there.
std::string RecordFolder::put_parts(const std::string& name, const std::vector<std::string>& list,
                                    const std::string& before) {
  const std::string hash = hash_of(list);
  const bool is_known = before.starts_with(kPartsMark + hash + ".");
  std::size_t count = 0;
  std::vector<std::string> part;
  std::size_t length = 0;
  const auto put = [&] {
    if (!is_known) put_list(part_name(name, hash, count), part);
    ++count;
    part.clear();
    length = 0;
  };
  for (const auto& one : list) {
    if (length + one.size() + 1 > kTargetLimit) put();
    part.push_back(one);
    length += one.size() + 1;
  }
  put();
  return kPartsMark + hash + "." + std::to_string(count);
}

void RecordFolder::remove_parts(const std::string& name, const std::string& list) {
  const auto parts = parts_of(list);
  for (std::size_t number = 0; parts && number < parts->count; ++number)
    remove_record(part_name(name, parts->hash, number));
}

}  // namespace allocator::store
