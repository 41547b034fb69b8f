#include "shim/cli/yaml.hpp"

#include <yaml.h>

#include <cstddef>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "shim/cli/yaml_scalar.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

constexpr unsigned kValueLimit = 1'000'000;
constexpr std::size_t kTextLimit = std::size_t{16} << 20;
/// Each is told with its whole path.
constexpr std::size_t kDuplicateLimit = 1000;

std::string place(const yaml_mark_t& mark) {
  return "line " + std::to_string(mark.line + 1) + ", column " + std::to_string(mark.column + 1);
}

class Event {
 public:
  explicit Event(yaml_parser_t& parser) {
    if (yaml_parser_parse(&parser, &event_) == 0)
      throw YamlError(place(parser.problem_mark) + ": " +
                      (parser.problem != nullptr ? parser.problem : "cannot be read"));
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&event_); }
  const yaml_event_t* operator->() const { return &event_; }
  [[nodiscard]] std::string at() const { return place(event_.start_mark); }

 private:
  yaml_event_t event_{};
};

class Reader {
 public:
  Reader(std::string_view text, std::vector<DuplicateKey>* duplicates) : duplicates_(duplicates) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { yaml_parser_delete(&parser_); }

  std::vector<Json> documents() {
    std::vector<Json> all;
    while (true) {
      const Event event(parser_);
      if (event->type == YAML_STREAM_END_EVENT) return all;
      if (event->type != YAML_DOCUMENT_START_EVENT) continue;
      anchors_.clear();
      document_ = all.size();
      Json document = value(Event(parser_), 0);
      if (!document.is_null()) all.push_back(std::move(document));
    }
  }

 private:
  Json value(const Event& event, unsigned depth) {
    const Size before = read_;
    count(event, {1, 0});
    if (depth > kMaxJsonDepth) throw YamlError(event.at() + ": nested too deeply");
    switch (event->type) {
      case YAML_ALIAS_EVENT:
        return alias(event);
      case YAML_SCALAR_EVENT:
        count(event, {0, event->data.scalar.length});
        return remember(event, event->data.scalar.anchor, scalar(event), before);
      case YAML_SEQUENCE_START_EVENT:
        return remember(event, event->data.sequence_start.anchor, list(depth), before);
      case YAML_MAPPING_START_EVENT:
        return remember(event, event->data.mapping_start.anchor, object(depth), before);
      default:
        throw YamlError(event.at() + ": a value is missing");
    }
  }

  Json alias(const Event& event) {
    const auto found = anchors_.find(reinterpret_cast<const char*>(event->data.alias.anchor));
    if (found == anchors_.end()) throw YamlError(event.at() + ": unknown alias");
    count(event, found->second.size);
    return found->second.value;
  }

  /// How much there is in a value, with what its aliases stand for.
  struct Size {
    unsigned values;
    std::size_t bytes;  ///< of keys and texts

    void add(Size more) {
      values += more.values;
      bytes += more.bytes;
    }
  };

  /// Errors: throws YamlError when a small file has become a large one by its aliases and anchors.
  void count(const Event& event, Size more) {
    read_.add(more);
    refuse_too_much(event);
  }

  void refuse_too_much(const Event& event) const {
    if (read_.values + kept_.values > kValueLimit)
      throw YamlError(event.at() + ": more than a million values");
    if (read_.bytes + kept_.bytes > kTextLimit)
      throw YamlError(event.at() + ": more than 16 MiB of text");
  }

  static Json scalar(const Event& event) {
    const auto& scalar = event->data.scalar;
    std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    const bool is_plain = scalar.tag == nullptr && scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (is_plain || is_tagged_as_word(scalar.tag)) return plain_value(text);
    return text;
  }

  static bool is_tagged_as_word(const yaml_char_t* tag) {
    if (tag == nullptr) return false;
    const std::string_view name(reinterpret_cast<const char*>(tag));
    return name == YAML_BOOL_TAG || name == YAML_INT_TAG || name == YAML_FLOAT_TAG ||
           name == YAML_NULL_TAG;
  }

  Json list(unsigned depth) {
    Json elements = Json::array();
    while (true) {
      const Event event(parser_);
      if (event->type == YAML_SEQUENCE_END_EVENT) return elements;
      path_.push_back(std::to_string(elements.size()));
      elements.push_back(value(event, depth + 1));
      path_.pop_back();
    }
  }

  /// Where a key of an object stands: in the text, and among its members.
  struct Seen {
    std::string at;
    std::ptrdiff_t index;
  };
  /// The library's object compares its keys one by one.
  using SeenKeys = std::map<std::string, Seen>;

  /// Puts the member at the end of the path in; one of the same name is replaced at its place.
  void put(const Event& key, Json member, Json::object_t& members, SeenKeys& seen) const {
    const auto [first, is_new] = seen.emplace(path_.back(), Seen{key.at(), std::ssize(members)});
    if (is_new) {
      members.emplace_back(path_.back(), std::move(member));
      return;
    }
    std::next(members.begin(), first->second.index)->second = std::move(member);
    if (duplicates_ != nullptr && duplicates_->size() < kDuplicateLimit)
      duplicates_->push_back({document_, path_, first->second.at, key.at()});
  }

  /// Puts the members of other objects in ("<<: *defaults"); those that are there stay.
  static void merge(const Json& others, Json::object_t& members, SeenKeys& seen) {
    for (const auto& other : others.is_array() ? others : Json::array({others})) {
      if (!other.is_object()) continue;
      for (const auto& [key, member] : other.items()) {
        if (seen.emplace(key, Seen{}).second) members.emplace_back(key, member);
      }
    }
  }

  Json object(unsigned depth) {
    Json result = Json::object();
    auto& members = result.get_ref<Json::object_t&>();
    Json merged = Json::array();
    SeenKeys seen;
    while (true) {
      const Event key(parser_);
      if (key->type == YAML_MAPPING_END_EVENT) {
        for (const auto& others : merged) merge(others, members, seen);
        return result;
      }
      if (key->type != YAML_SCALAR_EVENT) throw YamlError(key.at() + ": a key must be plain text");
      const std::string name(reinterpret_cast<const char*>(key->data.scalar.value),
                             key->data.scalar.length);
      count(key, {0, name.size()});
      path_.push_back(name);
      Json member = value(Event(parser_), depth + 1);
      const bool is_merge = name == "<<" && member.is_structured() &&
                            key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
      if (is_merge) {
        merged.push_back(std::move(member));
      } else {
        put(key, std::move(member), members, seen);
      }
      path_.pop_back();
    }
  }

  struct Anchored {
    Json value;
    Size size;
  };

  /// What has an anchor is kept beside its place: anchors inside one another keep it many times.
  Json remember(const Event& event, const yaml_char_t* anchor, Json value, Size before) {
    if (anchor == nullptr) return value;
    const Size size{read_.values - before.values, read_.bytes - before.bytes};
    kept_.add(size);
    refuse_too_much(event);
    anchors_[reinterpret_cast<const char*>(anchor)] = {value, size};
    return value;
  }

  yaml_parser_t parser_{};
  std::map<std::string, Anchored> anchors_;
  Size read_{};
  Size kept_{};  // by anchors
  std::vector<DuplicateKey>* duplicates_;
  std::size_t document_ = 0;
  std::vector<std::string> path_;
};

class Emitter {
 public:
  Emitter() {
    yaml_emitter_initialize(&emitter_);
    yaml_emitter_set_output(&emitter_, &append, &text_);
    yaml_emitter_set_width(&emitter_, -1);
  }
  Emitter(const Emitter&) = delete;
  Emitter& operator=(const Emitter&) = delete;
  ~Emitter() { yaml_emitter_delete(&emitter_); }

  std::string print(const Json& document) {
    // The library would write marks of direction, say, as they are.
    const std::string plain = document.dump();
    yaml_emitter_set_unicode(&emitter_, with_json_escapes(plain) == plain ? 1 : 0);
    yaml_stream_start_event_initialize(&event_, YAML_UTF8_ENCODING);
    emit();
    yaml_document_start_event_initialize(&event_, nullptr, nullptr, nullptr, 1);
    emit();
    value(document);
    yaml_document_end_event_initialize(&event_, 1);
    emit();
    yaml_stream_end_event_initialize(&event_);
    emit();
    return text_;
  }

 private:
  static int append(void* text, unsigned char* bytes, size_t size) {
    static_cast<std::string*>(text)->append(reinterpret_cast<const char*>(bytes), size);
    return 1;
  }

  void emit() {
    if (yaml_emitter_emit(&emitter_, &event_) == 0)
      throw YamlError(emitter_.problem != nullptr ? emitter_.problem : "cannot be written");
  }

  void value(const Json& value) {
    if (value.is_object()) {
      object(value);
    } else if (value.is_array()) {
      list(value);
    } else if (value.is_string()) {
      text(value.get<std::string>());
    } else {
      scalar(value.dump(), YAML_PLAIN_SCALAR_STYLE);
    }
  }

  void object(const Json& members) {
    const auto style = members.empty() ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE;
    yaml_mapping_start_event_initialize(&event_, nullptr, nullptr, 1, style);
    emit();
    for (const auto& [key, member] : members.items()) {
      text(key);
      value(member);
    }
    yaml_mapping_end_event_initialize(&event_);
    emit();
  }

  void list(const Json& elements) {
    const auto style = elements.empty() ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE;
    yaml_sequence_start_event_initialize(&event_, nullptr, nullptr, 1, style);
    emit();
    for (const auto& element : elements) value(element);
    yaml_sequence_end_event_initialize(&event_);
    emit();
  }

  void text(const std::string& text) {
    if (text.find('\n') != std::string::npos) {
      scalar(text, YAML_LITERAL_SCALAR_STYLE);
    } else {
      // A word that would be read as a number, say, needs quotes.
      scalar(text, needs_quotes(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE);
    }
  }

  void scalar(const std::string& text, yaml_scalar_style_t style) {
    yaml_scalar_event_initialize(&event_, nullptr, nullptr,
                                 reinterpret_cast<const unsigned char*>(text.data()),
                                 static_cast<int>(text.size()), 1, 1, style);
    emit();
  }

  yaml_emitter_t emitter_{};
  yaml_event_t event_{};
  std::string text_;
};

}  // namespace

std::vector<Json> parse_yaml(std::string_view text, std::vector<DuplicateKey>* duplicates) {
  return Reader(text, duplicates).documents();
}

std::string print_yaml(const Json& document) { return Emitter().print(document); }

}  // namespace shim
