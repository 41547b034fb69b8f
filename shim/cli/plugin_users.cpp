#include "shim/cli/plugin_users.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "shim/cli/drop_ins.hpp"
#include "shim/cni/protocol/json_text.hpp"
#include "shim/cni/result/libcni_cache.hpp"

namespace shim {
namespace {

using allocator::store::Directory;
using allocator::store::FileSystem;

constexpr std::size_t kConfigurationLimit = std::size_t{4} << 20;

/// RFC 4648 section 4; stops at the first character that is none of it.
std::string decoded(std::string_view text) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char character : text) {
    const auto digit = digits.find(character);
    if (digit == std::string_view::npos) break;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<char>(bits >> count & 0xff));
  }
  return bytes;
}

/// True when an `ipam` object anywhere in the configuration has this type.
bool has_ipam_type(const Json& value, const std::string& name) {
  if (value.is_object()) {
    const Json* ipam = find_member(value, "ipam");
    const Json* type = ipam != nullptr ? find_member(*ipam, "type") : nullptr;
    if (type != nullptr && *type == name) return true;
  }
  return value.is_structured() && std::any_of(value.begin(), value.end(), [&](const Json& member) {
           return has_ipam_type(member, name);
         });
}

std::optional<Json> parsed(const std::string& text) {
  try {
    return parse_json(text);
  } catch (const JsonSyntaxError&) {
    return std::nullopt;
  }
}

/// What the file holds, or the one that it is a link to; nullopt when neither can be read.
std::optional<std::string> read(FileSystem& fs, const Directory& folder, const std::string& name) {
  if (auto content = fs.read_file(folder, name, kConfigurationLimit))
    return std::move(content->bytes);
  try {
    return fs.read_regular(folder.path + "/" + name, kConfigurationLimit);
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

/// The documents of a folder's files, by file name.
std::map<std::string, Json> documents_in(FileSystem& fs, const std::string& path) {
  std::map<std::string, Json> documents;
  const auto folder = fs.open_directory(path);
  if (!folder) return documents;
  for (const auto& name : fs.list(*folder)) {
    const auto text = read(fs, *folder, name);
    auto document = text ? parsed(*text) : std::nullopt;
    if (document) documents.emplace(name, std::move(*document));
  }
  return documents;
}

/// The files with drop-in plugins that name it, by network.
std::multimap<std::string, std::string> drop_ins_using(FileSystem& fs, const CniPlaces& places,
                                                       const std::string& name) {
  std::multimap<std::string, std::string> files;
  for (const auto& [list_name, list] : lists_in(fs, places.conflists)) {
    const auto network = completed_network(list);
    if (!network || files.contains(*network)) continue;  // one folder, however many lists
    const std::string folder = places.conflists + "/" + *network;
    for (const auto& [file, text] : drop_ins_in(fs, folder)) {
      const auto plugin = parsed(text);
      if (plugin && has_ipam_type(*plugin, name)) files.emplace(*network, folder + "/" + file);
    }
  }
  return files;
}

/// "namespace/pod" of a cache entry.
std::string pod_of_entry(const Json& entry) {
  const std::string pod_name = entry_argument(entry, "K8S_POD_NAME");
  if (pod_name.empty()) return "container " + entry_text(entry, "containerId");
  return entry_argument(entry, "K8S_POD_NAMESPACE") + "/" + pod_name;
}

}  // namespace

std::vector<PluginUser> pods_using(FileSystem& fs, const CniPlaces& places,
                                   const std::string& name) {
  std::vector<PluginUser> users;
  std::map<std::string, std::string> pods;  // by container ID
  const auto drop_ins = drop_ins_using(fs, places, name);
  const std::string results = places.cache + "/results";
  for (const auto& [file, entry] : documents_in(fs, results)) {
    const std::string pod = pod_of_entry(entry);
    pods[entry_text(entry, "containerId")] = pod;
    const auto conf = parsed(decoded(entry_text(entry, "config")));
    if (!conf) continue;
    // libcni keeps the list as it was written, without what the folder added to it.
    const auto network = completed_network(*conf);
    const bool is_by_drop_in = network && drop_ins.contains(*network);
    if (is_by_drop_in || has_ipam_type(*conf, name)) users.push_back({pod, results + "/" + file});
  }
  const std::string scratch = places.cache + "/flannel";
  for (const auto& [container, conf] : documents_in(fs, scratch)) {
    if (!has_ipam_type(conf, name)) continue;
    const auto pod = pods.find(container);
    users.push_back(
        {pod != pods.end() ? pod->second : "container " + container, scratch + "/" + container});
  }
  std::sort(users.begin(), users.end(), [](const PluginUser& left, const PluginUser& right) {
    return std::tie(left.pod, left.file) < std::tie(right.pod, right.file);
  });
  return users;
}

std::vector<std::string> configurations_using(FileSystem& fs, const CniPlaces& places,
                                              const std::string& name) {
  std::vector<std::string> files;
  for (const auto& [file, conf] : documents_in(fs, places.conflists)) {
    const bool is_read =
        file.ends_with(".conflist") || file.ends_with(".conf") || file.ends_with(".json");
    if (is_read && has_ipam_type(conf, name)) files.push_back(places.conflists + "/" + file);
  }
  for (const auto& [network, file] : drop_ins_using(fs, places, name)) files.push_back(file);
  return files;
}

}  // namespace shim
