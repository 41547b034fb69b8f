#include "shim/cli/validate/node/drop_ins.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include "shim/cli/drop_ins.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/protocol/environment.hpp"

namespace shim::validate {
namespace {

using allocator::store::FileSystem;

/// Never a network's own: here the lists lie.
constexpr std::string_view kConfigurationFolder = "net.d";
/// For a plugin whose list is not known: drop-in files came with this version.
constexpr const char* kVersion = "1.1.0";

std::optional<Json> parsed(const std::string& text) {
  try {
    return parse_json(text);
  } catch (const JsonSyntaxError&) {
    return std::nullopt;  // told where the file itself is read
  }
}

/// "pods" of "pods/10-bridge.conf", with its folder's path from the root.
std::string folder_of(const std::string& name) {
  return std::filesystem::absolute(name).lexically_normal().parent_path().string();
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// The lists of the folders that were looked at.
class Lists {
 public:
  explicit Lists(FileSystem& fs) : fs_(fs) {}

  const std::vector<ListFile>& in(const std::string& folder) {
    const auto known = folders_.find(folder);
    if (known != folders_.end()) return known->second;
    return folders_.emplace(folder, lists_in(fs_, folder)).first->second;
  }

 private:
  FileSystem& fs_;
  std::map<std::string, std::vector<ListFile>> folders_;
};

std::string version_of(const Json& list) {
  const std::string_view version = text_member(list, "cniVersion");
  return version.empty() ? kVersion : std::string(version);
}

/// One plugin's object: what makes it a network is missing.
bool is_bare_plugin(const Json& conf) {
  return !text_member(conf, "type").empty() && find_member(conf, "name") == nullptr &&
         find_member(conf, "cniVersion") == nullptr && find_member(conf, "plugins") == nullptr;
}

std::optional<Input::DropIn> drop_in_of(const Input& input, Lists& lists) {
  if (input.name == "-" || !input.name.ends_with(".conf")) return std::nullopt;
  const std::string folder = folder_of(input.name);
  const std::string network = last_part(folder);
  const std::string above = folder.substr(0, folder.size() - network.size());
  for (const auto& [name, list] : lists.in(above)) {
    if (text_member(list, "name") != network) continue;
    if (completed_network(list) == network) return Input::DropIn{network, version_of(list)};
    if (loads_only_inlined(list) == true) return Input::DropIn{network, version_of(list), name};
  }
  const auto conf = parsed(input.text);
  const bool is_alone =
      conf && is_bare_plugin(*conf) && is_identifier(network) && network != kConfigurationFolder;
  return is_alone ? std::optional(Input::DropIn{network, kVersion}) : std::nullopt;
}

/// What completes a list and is not among the inputs.
void add_completing(FileSystem& fs, const std::string& list_name, const Json& list,
                    std::vector<Input>& inputs) {
  const auto network = completed_network(list);
  if (!network) return;
  const auto slash = list_name.rfind('/');
  const std::string folder =
      (slash == std::string::npos ? "" : list_name.substr(0, slash + 1)) + *network;
  for (auto& file : drop_ins_in(fs, folder)) {
    const std::string path = joined({folder, "/", file.name});
    const bool is_named = std::any_of(inputs.begin(), inputs.end(), [&](const Input& input) {
      return input.name != "-" && folder_of(input.name) == folder_of(path) &&
             last_part(input.name) == file.name;
    });
    if (is_named) continue;
    inputs.push_back({path, std::move(file.text), Input::DropIn{*network, version_of(list)}, true});
  }
}

}  // namespace

void add_drop_ins(FileSystem& fs, std::vector<Input>& inputs) {
  Lists lists(fs);
  for (auto& input : inputs) input.drop_in = drop_in_of(input, lists);
  const std::size_t named = inputs.size();
  for (std::size_t i = 0; i < named; ++i) {
    if (!inputs[i].name.ends_with(".conflist")) continue;
    const std::string name = inputs[i].name;
    const auto list = parsed(inputs[i].text);
    if (list) add_completing(fs, name, *list, inputs);
  }
}

}  // namespace shim::validate
