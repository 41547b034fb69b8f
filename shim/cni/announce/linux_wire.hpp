#pragma once
/// The seam over the real kernel: one rtnetlink and one packet socket, opened when they are first
/// needed.
#include <array>

#include "shim/cni/announce/wire.hpp"

namespace shim::announce {

class LinuxWire final : public Wire {
 public:
  LinuxWire() = default;
  LinuxWire(const LinuxWire&) = delete;
  LinuxWire& operator=(const LinuxWire&) = delete;
  ~LinuxWire() override;

  [[nodiscard]] std::optional<int> open_namespace(const std::string& path) override;
  [[nodiscard]] std::string ask(const std::string& request) override;
  [[nodiscard]] std::optional<std::vector<std::string>> port_names(
      const std::string& bridge) override;
  bool send(std::uint32_t device, const std::string& frame) override;

 private:
  bool receive(std::string& answer);

  int namespace_ = -1;
  int netlink_ = -1;
  int packet_ = -1;
};

}  // namespace shim::announce
