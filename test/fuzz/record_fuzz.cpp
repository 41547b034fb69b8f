// The targets of the symbolic links that are records, as texts: what decodes is encoded so that it
// decodes to the same, and escaping loses nothing.
#include "allocator/binding.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "test/fuzz/target.hpp"

namespace {

using fuzz::require;

void check_escaping(const std::string& text) {
  const std::string escaped = allocator::escape(text);
  require(allocator::unescape(escaped) == text, "an escaped text reads as another");
  require(escaped.find_first_of(std::string_view("~_@/,\0", 6)) == escaped.npos,
          "an escaped text with a separator");
  if (const auto plain = allocator::unescape(text))
    require(allocator::escape(*plain) == text, "two spellings of one text");
}

/// False for a hint whose addresses have a second spelling.
bool is_spelled_as_written(const std::string& hint) {
  fuzz::Input fields(hint);
  static_cast<void>(fields.until('~'));
  for (const auto& list : {fields.until('~'), fields.until('~')}) {
    for (fuzz::Input addresses(list); !addresses.is_empty();) {
      const std::string one = addresses.until(',');
      const auto address = allocator::Address::parse(one);
      if (!address || address->to_string() != one) return false;
    }
  }
  return true;
}

void run(std::string_view bytes) {
  const std::string text(bytes);
  check_escaping(text);
  if (const auto binding = allocator::decode_binding(text)) {
    const std::string written = encode(*binding);
    require(allocator::decode_binding(written) == binding,
            "a binding reads as another: " + written);
    require(written == text || fuzz::has_padded_number(text),
            "it is written as another: " + written);
    require(allocator::state_of_record(text) == allocator::RecordState::valid,
            "a binding of another format");
  }
  if (const auto hint = allocator::decode_hint(text)) {
    const std::string written = encode(*hint);
    require(allocator::decode_hint(written) == hint, "a hint reads as another: " + written);
    require(text.starts_with(written) || !is_spelled_as_written(text),
            "it is written as another: " + written);
    require(allocator::state_of_record(text) == allocator::RecordState::valid,
            "a hint of another format");
  }
  // The folder of a network is named by its path alone.
  if (text.starts_with('/') && text.find('\0') == text.npos) {
    const std::string name = allocator::store::record_folder_name(text + "/net");
    require(name.size() <= 255 && name.find('/') == name.npos && name != "." && name != "..",
            "no folder's name: " + name);
  }
}

const fuzz::Registration kTarget("record", &run);

}  // namespace
