#include "shim/cli/inspect/networks/configurations.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "shim/cli/command.hpp"
#include "shim/cli/drop_ins.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/conf/ranges_source.hpp"

namespace shim::inspect {
namespace {

using allocator::store::FileSystem;
using validate::elements;
using validate::object_member;
using validate::text_member;

constexpr std::size_t kFileLimit = std::size_t{4} << 20;
constexpr const char* kFlannelSubnetFile = "/run/flannel/subnet.env";

bool is_configuration(const std::string& name) {
  return name.ends_with(".conflist") || name.ends_with(".conf") || name.ends_with(".json");
}

/// With "/" at its end; empty for the present one.
std::string folder_of(const std::string& file) { return file.substr(0, file.rfind('/') + 1); }

/// The same of a folder of configurations, or of one of them.
std::string folder_around(FileSystem& fs, const std::string& conf) {
  try {
    const auto folder = fs.open_directory(conf.empty() ? kDefaultConfFolder : conf);
    return folder ? folder->path + "/" : folder_of(conf);
  } catch (const std::system_error&) {  // it is a file
    return folder_of(conf);
  }
}

std::string flannel_file_of(const Json& plugin) {
  const std::string named(text_member(plugin, "subnetFile"));
  return named.empty() ? kFlannelSubnetFile : named;
}

/// The node's range, as Flannel's plugin adds it; false without its file: then every ADD fails.
bool add_flannel_ranges(FileSystem& fs, const std::string& path, Json& ipam) {
  try {
    Json sets = Json::array();
    const auto text = fs.read_regular(path, kFileLimit);
    for (const auto& cidr : parse_ranges(RangesSource::Kind::subnet_file, text, path))
      sets.push_back(validate::list_of(validate::object_of("subnet", cidr)));
    set_member(ipam, "ranges", std::move(sets));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// The plugin's `ipam`; null for one that is none of ours.
Json ipam_of(const Json& plugin) {
  const bool is_flannel = text_member(plugin, "type") == "flannel";
  const Json* written = object_member(plugin, "ipam");
  Json ipam = written != nullptr ? *written : Json();
  if (written == nullptr && is_flannel) ipam = validate::object_of("type", "host-local");
  const std::string_view type = text_member(ipam, "type");
  if (type != "delegated-ipam" && type != "host-local") return {};
  return ipam;
}

/// The plugins of one network.
class Reader {
 public:
  Reader(FileSystem& fs, Findings& findings) : fs_(fs), findings_(findings) {}

  void read(const std::string& file) {
    try {
      const Json document = parse_json(fs_.read_regular(file, kFileLimit));
      if (file.ends_with(".conflist")) {
        read_list(file, folder_of(file), document);
      } else {
        add(file, document, document);
      }
    } catch (const std::system_error& error) {
      unreadable(file, error.code().message());
    } catch (const JsonSyntaxError& error) {
      unreadable(file, error.what());
    }
  }

  void read_to_come(const std::string& file, const std::string& folder, const Json& document) {
    if (find_member(document, "type") == nullptr) {
      read_list(file, folder, document);
    } else {
      add(file, document, document);
    }
  }

  [[nodiscard]] std::vector<PluginConf> take() { return std::move(confs_); }

 private:
  void unreadable(const std::string& file, const std::string& why) {
    found(findings_, rules::kConfUnreadable, {}, file, why);
  }

  void read_list(const std::string& file, const std::string& beside, const Json& list) {
    for (const auto& plugin : elements(list, "plugins")) add(file, list, plugin);
    const auto network = completed_network(list);
    if (!network) return;
    const std::string folder = beside + *network;
    for (const auto& drop_in : drop_ins_in(fs_, folder)) {
      const std::string path = folder + "/" + drop_in.name;
      try {
        add(path, list, parse_json(drop_in.text));
      } catch (const JsonSyntaxError& error) {
        unreadable(path, error.what());
      }
    }
  }

  void add(const std::string& file, const Json& list, const Json& plugin) {
    if (!plugin.is_object()) return;
    Json ipam = ipam_of(plugin);
    if (ipam.is_null()) return;
    PluginConf conf{file, plugin, std::string(text_member(ipam, "type"))};
    if (text_member(plugin, "type") == "flannel") {
      conf.flannel_file = flannel_file_of(plugin);
      conf.lacks_ranges = !add_flannel_ranges(fs_, conf.flannel_file, ipam);
    }
    for (const char* key : {"name", "cniVersion"}) {
      if (const Json* value = find_member(list, key)) set_member(conf.document, key, *value);
    }
    set_member(conf.document, "ipam", std::move(ipam));
    confs_.push_back(std::move(conf));
  }

  FileSystem& fs_;
  Findings& findings_;
  std::vector<PluginConf> confs_;
};

}  // namespace

std::vector<std::string> configuration_files(FileSystem& fs, const std::string& conf) {
  std::optional<allocator::store::Directory> folder;
  try {
    folder = fs.open_directory(conf.empty() ? kDefaultConfFolder : conf);
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOTDIR) return {conf};
    throw;
  }
  if (!folder && conf.empty()) return {};
  if (!folder) refuse_option("--conf", conf, "is missing; name a file or a folder of them");
  std::vector<std::string> files;
  for (const auto& name : fs.list(*folder)) {
    if (is_configuration(name)) files.push_back(folder->path + "/" + name);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<PluginConf> plugin_confs(FileSystem& fs, const std::string& conf, Findings& findings) {
  Reader reader(fs, findings);
  for (const auto& file : configuration_files(fs, conf)) reader.read(file);
  return reader.take();
}

std::vector<PluginConf> plugin_confs_to_come(FileSystem& fs, const std::string& conf,
                                             const std::string& file, const Json& document,
                                             Findings& findings) {
  Reader reader(fs, findings);
  reader.read_to_come(file, folder_around(fs, conf), document);
  return reader.take();
}

}  // namespace shim::inspect
