#include "shim/cni/protocol/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <utility>

namespace shim {
namespace {

/// A character and how many bytes it takes; invalid UTF-8 is one byte without a code.
struct Rune {
  std::size_t width = 1;
  std::optional<std::uint32_t> code;
};

/// How long a character is that starts with this byte.
std::size_t width_of(unsigned char lead) {
  if (lead < 0xc2 || lead > 0xf4) return 1;
  return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; }

Rune first_rune(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {1, lead};
  const std::size_t width = width_of(lead);
  if (width == 1 || text.size() < width) return {};
  std::uint32_t code = lead & (0xffU >> (width + 1));
  for (std::size_t i = 1; i < width; ++i) {
    if (!continues(text[i])) return {};
    code = (code << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < least[width] || code > 0x10ffff || surrogate) return {};
  return {width, code};
}

/// Characters that Go's strconv.IsPrint refuses: controls, spaces but " ", formats (marks of
/// direction, of no width), private use.
bool is_printable(std::uint32_t code) {
  if (code < 0x7f) return code >= 0x20;
  struct Block {
    std::uint32_t first;
    std::uint32_t last;
  };
  constexpr std::array<Block, 17> hidden = {{{0x7f, 0xa0},
                                             {0xad, 0xad},
                                             {0x600, 0x605},
                                             {0x61c, 0x61c},
                                             {0x6dd, 0x6dd},
                                             {0x70f, 0x70f},
                                             {0x8e2, 0x8e2},
                                             {0x1680, 0x1680},
                                             {0x180e, 0x180e},
                                             {0x2000, 0x200f},
                                             {0x2028, 0x202f},
                                             {0x205f, 0x206f},
                                             {0x3000, 0x3000},
                                             {0xe000, 0xf8ff},
                                             {0xfeff, 0xfeff},
                                             {0xfff0, 0xfffb},
                                             {0xe0000, 0x10ffff}}};
  return std::none_of(hidden.begin(), hidden.end(), [&](const Block& block) {
    return code >= block.first && code <= block.last;
  });
}

template <typename... Values>
void append_formatted(std::string& result, const char* format, Values... values) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  result += text.data();
}

/// Go's escape for a character that cannot be seen.
void append_escape(std::uint32_t code, std::string& result) {
  append_formatted(result, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
}

/// One character in Go's escapes (strconv.Quote).
void append_quoted(std::string_view bytes, const Rune& rune, std::string& result) {
  constexpr std::string_view special = "\a\b\f\n\r\t\v\\\"";
  constexpr std::string_view letters = "abfnrtv\\\"";
  const auto position = special.find(bytes.front());
  if (position != std::string_view::npos) {
    result += '\\';
    result += letters[position];
  } else if (!rune.code || *rune.code < 0x20 || *rune.code == 0x7f) {
    append_formatted(result, "\\x%02x",
                     static_cast<unsigned>(static_cast<unsigned char>(bytes.front())));
  } else if (is_printable(*rune.code)) {
    result += bytes;
  } else {
    append_escape(*rune.code, result);
  }
}

/// One character as it may be shown.
void append_shown(std::string_view bytes, const Rune& rune, std::string& result) {
  if (!rune.code) {
    result += "\uFFFD";
  } else if (*rune.code < 0x20 || *rune.code == 0x7f) {
    result += ' ';
  } else if (is_printable(*rune.code)) {
    result += bytes;
  } else {
    append_escape(*rune.code, result);
  }
}

/// JSON knows no code above U+FFFF: such a one is written as its two halves in UTF-16.
void append_json_escape(std::uint32_t code, std::string& result) {
  if (code > 0xffff) {
    append_formatted(result, "\\u%04x", 0xd800 + ((code - 0x10000) >> 10));
    code = 0xdc00 + (code & 0x3ffU);
  }
  append_formatted(result, "\\u%04x", code);
}

/// Calls `append(bytes, rune)` for one character after the other.
template <typename Append>
void each_rune(std::string_view text, Append append) {
  while (!text.empty()) {
    const Rune rune = first_rune(text);
    append(text.substr(0, rune.width), rune);
    text.remove_prefix(rune.width);
  }
}

/// How much of `text` is whole characters within `limit` bytes.
std::size_t whole_within(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text.size();
  std::size_t end = limit;
  while (end > 0 && limit - end < 3 && continues(text[end])) --end;
  return end;
}

std::string length_of(std::string_view text) {
  return " (" + std::to_string(text.size()) + " bytes)";
}

/// Whether what `text` consists of is the beginning of one character.
bool is_begun(std::string_view text) {
  return text.size() < width_of(static_cast<unsigned char>(text.front())) &&
         std::all_of(text.begin() + 1, text.end(), continues);
}

}  // namespace

std::string printable_line(std::string_view text, std::size_t limit) {
  std::string line;
  each_rune(text.substr(0, whole_within(text, limit)),
            [&](std::string_view bytes, const Rune& rune) { append_shown(bytes, rune, line); });
  if (text.size() > limit) line += "…" + length_of(text);
  return line;
}

std::string cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  return std::string(text.substr(0, whole_within(text, limit))) + "…" + length_of(text);
}

std::string go_quoted(std::string_view text, std::size_t limit) {
  std::string result = "\"";
  each_rune(text.substr(0, whole_within(text, limit)),
            [&](std::string_view bytes, const Rune& rune) { append_quoted(bytes, rune, result); });
  return text.size() <= limit ? result + "\"" : result + "…\"" + length_of(text);
}

std::string with_json_escapes(std::string_view json) {
  // Nearly every text has nothing to escape.
  const bool is_plain =
      std::all_of(json.begin(), json.end(), [](unsigned char byte) { return byte < 0x7f; });
  if (is_plain) return std::string(json);
  std::string result;
  result.reserve(json.size());
  each_rune(json, [&](std::string_view bytes, const Rune& rune) {
    const bool is_layout = rune.code && *rune.code < 0x20;
    if (!rune.code || is_layout || is_printable(*rune.code)) {
      result += bytes;
    } else {
      append_json_escape(*rune.code, result);
    }
  });
  return result;
}

std::string PrintableStream::next(std::string_view piece) {
  std::string text = std::exchange(begun_, {});
  text += piece;
  std::size_t end = text.size();
  while (end > 0 && text.size() - end < 3 && continues(text[end - 1])) --end;
  if (end > 0 && is_begun(std::string_view(text).substr(end - 1))) begun_ = text.substr(end - 1);
  std::string shown;
  each_rune(std::string_view(text).substr(0, text.size() - begun_.size()),
            [&](std::string_view bytes, const Rune& rune) {
              const bool is_layout = bytes == "\n" || bytes == "\t";
              is_layout ? static_cast<void>(shown += bytes) : append_shown(bytes, rune, shown);
            });
  return shown;
}

std::string PrintableStream::finish() {
  std::string shown;
  each_rune(std::exchange(begun_, {}),
            [&](std::string_view bytes, const Rune& rune) { append_shown(bytes, rune, shown); });
  return shown;
}

}  // namespace shim
