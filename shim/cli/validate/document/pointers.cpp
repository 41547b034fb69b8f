// The places of findings as the files spell them: rules look for keys in any letter case.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "shim/cli/validate/document/document.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/yaml.hpp"

namespace shim::validate {
namespace {

/// The document in a text; nullopt when there is none.
std::optional<Json> document_in(const Json& value) {
  const std::string_view text = scalar_text(value);
  try {
    if (text.find_first_not_of(" \t\r\n") == text.find('{')) return parse_json(text);
    auto documents = parse_yaml(text);
    if (!documents.empty()) return std::move(documents.front());
  } catch (const std::runtime_error&) {  // JsonSyntaxError, YamlError
  }
  return std::nullopt;
}

std::string unescaped(std::string_view part) {
  std::string key;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const bool is_escape = part[i] == '~' && i + 1 < part.size();
    key += is_escape ? (part[++i] == '0' ? '~' : '/') : part[i];
  }
  return key;
}

/// Spells pointers into documents that stay. Findings can be as many as keys: what they have in
/// common is looked for once.
class Speller {
 public:
  std::string spell(const Json& document, std::string_view pointer) {
    std::string spelling;
    unsigned texts = 0;  // a text in a text, and no more
    const Json* place = &document;
    while (place != nullptr && !pointer.empty()) {
      if (place->is_string() && texts++ < 2) {
        const auto& inner = text_at(*place);
        if (!inner) break;
        place = &*inner;
      }
      pointer.remove_prefix(1);
      const auto end = std::min(pointer.find('/'), pointer.size());
      std::string part(pointer.substr(0, end));
      place = step(*place, part);
      spelling += "/" + part;
      pointer.remove_prefix(end);
    }
    return spelling + std::string(pointer);
  }

 private:
  using Index = std::map<std::string_view, const Json*>;

  /// The member or element that a part of a pointer means; `part` becomes what the document has.
  const Json* step(const Json& place, std::string& part) {
    if (place.is_object()) {
      const std::string key = unescaped(part);
      const Index& index = index_of(place);
      if (const auto found = index.find(key); found != index.end()) return found->second;
      part = escaped(spelled(place, key));
      return find_member(place, key);
    }
    if (!place.is_array() || part.find_first_not_of("0123456789") != std::string::npos)
      return nullptr;
    const std::size_t index = std::stoul(part);
    return index < place.size() ? &place.at(index) : nullptr;
  }

  /// The library's own look-up compares all keys.
  const Index& index_of(const Json& object) {
    const auto [found, is_new] = indexes_.try_emplace(&object);
    if (is_new) {
      for (const auto& [key, value] : object.get_ref<const Json::object_t&>())
        found->second.emplace(key, &value);
    }
    return found->second;
  }

  const std::optional<Json>& text_at(const Json& place) {
    const auto found = texts_.find(&place);
    return found != texts_.end() ? found->second
                                 : texts_.emplace(&place, document_in(place)).first->second;
  }

  std::map<const Json*, Index> indexes_;
  std::map<const Json*, std::optional<Json>> texts_;
};

/// Everywhere else letter case counts.
bool is_of_network(const Documents& documents, const Finding& finding) {
  const auto& networks = documents.networks;
  return std::any_of(networks.begin(), networks.end(), [&](const Network& network) {
    return network.file == finding.file && lies_in(finding.pointer, network.pointer);
  });
}

}  // namespace

void spell_pointers(const Documents& documents, Findings& findings) {
  Speller speller;
  for (auto& one : findings) {
    const File& file = documents.files[one.file];
    if (one.pointer.empty() || file.as_read.empty() || !is_of_network(documents, one)) continue;
    if (file.as_read.size() == 1) {
      one.pointer = speller.spell(file.as_read.front(), one.pointer);
      continue;
    }
    const auto end = std::min(one.pointer.find('/', 1), one.pointer.size());
    const std::size_t index = std::stoul(one.pointer.substr(1, end - 1));
    if (index < file.as_read.size())
      one.pointer.replace(end, std::string::npos,
                          speller.spell(file.as_read[index], one.pointer.substr(end)));
  }
}

}  // namespace shim::validate
