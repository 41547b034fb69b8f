#include "shim/cli/inspect/networks/yurthub_cache.hpp"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::store::Directory;
using allocator::store::FileSystem;

/// More than the API server takes.
constexpr std::size_t kObjectLimit = std::size_t{8} << 20;

constexpr std::string_view kUnfinished = "tmp_";
constexpr std::string_view kEnding = ".json";

YurthubFile file_of(const std::string& folder, const std::string& name_space,
                    const std::string& entry) {
  return {folder + "/" + entry, name_space, object_name(entry), entry.starts_with(kUnfinished)};
}

/// nullopt where there is none (any more).
std::optional<Directory> open_namespace(FileSystem& fs, const std::string& path, Strays strays) {
  try {
    return fs.open_directory(path);
  } catch (const std::system_error& error) {
    if (strays == Strays::refused || error.code().value() != ENOTDIR) throw;
    return std::nullopt;
  }
}

std::string text_of(const Json& object, std::string_view path) {
  return std::string(validate::text_at(object, path));
}

bool is_true_at(const Json& object, std::string_view path) {
  const Json* value = validate::at_path(object, path);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

std::vector<Address> addresses_in(const Json& pod) {
  std::vector<std::string> texts = {text_of(pod, "status/podIP")};
  for (const auto& one : validate::elements_at(pod, "status/podIPs"))
    texts.emplace_back(validate::text_member(one, "ip"));
  std::vector<Address> addresses;
  for (const auto& text : texts) {
    const auto address = Address::parse(text);
    if (address && !contains(addresses, *address)) addresses.push_back(*address);
  }
  return addresses;
}

}  // namespace

std::string object_name(const std::string& entry) {
  std::string name = entry.starts_with(kUnfinished) ? entry.substr(kUnfinished.size()) : entry;
  if (name.ends_with(kEnding)) name.resize(name.size() - kEnding.size());
  return name;
}

std::vector<std::string> sorted_names(FileSystem& fs, const Directory& folder) {
  auto names = fs.list(folder);
  std::sort(names.begin(), names.end());
  return names;
}

void visit_yurthub(FileSystem& fs, const Directory& folder, Strays strays,
                   const std::function<void(const YurthubFile&)>& visit) {
  for (const auto& name_space : sorted_names(fs, folder)) {
    const std::string path = folder.path + "/" + name_space;
    const auto opened = open_namespace(fs, path, strays);
    if (!opened) continue;
    for (const auto& entry : sorted_names(fs, *opened)) visit(file_of(path, name_space, entry));
  }
}

std::string read_yurthub(FileSystem& fs, const YurthubFile& file) {
  return fs.read_regular(file.path, kObjectLimit);
}

std::optional<YurthubPod> parse_yurthub_pod(const std::string& text) {
  const Json object = parse_json(text);
  YurthubPod pod{text_of(object, "metadata/namespace"), text_of(object, "metadata/name"),
                 text_of(object, "metadata/uid"), text_of(object, "spec/nodeName")};
  if (pod.name_space.empty() || pod.name.empty()) return std::nullopt;
  const auto phase = validate::text_at(object, "status/phase");
  pod.has_address =
      !is_true_at(object, "spec/hostNetwork") && phase != "Succeeded" && phase != "Failed";
  if (pod.has_address) pod.addresses = addresses_in(object);
  return pod;
}

}  // namespace shim::inspect
