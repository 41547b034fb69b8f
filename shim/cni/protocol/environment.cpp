#include "shim/cni/protocol/environment.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

constexpr std::size_t kInterfaceNameLimit = 15;  // IFNAMSIZ - 1, netdevice(7)

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// White space as Go's unicode.IsSpace sees it, in UTF-8.
bool has_white_space(std::string_view text) {
  if (text.find_first_of("\t\n\v\f\r ") != std::string_view::npos) return true;
  constexpr std::array<std::string_view, 19> wide = {
      "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
      "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
      "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  return std::any_of(wide.begin(), wide.end(), [&](std::string_view space) {
    return text.find(space) != std::string_view::npos;
  });
}

void check_container_id(const std::string& id) {
  if (is_identifier(id)) return;
  throw CniError(ErrorCode::invalid_environment, "invalid characters in containerID", cut(id));
}

void check_interface_name(const std::string& name) {
  if (name.size() > kInterfaceNameLimit) {
    throw CniError(ErrorCode::invalid_environment, "interface name is too long",
                   "interface name should be less than 16 characters");
  }
  if (name == "." || name == "..")
    throw CniError(ErrorCode::invalid_environment, "interface name is . or ..");
  if (!is_file_name(name) || name.find(':') != std::string::npos || has_white_space(name)) {
    throw CniError(ErrorCode::invalid_environment,
                   "interface name contains / or : or whitespace characters");
  }
}

struct Variable {
  const char* name;
  std::string Environment::*field;
  std::string_view needed_by;  // commands, each with a space on both sides
  void (*check)(const std::string&);
};

constexpr std::string_view kAttachmentCommands = " ADD DEL CHECK ";

constexpr std::array<Variable, 5> kVariables = {{
    {"CNI_CONTAINERID", &Environment::container_id, kAttachmentCommands, &check_container_id},
    {"CNI_NETNS", &Environment::netns, " ADD CHECK ", nullptr},
    {"CNI_IFNAME", &Environment::ifname, kAttachmentCommands, &check_interface_name},
    {"CNI_ARGS", &Environment::args, "", nullptr},
    {"CNI_PATH", &Environment::path, " ADD DEL CHECK GC STATUS ", nullptr},
}};

bool is_among(std::string_view commands, const std::string& command) {
  return commands.find(" " + command + " ") != std::string_view::npos;
}

}  // namespace

bool is_file_name(std::string_view text) {
  return !text.empty() && text != "." && text != ".." &&
         text.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

bool is_identifier(std::string_view text) {
  return is_file_name(text) && is_alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

std::optional<std::string> requested_command(const VariableLookup& lookup) {
  const char* value = lookup("CNI_COMMAND");
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

Environment read_environment(const VariableLookup& lookup) {
  Environment environment;
  environment.command = requested_command(lookup).value_or("");
  std::string missing;
  for (const auto& variable : kVariables) {
    const char* value = lookup(variable.name);
    if (value != nullptr) environment.*variable.field = value;
    const std::string& text = environment.*variable.field;
    const bool attachment_command = is_among(kAttachmentCommands, environment.command);
    if (!text.empty() && variable.check != nullptr && attachment_command) variable.check(text);
    if (text.empty() && is_among(variable.needed_by, environment.command)) {
      missing += (missing.empty() ? "" : ",") + std::string(variable.name);
    }
  }
  if (!missing.empty()) {
    throw CniError(ErrorCode::invalid_environment,
                   "required env variables [" + missing + "] missing");
  }
  return environment;
}

}  // namespace shim
