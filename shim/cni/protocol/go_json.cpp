#include "shim/cni/protocol/go_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace shim {
namespace {

constexpr double kExactIntegers = 9007199254740992.0;  // 2^53: every integer up to here is a double
constexpr double kFirstExponentForm = 1e21;            // from here on Go prints an exponent

/// The digits of an integral double, with as few of them other than zero as identify it.
std::string shortest_digits(double number) {
  std::array<char, 32> text{};
  for (int precision = 14; precision <= 16; ++precision) {
    std::snprintf(text.data(), text.size(), "%.*e", precision, number);
    if (std::strtod(text.data(), nullptr) == number) break;
  }
  const std::string scientific = text.data();
  const auto mark = scientific.find('e');
  const bool negative = scientific.front() == '-';
  std::string digits = scientific.substr(negative ? 1 : 0, mark - (negative ? 1 : 0));
  digits.erase(1, 1);  // the point
  digits.resize(std::stoul(scientific.substr(mark + 2)) + 1, '0');
  return negative ? "-" + digits : digits;
}

template <class Integer>
bool fits(const std::string& digits, Integer& value) {
  const auto end = digits.data() + digits.size();
  return std::from_chars(digits.data(), end, value).ec == std::errc{};
}

Json shortest_number(const Json& number) {
  const auto value = number.get<double>();
  if (std::trunc(value) != value || std::abs(value) >= kFirstExponentForm) return value;
  if (std::abs(value) <= kExactIntegers) return static_cast<std::int64_t>(value);
  const std::string digits = shortest_digits(value);
  std::int64_t whole = 0;
  if (fits(digits, whole)) return whole;
  std::uint64_t large = 0;
  if (fits(digits, large)) return large;
  return value;
}

Json sorted_object(const Json& object) {
  std::vector<std::pair<std::string, Json>> members;
  for (const auto& [key, value] : object.items()) {
    members.emplace_back(key, through_generic_map(value));
  }
  std::sort(members.begin(), members.end(),
            [](const auto& left, const auto& right) { return left.first < right.first; });
  // Each key is there once: nothing has to be looked for.
  Json sorted = Json::object();
  auto& target = sorted.get_ref<Json::object_t&>();
  for (auto& [key, value] : members) target.emplace_back(std::move(key), std::move(value));
  return sorted;
}

}  // namespace

Json through_generic_map(const Json& document) {
  if (document.is_object()) return sorted_object(document);
  if (document.is_number()) return shortest_number(document);
  if (!document.is_array()) return document;
  Json list = Json::array();
  for (const auto& element : document) list.push_back(through_generic_map(element));
  return list;
}

}  // namespace shim
