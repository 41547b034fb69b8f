#include "shim/cli/yaml_scalar.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

namespace shim {
namespace {

/// A whole number as Go reads one: 0644 and 0o644 are octal, 0x and 0b as in C, "_" is nothing.
/// null when it is none, or too large.
Json whole_number(const std::string& text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits),
               [](char c) { return c != '_'; });
  const bool is_negative = digits.starts_with('-');
  if (is_negative || digits.starts_with('+')) digits.erase(0, 1);
  int base = 10;
  if (digits.size() > 1 && digits.front() == '0') {
    const char mark = static_cast<char>(digits[1] | 0x20);
    base = mark == 'x' ? 16 : (mark == 'b' ? 2 : 8);
    digits.erase(0, base != 8 || mark == 'o' ? 2 : 1);
  }
  std::uint64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, number, base);
  if (text.starts_with('_') || result.ec != std::errc{} || result.ptr != end) return {};
  if (!is_negative) return number;
  if (number > std::uint64_t{1} << 63) return {};
  return static_cast<std::int64_t>(0 - number);
}

/// strtod(3) is here for JSON anyway; from_chars would bring tables of 24 KB of its own.
bool is_decimal(const std::string& text, double& number) {
  if (text.find_first_not_of("0123456789+-.eE") != std::string::npos) return false;
  char* end = nullptr;
  number = std::strtod(text.c_str(), &end);
  return end == text.c_str() + text.size() && std::isfinite(number);
}

bool is_word_of(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

/// A date, a time, or a decimal number with "_" in it.
bool is_moment(const std::string& text) {
  const auto end = text.find_first_not_of("0123456789");
  if (end == 4 && text[end] == '-') return true;
  return end != std::string::npos &&
         text.find_first_not_of("0123456789-+:._eE") == std::string::npos &&
         text.find_first_of(":_") != std::string::npos;
}

}  // namespace

Json plain_value(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return {};
  if (is_word_of(text, {"true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"}))
    return true;
  if (is_word_of(text,
                 {"false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"}))
    return false;
  if (Json whole = whole_number(text); !whole.is_null()) return whole;
  double number = 0;
  if (is_decimal(text, number)) return number;
  return text;
}

bool needs_quotes(const std::string& text) {
  if (!plain_value(text).is_string() || is_moment(text)) return true;
  const bool has_sign = text.size() > 1 && (text[0] == '+' || text[0] == '-');
  return is_word_of(text.substr(has_sign ? 1 : 0),
                    {"<<", "=", ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"});
}

}  // namespace shim
