#include "shim/cni/conf/wanted_members.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace shim {
namespace {

/// A member that is read, with all that is in it.
struct Read {
  std::array<std::string_view, 3> path;  // shorter ones end with kEnd; "*" at a key's end: any rest
  std::string_view commands;             // each with a space on both sides
};

constexpr std::string_view kEnd = "/";
constexpr std::string_view kAll = " ADD DEL CHECK GC STATUS ";
constexpr std::string_view kStrict = " ADD CHECK STATUS ";

constexpr std::array<Read, 20> kReads = {{
    {{"cniVersion", kEnd, kEnd}, kAll},
    {{"name", kEnd, kEnd}, kAll},
    {{"type", kEnd, kEnd}, kAll},
    {{"bridge", kEnd, kEnd}, kAll},
    {{"ipam", kEnd, kEnd}, kAll},
    {{"args", "cni", "ips"}, kStrict},
    {{"runtimeConfig", "ips", kEnd}, kStrict},
    {{"runtimeConfig", "ipRanges", kEnd}, kAll},
    {{"runtimeConfig", "io.kubernetes.cri.pod-annotations", "delegated-ipam.io/*"}, kAll},
    {{"prevResult", "cniVersion", kEnd}, " CHECK "},
    {{"prevResult", "interfaces", kEnd}, " CHECK "},
    {{"prevResult", "ips", kEnd}, " CHECK "},
    {{"prevResult", "ip4", kEnd}, " CHECK "},
    {{"prevResult", "ip6", kEnd}, " CHECK "},
    {{"prevResult", "routes", kEnd}, " CHECK "},
    {{"prevResult", "dns", kEnd}, " CHECK "},
    // The element of a list has no key.
    {{"cni.dev/valid-attachments", "", "containerID"}, " GC "},
    {{"cni.dev/valid-attachments", "", "ifname"}, " GC "},
    {{"cni.dev/attachments", "", "containerID"}, " GC "},
    {{"cni.dev/attachments", "", "ifname"}, " GC "},
}};

bool matches(std::string_view key, std::string_view wanted) {
  if (!wanted.ends_with('*')) return same_key(key, wanted);
  wanted.remove_suffix(1);
  return same_key(key.substr(0, wanted.size()), wanted);
}

/// Whether `path` is what is read, in it, or around it.
bool concerns(const std::vector<std::string>& path, const Read& read) {
  for (std::size_t i = 0; i < std::min(path.size(), read.path.size()); ++i) {
    if (read.path[i] == kEnd) return true;
    if (!matches(path[i], read.path[i])) return false;
  }
  return true;
}

}  // namespace

Wanted wanted_by(std::string_view command) {
  const std::string name = " " + std::string(command) + " ";
  if (kAll.find(name) == std::string_view::npos) return {};
  std::vector<const Read*> reads;
  for (const auto& read : kReads) {
    if (read.commands.find(name) != std::string_view::npos) reads.push_back(&read);
  }
  return [reads = std::move(reads)](const std::vector<std::string>& path) {
    return std::any_of(reads.begin(), reads.end(),
                       [&](const Read* read) { return concerns(path, *read); });
  };
}

}  // namespace shim
