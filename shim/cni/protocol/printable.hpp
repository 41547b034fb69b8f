#pragma once
/// Foreign text made fit to be shown: names and messages that a pod's author, a caller, a file or
/// another program wrote, on a terminal, in a log and in an error. What would steer a terminal,
/// turn the direction of writing or not be seen at all comes out as an escape, such as `\u202e`.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace shim {

/// Bytes of one text of a caller's that are shown.
inline constexpr std::size_t kQuoteLimit = 100;
/// The same of a delegate's, which are an explanation.
inline constexpr std::size_t kWordsLimit = 1000;
/// Bytes of one line on stderr, in the log and in syslog, and of a message of ours on stdout.
inline constexpr std::size_t kShownLineLimit = 4096;

/// The text with controls as spaces, every byte that is no valid UTF-8 as U+FFFD, and what cannot
/// be seen as an escape: one line, fit for a terminal. At most kShownLineLimit bytes of it, see
/// cut().
std::string printable_line(std::string_view text, std::size_t limit = kShownLineLimit);

/// The beginning of a text of more than `limit` bytes, with "… (<its length> bytes)" behind it; a
/// shorter one as it is. Never half a character.
std::string cut(std::string_view text, std::size_t limit = kQuoteLimit);

/// `text` in double quotes with Go's escapes for quotes, backslashes and what cannot be printed
/// (strconv.Quote). A text of more than `limit` bytes is cut before its last quote, which its
/// length follows: "abc…" (300000 bytes).
std::string go_quoted(std::string_view text, std::size_t limit = kQuoteLimit);

/// The characters of a JSON text that cannot be seen as JSON's own escapes; the text means the same
/// then.
std::string with_json_escapes(std::string_view json);

/// A text of many lines that comes in pieces, which may end anywhere: line feeds and tabs stay.
class PrintableStream {
 public:
  /// What can be shown with this piece.
  std::string next(std::string_view piece);
  /// The end of the text: what is left of it.
  std::string finish();

 private:
  std::string begun_;  // of a character
};

}  // namespace shim
