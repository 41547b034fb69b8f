#include "shim/cni/error.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "allocator/error.hpp"
#include "allocator/store/network_lock.hpp"
#include "allocator/store/record_folder.hpp"
#include "shim/cni/json_text.hpp"

namespace shim {
namespace {

ErrorCode code_of(allocator::Kind kind) {
  switch (kind) {
    case allocator::Kind::busy:
      return ErrorCode::try_again_later;
    case allocator::Kind::refused:
      return ErrorCode::invalid_config;
    default:
      return ErrorCode::internal;
  }
}

/// A character and how many bytes it takes; invalid UTF-8 is one byte without a code.
struct Rune {
  std::size_t width = 1;
  std::optional<std::uint32_t> code;
};

Rune first_rune(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {1, lead};
  const std::size_t width = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < width) return {};
  std::uint32_t code = lead & (0xffU >> (width + 1));
  for (std::size_t i = 1; i < width; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return {};
    code = (code << 6) | (byte & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < least[width] || code > 0x10ffff || surrogate) return {};
  return {width, code};
}

/// Characters that Go's strconv.IsPrint refuses: controls, spaces but " ", formats, private use.
bool is_printable(std::uint32_t code) {
  struct Block {
    std::uint32_t first;
    std::uint32_t last;
  };
  constexpr std::array<Block, 13> hidden = {{{0x00, 0x1f},
                                             {0x7f, 0xa0},
                                             {0xad, 0xad},
                                             {0x600, 0x605},
                                             {0x1680, 0x1680},
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

/// One character in Go's escapes (strconv.Quote).
void append_quoted(std::string_view bytes, const Rune& rune, std::string& result) {
  constexpr std::string_view special = "\a\b\f\n\r\t\v\\\"";
  constexpr std::string_view letters = "abfnrtv\\\"";
  std::array<char, 12> escaped{};
  const auto position = special.find(bytes.front());
  if (position != std::string_view::npos) {
    result += '\\';
    result += letters[position];
  } else if (!rune.code || *rune.code < 0x20 || *rune.code == 0x7f) {
    std::snprintf(escaped.data(), escaped.size(), "\\x%02x",
                  static_cast<unsigned char>(bytes.front()));
  } else if (is_printable(*rune.code)) {
    result += bytes;
  } else {
    const char* format = *rune.code > 0xffff ? "\\U%08x" : "\\u%04x";
    std::snprintf(escaped.data(), escaped.size(), format, *rune.code);
  }
  result += escaped.data();
}

/// Trouble with the disk or the machine that somebody can mend without us: the runtime should come
/// back.
bool may_pass(int error) {
  constexpr std::array passing = {ENOSPC,  EDQUOT, EROFS,  EIO,    EBADMSG,
                                  EUCLEAN, ESTALE, EMFILE, ENFILE, ENOMEM};
  return std::find(passing.begin(), passing.end(), error) != passing.end();
}

/// Go prints errno texts with a small first letter; the messages stay greppable across both
/// plugins.
std::string with_go_errno_text(const std::system_error& error) {
  std::string text = error.what();
  const std::string cause = error.code().message();
  if (text.ends_with(cause)) {
    char& first = text[text.size() - cause.size()];
    first = static_cast<char>(std::tolower(static_cast<unsigned char>(first)));
  }
  return text;
}

}  // namespace

CniError to_cni_error(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const CniError& error) {
    return error;
  } catch (const allocator::Error& error) {
    return {code_of(error.kind), error.what(), error.details};
  } catch (const allocator::store::TryAgain& error) {
    return {ErrorCode::try_again_later, error.what()};
  } catch (const allocator::store::Unsupported& error) {
    return {ErrorCode::invalid_config, error.what()};
  } catch (const allocator::store::NewerFormat& error) {
    return {ErrorCode::invalid_config, error.what()};
  } catch (const allocator::store::ClosedRecord& error) {
    return {ErrorCode::try_again_later, error.what()};
  } catch (const allocator::store::UnfitFile& error) {
    return {ErrorCode::try_again_later, error.what()};
  } catch (const allocator::store::NoLinks& error) {
    return {ErrorCode::invalid_config, with_go_errno_text(error)};
  } catch (const std::system_error& error) {
    const ErrorCode code =
        may_pass(error.code().value()) ? ErrorCode::try_again_later : ErrorCode::internal;
    return {code, with_go_errno_text(error)};
  } catch (const std::exception& error) {
    return {ErrorCode::internal, error.what()};
  } catch (...) {
    return {ErrorCode::internal, "unknown failure"};
  }
}

std::string print_error(const CniError& error, std::string_view cni_version) {
  Json document = {{"cniVersion", std::string(cni_version)},
                   {"code", static_cast<unsigned>(error.code)},
                   {"msg", error.what()}};
  if (!error.details.empty()) document["details"] = error.details;
  return print_json(document);
}

std::string printable_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const Rune rune = first_rune(text);
    if (!rune.code) {
      line += "\uFFFD";
    } else if (*rune.code < 0x20 || *rune.code == 0x7f) {
      line += ' ';
    } else {
      line += text.substr(0, rune.width);
    }
    text.remove_prefix(rune.width);
  }
  return line;
}

std::string go_quoted(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const Rune rune = first_rune(text);
    append_quoted(text.substr(0, rune.width), rune, result);
    text.remove_prefix(rune.width);
  }
  return result + "\"";
}

}  // namespace shim
