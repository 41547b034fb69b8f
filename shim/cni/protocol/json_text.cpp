#include "shim/cni/protocol/json_text.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>
#include <vector>

#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

/// Puts the place of a syntax error into words: line and column, counted from 1.
std::string place_of(std::string_view text, std::size_t position) {
  const std::string_view before = text.substr(0, std::min(position, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto line_start = before.rfind('\n');
  const std::size_t column =
      line_start == std::string_view::npos ? before.size() : before.size() - line_start - 1;
  return "line " + std::to_string(line) + ", column " +
         std::to_string(std::max<std::size_t>(column, 1));
}

/// What Go escapes beyond JSON's own needs: characters with a meaning in HTML. Those with one in
/// JavaScript (U+2028, U+2029) are escaped with all that cannot be seen.
constexpr std::string_view kEscaped = "<>&";
constexpr std::array<const char*, 3> kEscapes = {"\\u003c", "\\u003e", "\\u0026"};

/// An object's members by their place: the library's own look-up is by key.
using JsonMembers = std::vector<Json::object_t::value_type>;

/// Which of an object's members are the last of their key: found by sorting, as the library's
/// object compares a key with all others, and hashes can be made to be equal.
std::vector<bool> last_of_their_keys(const JsonMembers& members) {
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
    const int compared = members[left].first.compare(members[right].first);
    return compared != 0 ? compared < 0 : left < right;
  });
  std::vector<bool> is_last(members.size(), true);
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (members[order[i - 1]].first == members[order[i]].first) is_last[order[i - 1]] = false;
  }
  return is_last;
}

void drop_earlier_duplicates(Json::object_t& object) {
  JsonMembers& members = object;
  const auto is_last = last_of_their_keys(members);
  if (std::find(is_last.begin(), is_last.end(), false) == is_last.end()) return;
  Json::object_t kept;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (is_last[i]) kept.emplace_back(members[i].first, std::move(members[i].second));
  }
  object = std::move(kept);
}

/// Builds the document from parser events. nlohmann's own DOM builder keeps the first position of a
/// duplicate key, compares each key with all others, and sets no limit on nesting.
class DocumentBuilder final : public nlohmann::json_sax<Json> {
 public:
  DocumentBuilder(std::string_view text, const Wanted& wanted) : text_(text), wanted_(wanted) {}

  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    keys_.back() = std::move(name);
    if (skipped_ == 0) is_skipped_ = wanted_ && !wanted_(keys_);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // The parser reports the end of the text one behind its last byte.
    if (position > text_.size()) throw JsonSyntaxError("unexpected end of JSON input");
    throw JsonSyntaxError(place_of(text_, position) + ": " + syntax_cause(error.what()));
  }

 private:
  bool add(Json value) {
    if (std::exchange(is_skipped_, false) || skips_elements()) return true;
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_array()) {
      open_.back().push_back(std::move(value));
    } else {
      open_.back().get_ref<Json::object_t&>().emplace_back(keys_.back(), std::move(value));
    }
    return true;
  }

  bool open(Json container) {
    if (open_.size() + skipped_ >= kMaxJsonDepth) {
      throw JsonSyntaxError("nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    }
    if (std::exchange(is_skipped_, false) || skips_elements()) {
      ++skipped_;
      return true;
    }
    keys_.emplace_back();
    skips_.push_back(container.is_array() && wanted_ && !wanted_(keys_));
    open_.push_back(std::move(container));
    return true;
  }

  bool close() {
    if (skipped_ > 0) {
      --skipped_;
      return true;
    }
    Json done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    skips_.pop_back();
    if (done.is_object()) drop_earlier_duplicates(done.get_ref<Json::object_t&>());
    return add(std::move(done));
  }

  /// Whether no element of the array around is wanted, or nothing around.
  [[nodiscard]] bool skips_elements() const {
    return skipped_ > 0 || (!skips_.empty() && skips_.back());
  }

  std::string_view text_;
  const Wanted& wanted_;
  bool is_skipped_ = false;  // the value that comes next
  unsigned skipped_ = 0;     // containers that are open and not built
  Json root_;
  std::vector<Json> open_;
  std::vector<std::string> keys_;
  std::vector<bool> skips_;  // of each: the elements
};

}  // namespace

std::string syntax_cause(std::string_view message) {
  const auto head = message.find("parse error at ");
  const auto colon = head == std::string_view::npos ? head : message.find(": ", head);
  if (colon != std::string_view::npos) message.remove_prefix(colon + 2);
  // The library tells the whole of the string that it was in.
  constexpr std::string_view mark = "last read: '";
  const auto token = message.find(mark);
  const auto end = message.rfind('\'');
  if (token == std::string_view::npos || end < token + mark.size()) return std::string(message);
  const auto start = token + mark.size();
  return std::string(message.substr(0, start)) + cut(message.substr(start, end - start)) +
         std::string(message.substr(end));
}

Json parse_json(std::string_view text, const Wanted& wanted) {
  if (text.starts_with("\xef\xbb\xbf")) {
    throw JsonSyntaxError(
        "line 1, column 1: the text starts with a byte order mark; save it as plain UTF-8");
  }
  // The library would take a NUL byte for the end of the text.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    throw JsonSyntaxError(place_of(text, nul + 1) + ": a NUL byte");
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    throw JsonSyntaxError("unexpected end of JSON input");
  }
  DocumentBuilder builder(text, wanted);
  Json::sax_parse(text, &builder);
  return builder.take();
}

bool same_key(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

const Json* find_member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const Json* found = nullptr;
  // Not by items(), which makes a text of each member's place first.
  for (const auto& [name, value] : object.get_ref<const Json::object_t&>()) {
    if (same_key(name, key)) found = value.is_null() ? nullptr : &value;
  }
  return found;
}

std::string print_json(const Json& document) {
  const std::string plain = document.dump(4, ' ', false, Json::error_handler_t::replace);
  std::string escaped;
  escaped.reserve(plain.size());
  std::string_view rest = plain;
  for (auto at = rest.find_first_of(kEscaped); at != rest.npos; at = rest.find_first_of(kEscaped)) {
    escaped += rest.substr(0, at);
    escaped += kEscapes[kEscaped.find(rest[at])];
    rest.remove_prefix(at + 1);
  }
  escaped += rest;
  return with_json_escapes(escaped);
}

std::string_view type_name(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "true or false";
    default:
      return "a number";
  }
}

}  // namespace shim
