#include "shim/cli/install/ranges_checksum.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "allocator/store/disk/sha256.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

std::string ranges_checksum(NodeTexts nodes) {
  std::sort(nodes.begin(), nodes.end());
  Json ranges = Json::object();
  auto& object = ranges.get_ref<Json::object_t&>();  // by operator[] it would look through all
  for (const auto& [name, text] : nodes) {
    Json blocks = Json::array();
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
      if (!line.empty()) blocks.push_back(line);
    object.emplace_back(name, std::move(blocks));
  }
  return allocator::store::sha256_hex(ranges.dump(-1, ' ', false, Json::error_handler_t::replace));
}

bool is_ranges_checksum(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace shim
