#pragma once
/// One gRPC call without arguments to a server on this node, by its unix socket.
///
/// Sources: those of grpc_call.hpp; unix(7).
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace shim::change {

/// The message that the server at `socket` answers to `path`, as in "/package.Service/Method";
/// nullopt where there is no such socket.
/// Errors: throws NoPods (see pod_lists.hpp) for whatever is no whole answer: nobody listens, it
/// takes longer than `patience`, is refused or torn.
std::optional<std::string> call_socket(const std::string& socket, std::string_view path,
                                       std::chrono::milliseconds patience);

}  // namespace shim::change
