#pragma once
/// What announcing an address needs of the operating system: a third seam, beside the file system
/// and the processes of delegates. Nothing in it throws, waits or enters a namespace; what does not
/// work gives no answer.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shim::announce {

class Wire {
 public:
  Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  virtual ~Wire() = default;

  /// A descriptor of the network namespace at `path`, open as long as the wire; nullopt for
  /// anything else that is there, which is not waited for.
  [[nodiscard]] virtual std::optional<int> open_namespace(const std::string& path) = 0;

  /// Sends one rtnetlink request; the kernel's whole answer, one message after the other. Empty
  /// when there is none.
  [[nodiscard]] virtual std::string ask(const std::string& request) = 0;

  /// The names of a bridge's ports; nullopt where the kernel's list of them cannot be read.
  [[nodiscard]] virtual std::optional<std::vector<std::string>> port_names(
      const std::string& bridge) = 0;

  /// Sends an Ethernet frame out of the device with this index; false when the kernel did not take
  /// it.
  virtual bool send(std::uint32_t device, const std::string& frame) = 0;
};

}  // namespace shim::announce
