#include "delegate/lookup.hpp"

#include <algorithm>

namespace delegate {

Lookup find_plugin(ProcessRunner& processes, const std::vector<std::string>& names,
                   const std::string& cni_path) {
  Lookup result;
  const auto own = processes.identify("/proc/self/exe");
  for (const auto& name : names) {
    for (std::size_t start = 0; start < cni_path.size();) {
      const auto end = std::min(cni_path.find(':', start), cni_path.size());
      const std::string folder = cni_path.substr(start, end - start);
      start = end + 1;
      if (!folder.starts_with('/')) continue;
      const std::string path = folder + (folder.ends_with('/') ? "" : "/") + name;
      const auto version = processes.identify(path);
      if (!version) continue;
      if (own && version->same_file(*own)) {
        result.ourselves = path;
        continue;
      }
      result.plugin = Plugin{name, path, *version};
      return result;
    }
  }
  return result;
}

}  // namespace delegate
