#include "shim/cli/validate/document/duplicates.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "shim/cli/validate/document/edit.hpp"

namespace shim::validate {
namespace {

/// Line and column of positions in a text, which are counted once however many are asked for.
class Places {
 public:
  explicit Places(std::string_view text) {
    for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
      starts_.push_back(at + 1);
  }

  [[nodiscard]] std::string of(std::size_t position) const {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), position);
    const auto line = next - starts_.begin();
    const std::size_t column = position - *std::prev(next) + 1;
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
  }

 private:
  std::vector<std::size_t> starts_{0};
};

/// Walks through a text that is known to be right.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text), places_(text) {}

  std::vector<DuplicateKey> scan() {
    value();
    return std::move(found_);
  }

 private:
  char next() {
    position_ = std::min(text_.find_first_not_of(" \t\r\n", position_), text_.size());
    return position_ < text_.size() ? text_[position_] : '\0';
  }

  void value() {
    const char first = next();
    if (first == '{') {
      object();
    } else if (first == '[') {
      list();
    } else if (first == '"') {
      string();
    } else {
      position_ = std::min(text_.find_first_of(",]} \t\r\n", position_), text_.size());
    }
  }

  std::string string() {
    const std::size_t start = position_++;
    while (position_ < text_.size() && text_[position_] != '"')
      position_ += text_[position_] == '\\' ? 2 : 1;
    ++position_;
    return parse_json(text_.substr(start, position_ - start)).get<std::string>();
  }

  void list() {
    ++position_;
    for (std::size_t i = 0; next() != ']'; ++i) {
      if (text_[position_] == ',') ++position_;
      path_.push_back(std::to_string(i));
      value();
      path_.pop_back();
    }
    ++position_;
  }

  void object() {
    std::map<std::string, std::size_t> seen;
    ++position_;
    while (next() != '}') {
      if (text_[position_] == ',') ++position_;
      next();
      const std::size_t at = position_;
      path_.push_back(string());
      const auto [first, is_new] = seen.emplace(path_.back(), at);
      if (!is_new) found_.push_back({0, path_, places_.of(first->second), places_.of(at)});
      next();
      ++position_;  // the colon
      value();
      path_.pop_back();
    }
    ++position_;
  }

  std::string_view text_;
  Places places_;
  std::size_t position_ = 0;
  std::vector<std::string> path_;
  std::vector<DuplicateKey> found_;
};

/// What same_key() compares.
std::string in_small_letters(std::string key) {
  std::transform(key.begin(), key.end(), key.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return key;
}

}  // namespace

std::vector<DuplicateKey> duplicate_keys(std::string_view json) { return Scanner(json).scan(); }

void report_duplicates(const std::vector<DuplicateKey>& duplicates, std::string_view where,
                       const Report& report) {
  for (const auto& one : duplicates) {
    std::string pointer;
    for (const auto& key : one.path) pointer += "/" + escaped(key);
    report.found(rules::kDuplicateKey, {pointer},
                 {one.path.back(), " is there twice, ", where, "at ", one.first, " and at ",
                  one.second, ": the last one counts"});
  }
}

void check_letter_case(const Json& object, const Report& report) {
  std::map<std::string, std::string> seen;
  for (const auto& key : keys_of(object)) {
    const auto [twin, is_new] = seen.emplace(in_small_letters(key), key);
    if (is_new) continue;
    report.found(rules::kDuplicateKey, {"/", escaped(key)},
                 {key, " is the same key as ", twin->second,
                  " above it, for plugins take no notice of letter case: the last one counts"});
  }
}

}  // namespace shim::validate
