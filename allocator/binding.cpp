#include "allocator/binding.hpp"

#include <algorithm>
#include <array>

#include "allocator/fields.hpp"

namespace allocator {
namespace {

constexpr std::string_view kVersion = "1";
constexpr std::string_view kHexDigits = "0123456789ABCDEF";
constexpr std::string_view kContainerIdBytes =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-';
}

std::string join_addresses(const std::vector<Address>& addresses) {
  std::string text;
  for (const auto& address : addresses) {
    if (!text.empty()) text += ',';
    text += address.to_string();
  }
  return text;
}

std::optional<std::vector<Address>> parse_addresses(std::string_view text) {
  std::vector<Address> addresses;
  if (text.empty()) return addresses;
  for (const auto part : fields_of(text, ',')) {
    const auto address = Address::parse(part);
    if (!address) return std::nullopt;
    addresses.push_back(*address);
  }
  return addresses;
}

bool is_ascii_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// By byte: a look at 60 000 attachments asks for each of four million.
constexpr std::array<bool, 256> make_container_id_bytes() {
  std::array<bool, 256> is_allowed{};
  for (const char c : kContainerIdBytes) is_allowed[static_cast<unsigned char>(c)] = true;
  return is_allowed;
}

bool is_container_id(std::string_view id) {
  static constexpr auto is_allowed = make_container_id_bytes();
  return !id.empty() && is_ascii_alnum(id.front()) && std::all_of(id.begin(), id.end(), [](char c) {
    return is_allowed[static_cast<unsigned char>(c)];
  });
}

bool is_interface_name(std::string_view name) {
  constexpr std::size_t longest = 15;
  constexpr std::string_view never = "/: \t\n\v\f\r";
  return !name.empty() && name.size() <= longest && name != "." && name != ".." &&
         name.find_first_of(never) == std::string_view::npos;
}

/// What runtimes of old made: 64 hexadecimal digits, or a UUID.
bool is_machine_made(std::string_view id) {
  constexpr std::size_t shortest = 32;
  return id.size() >= shortest &&
         id.find_first_not_of("0123456789abcdefABCDEF-") == std::string_view::npos;
}

}  // namespace

bool looks_like_attachment(const Attachment& attachment) {
  if (attachment.ifname.empty()) return is_machine_made(attachment.container_id);
  return is_container_id(attachment.container_id) && is_interface_name(attachment.ifname);
}

std::string escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (is_plain(c)) {
      escaped += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    escaped += '%';
    escaped += kHexDigits[byte >> 4];
    escaped += kHexDigits[byte & 15];
  }
  return escaped;
}

std::optional<std::string> unescape(std::string_view escaped) {
  if (std::all_of(escaped.begin(), escaped.end(), is_plain)) return std::string(escaped);
  std::string text;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (is_plain(escaped[i])) {
      text += escaped[i];
      continue;
    }
    if (escaped[i] != '%' || i + 2 >= escaped.size()) return std::nullopt;
    const auto high = kHexDigits.find(escaped[i + 1]);
    const auto low = kHexDigits.find(escaped[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    const char byte = static_cast<char>(high * 16 + low);
    if (is_plain(byte)) return std::nullopt;
    text += byte;
    i += 2;
  }
  return text;
}

std::string key_text(const PodKey& pod) {
  return escape(pod.pod_namespace) + "_" + escape(pod.pod_name) + "@" + escape(pod.ifname);
}

std::string encode(const Binding& binding) {
  std::string record(kVersion);
  for (const std::string& field :
       {escape(binding.pod.pod_namespace), escape(binding.pod.pod_name), escape(binding.pod.ifname),
        escape(binding.uid), std::to_string(binding.sequence), std::to_string(binding.kept),
        escape(binding.boot8)}) {
    record += '~';
    record += field;
  }
  return record;
}

std::optional<Binding> decode_binding(std::string_view record) {
  const auto fields = fields_of(record, '~');
  if (fields.size() != 8 || fields[0] != kVersion) return std::nullopt;
  auto pod_namespace = unescape(fields[1]);
  auto pod_name = unescape(fields[2]);
  auto ifname = unescape(fields[3]);
  auto uid = unescape(fields[4]);
  const auto sequence = parse_number(fields[5]);
  const auto kept = parse_number(fields[6]);
  auto boot8 = unescape(fields[7]);
  if (!pod_namespace || !pod_name || !ifname || !uid || !sequence || !kept || !boot8)
    return std::nullopt;
  return Binding{{*std::move(pod_namespace), *std::move(pod_name), *std::move(ifname)},
                 *std::move(uid),
                 *sequence,
                 *kept,
                 *std::move(boot8)};
}

std::string encode(const PodHint& hint) {
  return std::string(kVersion) + "~" + join_addresses(hint.addresses) + "~" +
         join_addresses(hint.previous_boot);
}

std::optional<PodHint> decode_hint(std::string_view record) {
  const auto fields = fields_of(record, '~');
  if ((fields.size() != 3 && fields.size() != 6) || fields[0] != kVersion) return std::nullopt;
  auto addresses = parse_addresses(fields[1]);
  auto previous = parse_addresses(fields[2]);
  if (!addresses || !previous) return std::nullopt;
  return PodHint{std::move(*addresses), std::move(*previous)};
}

RecordState state_of_record(std::string_view record) {
  const auto version = parse_number(record.substr(0, record.find('~')));
  if (!version || record.find('~') == std::string_view::npos) return RecordState::malformed;
  if (*version > 1) return RecordState::newer_format;
  return *version == 1 ? RecordState::valid : RecordState::malformed;
}

}  // namespace allocator
