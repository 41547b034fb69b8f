// Replays recorded conversions of the Go CNI library: every vector of conversion.json in the folder
// VECTORS_DIR (environment). A vector says what was read, the way it took, and the document or the
// error at the end. Where we differ on purpose is in kDeviations, and nowhere else.
#include <array>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/json_text.hpp"
#include "shim/cni/result/convert.hpp"
#include "shim/cni/result/result.hpp"
#include "test/unit/catch.hpp"

namespace {

using shim::Json;

std::string vectors_dir() {
  const char* given = std::getenv("VECTORS_DIR");
  return given != nullptr && *given != '\0' ? given : DEFAULT_VECTORS_DIR;
}

Json read_vectors(const std::string& name) {
  const std::string path = vectors_dir() + "/" + name;
  std::ifstream file(path);
  INFO("file: " << path);
  REQUIRE(file.good());
  return Json::parse(file).at("vectors");
}

std::string text_member(const Json& vector, const char* key) {
  return vector.value(key, std::string());
}

std::string input_text(const Json& vector) {
  return vector.contains("input") ? vector["input"].dump() : text_member(vector, "input_text");
}

struct Outcome {
  std::string output;
  std::string error;  // empty = success
  std::string stage;  // where it ended: parse, to-current, convert or print
};

Outcome replay(const Json& vector) {
  Outcome outcome;
  try {
    const bool delegate = vector.at("mode") == "delegate";
    const auto from = text_member(vector, "from");
    outcome.stage = "parse";
    auto document = delegate ? shim::read_delegate_result(input_text(vector), from)
                             : shim::read_result(input_text(vector), from);
    outcome.stage = "to-current";
    if (delegate) document = shim::newest_form(document);
    outcome.stage = "convert";
    for (const auto& version : vector.value("via", Json::array())) {
      document = shim::convert(document, version.get<std::string>());
    }
    document = shim::convert(document, text_member(vector, "to"));
    outcome.stage = "print";
    outcome.output = shim::print_document(document);
  } catch (const shim::CniError& error) {
    outcome.error = error.what();
    if (outcome.error.empty()) outcome.error = "(an error without a text)";
  }
  return outcome;
}

/// Texts of Go's decoder vary with the Go version; a panic is no text to copy.
bool text_is_free(const std::string& error) {
  const auto has = [&](const char* part) { return error.find(part) != std::string::npos; };
  return error.starts_with("panic:") || has("json: ") || has("invalid character") ||
         has("unexpected end of JSON input");
}

std::string difference_to_success(const Json& vector, const Outcome& outcome) {
  if (!outcome.error.empty()) return "failed at " + outcome.stage + ": " + outcome.error;
  // The order of keys is layout: compared in output_text only.
  if (nlohmann::json::parse(outcome.output) != nlohmann::json::parse(vector["output"].dump())) {
    return "other value: " + outcome.output;
  }
  if (outcome.output != vector.at("output_text")) return "other layout: " + outcome.output;
  return {};
}

std::string difference_to_failure(const Json& vector, const Outcome& outcome) {
  if (outcome.error.empty()) return "succeeded: " + outcome.output;
  if (outcome.stage != vector.at("stage"))
    return "failed at " + outcome.stage + ": " + outcome.error;
  if (text_is_free(vector["error"]) || outcome.error == vector["error"]) return {};
  return "other text: " + outcome.error;
}

/// In words how the outcome differs from what the Go library did; empty when it does not.
std::string difference(const Json& vector, const Outcome& outcome) {
  return vector.contains("error") ? difference_to_failure(vector, outcome)
                                  : difference_to_success(vector, outcome);
}

bool has_null_element(const Json& object, std::initializer_list<const char*> lists) {
  for (const char* key : lists) {
    const Json* list = shim::find_member(object, key);
    if (list == nullptr || !list->is_array()) continue;
    for (const auto& element : *list) {
      if (element.is_null()) return true;
    }
  }
  return false;
}

/// The version by which the document is read.
std::string read_version(const Json& vector, const Json& document) {
  if (vector.at("mode") == "delegate" && document.is_object()) {
    const auto own = document.find("cniVersion");
    auto text = own != document.end() && own->is_string() ? own->get<std::string>() : "";
    if (!text.empty()) return text;
  }
  return text_member(vector, "from");
}

bool input_has_null_element(const Json& vector) {
  const Json document = Json::parse(input_text(vector), nullptr, false);
  const auto version = read_version(vector, document);
  const bool pair = version.empty() || version == "0.1.0" || version == "0.2.0";
  if (!pair) return has_null_element(document, {"interfaces", "ips", "routes"});
  const Json* ip4 = shim::find_member(document, "ip4");
  const Json* ip6 = shim::find_member(document, "ip6");
  return (ip4 != nullptr && has_null_element(*ip4, {"routes"})) ||
         (ip6 != nullptr && has_null_element(*ip6, {"routes"}));
}

/// Go had nothing to object to when it read the values (it looks at the version after them).
bool go_accepts_the_values(const Json& vector) {
  return text_member(vector, "stage") != "parse" ||
         text_member(vector, "error").starts_with("result type supports ");
}

struct Deviation {
  const char* reason;
  bool (*applies)(const Json& vector);
};

bool refuses_null_element(const Json& vector) {
  return input_has_null_element(vector) && go_accepts_the_values(vector);
}

/// The one rounded number that no 64-bit integer can hold; only 1.x rounds.
bool prints_rounded_minimum(const Json& vector) {
  return text_member(vector, "output_text").find(": -9223372036854776000") != std::string::npos;
}

constexpr std::array kDeviations{
    Deviation{"A null in a list of interfaces, addresses or routes is refused when it is read. Go "
              "passes it on to a caller that will crash on it, turns it into a route to nowhere, "
              "or crashes itself, depending on the versions.",
              refuses_null_element},
    Deviation{"The smallest 64-bit number, rounded to a double, is printed with an exponent: the "
              "same number in other digits.",
              prints_rounded_minimum},
};

const Deviation* deviation_for(const Json& vector) {
  for (const auto& deviation : kDeviations) {
    if (deviation.applies(vector)) return &deviation;
  }
  return nullptr;
}

void check_vector(const Json& vector) {
  INFO("vector " << vector.at("id") << " (" << text_member(vector, "name") << "): "
                 << text_member(vector, "mode") << " from \"" << text_member(vector, "from")
                 << "\" to \"" << text_member(vector, "to") << "\": " << input_text(vector));
  INFO("expected: " << text_member(vector, "output_text") << text_member(vector, "error") << " "
                    << text_member(vector, "stage"));
  const auto found = difference(vector, replay(vector));
  const auto* deviation = deviation_for(vector);
  if (deviation == nullptr) {
    INFO("difference: " << found);
    CHECK(found.empty());
  } else {
    INFO("the rule no longer holds for this vector: " << deviation->reason);
    CHECK_FALSE(found.empty());
  }
}

}  // namespace

TEST_CASE("every recorded result converts as in the Go library, or deviates by a named rule",
          "[vectors]") {
  const Json vectors = read_vectors("conversion.json");
  REQUIRE_FALSE(vectors.empty());
  for (const auto& vector : vectors) check_vector(vector);
}
