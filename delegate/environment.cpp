#include "delegate/environment.hpp"

#include <algorithm>
#include <array>

namespace delegate {
namespace {

constexpr std::array<std::string_view, 18> kPassedOn = {
    "TRACEPARENT", "TRACESTATE",    "BAGGAGE",      "PATH",        "HOME",        "TZ",
    "NODE_NAME",   "KUBECONFIG",    "SSL_CERT_DIR", "HTTP_PROXY",  "HTTPS_PROXY", "NO_PROXY",
    "ALL_PROXY",   "SSL_CERT_FILE", "http_proxy",   "https_proxy", "no_proxy",    "all_proxy"};
constexpr std::array<std::string_view, 2> kPassedOnFamilies = {"CNI_", "KUBERNETES_"};

bool is_passed_on(std::string_view name) {
  if (std::find(kPassedOn.begin(), kPassedOn.end(), name) != kPassedOn.end()) return true;
  return std::any_of(kPassedOnFamilies.begin(), kPassedOnFamilies.end(),
                     [&](std::string_view family) { return name.starts_with(family); });
}

}  // namespace

std::vector<std::string> delegate_environment(const char* const* own, std::string_view command) {
  std::vector<std::string> environment;
  // Of one that is there twice we have taken the first, as getenv(3) does; a shell takes the last.
  const auto is_there = [&](std::string_view start) {
    return std::any_of(environment.begin(), environment.end(),
                       [&](const std::string& other) { return other.starts_with(start); });
  };
  for (; *own != nullptr; ++own) {
    const std::string_view variable = *own;
    const auto equals = variable.find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = variable.substr(0, equals);
    if (name == "CNI_COMMAND" || !is_passed_on(name)) continue;
    if (!is_there(variable.substr(0, equals + 1))) environment.emplace_back(variable);
  }
  environment.push_back("CNI_COMMAND=" + std::string(command));
  environment.push_back(std::string(kMarker) + "=1");
  return environment;
}

std::vector<std::string> version_environment(const char* const* own) {
  auto environment = delegate_environment(own, "VERSION");
  std::erase_if(environment, [](const std::string& variable) {
    return variable.starts_with("CNI_") && !variable.starts_with("CNI_COMMAND=");
  });
  for (const char* name : {"CNI_NETNS", "CNI_IFNAME", "CNI_PATH"}) {
    environment.push_back(std::string(name) + "=dummy");
  }
  return environment;
}

}  // namespace delegate
