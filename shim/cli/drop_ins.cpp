#include "shim/cli/drop_ins.hpp"

#include <algorithm>
#include <cctype>
#include <system_error>

#include "shim/cni/protocol/environment.hpp"

namespace shim {
namespace {

using allocator::store::FileSystem;

constexpr std::size_t kFileLimit = std::size_t{4} << 20;

/// libcni looks these keys up exactly as they are spelled.
const Json* exact(const Json& list, const char* key) {
  const auto found = list.is_object() ? list.find(key) : list.end();
  return found == list.end() ? nullptr : &*found;
}

/// None where the folder is missing, or is none.
std::vector<std::string> names_in(FileSystem& fs, const std::string& path, std::string_view end) {
  std::vector<std::string> names;
  try {
    const auto folder = fs.open_directory(path);
    if (folder) names = fs.list(*folder);
  } catch (const std::system_error&) {
    return names;
  }
  names.erase(std::remove_if(names.begin(), names.end(),
                             [&](const std::string& name) { return !name.ends_with(end); }),
              names.end());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::optional<bool> loads_only_inlined(const Json& list) {
  const Json* value = exact(list, "loadOnlyInlinedPlugins");
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  if (!value->is_string()) return std::nullopt;
  std::string text = value->get<std::string>();
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (text != "true" && text != "false") return std::nullopt;
  return text == "true";
}

std::optional<std::string> completed_network(const Json& list) {
  const Json* name = exact(list, "name");
  if (name == nullptr || !name->is_string() || loads_only_inlined(list) != false)
    return std::nullopt;
  // Any other name would be refused at the first pod.
  return is_identifier(name->get<std::string>()) ? std::optional(name->get<std::string>())
                                                 : std::nullopt;
}

std::vector<DropInFile> drop_ins_in(FileSystem& fs, const std::string& folder) {
  std::vector<DropInFile> files;
  for (const auto& name : names_in(fs, folder, ".conf")) {
    try {
      files.push_back({name, fs.read_regular(folder + "/" + name, kFileLimit)});
    } catch (const std::system_error&) {  // a folder, or a link to nowhere
      continue;
    }
  }
  return files;
}

std::vector<ListFile> lists_in(FileSystem& fs, const std::string& folder) {
  std::vector<ListFile> lists;
  for (const auto& name : names_in(fs, folder, ".conflist")) {
    try {
      lists.push_back({name, parse_json(fs.read_regular(folder + "/" + name, kFileLimit))});
    } catch (const std::exception&) {  // JsonSyntaxError, std::system_error: no runtime can either
      continue;
    }
  }
  return lists;
}

}  // namespace shim
