#include "shim/cni/conf/common_conf.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "shim/cni/conf/annotations.hpp"
#include "shim/cni/conf/own_keys.hpp"

namespace shim {

void set_data_dir(const std::string& text, PlacementConf& placement) {
  if (text.empty()) return;
  std::string& folder = placement.data_dir;
  folder = std::filesystem::absolute(text).lexically_normal().string();
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  placement.data_dir_given = true;
}

void ask_ranges_source(const RangesSource& source, const ConfInputs& inputs, CommonConf& conf,
                       RangesAsWritten& written) {
  if (!written.sets.empty()) return;
  conf.ranges_from = inputs.ranges_from(source, conf.placement, conf.name);
  conf.ranges_source = source;
  written.sets = sets_of_source(conf.ranges_from, written.frame, source.paths.front());
}

void read_common_leniently(const Json& document, const ConfigReader& ipam, CommonConf& conf) {
  read_placement_keys(ipam, Strictness::lenient, conf.placement);
  try {
    conf.placement.retain_pod = read_retain_annotation(document);
  } catch (const CniError& error) {
    conf.warnings.emplace_back(error.what());
  }
}

}  // namespace shim
