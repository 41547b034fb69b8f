#include "shim/cli/inspect/output/look_options.hpp"

#include <unistd.h>

#include <cstdlib>

#include "allocator/fields.hpp"
#include "shim/cli/standard_output.hpp"

namespace shim::inspect {
namespace {

std::string_view forms_text(Forms forms) {
  switch (forms) {
    case Forms::all:
      return "table, wide, json, yaml or name";
    case Forms::documents:
      return "table, json or yaml";
    case Forms::metrics:
      return "table, json, yaml, prometheus, svg or html";
  }
  return "";
}

Format read_format(const LookOptions& options, Forms forms) {
  const std::string& name = options.output;
  const bool is_own = name == "prometheus" || name == "svg" || name == "html";
  if (name == "table" || (is_own && forms == Forms::metrics)) return Format::table;
  if (name == "json") return Format::json;
  if (name == "yaml") return Format::yaml;
  if (name == "wide" && forms == Forms::all) return Format::wide;
  if (name == "name" && forms == Forms::all) return Format::name;
  refuse_option("-o", name, "is no format here; write " + std::string(forms_text(forms)));
}

Colour terminal_colour() {
  const char* const no_colour = std::getenv("NO_COLOR");
  const bool is_wanted = no_colour == nullptr || *no_colour == '\0';
  return is_wanted && is_rich_terminal(STDOUT_FILENO) ? Colour::yes : Colour::no;
}

}  // namespace

void add_look_options(CommandSpec& command, Forms forms, LookOptions& options) {
  command.text("-o,--output", options.output, std::string(forms_text(forms)));
  if (forms != Forms::all) return;
  command.text("--columns", options.columns, "these columns, separated by commas");
  command.flag("--no-headers", options.no_headers, "a table without its first line");
}

Look read_look(const LookOptions& options, Forms forms) {
  Look look;
  look.format = read_format(options, forms);
  look.columns = allocator::split(options.columns, ',');
  look.has_headers = !options.no_headers;
  look.colour = terminal_colour();
  return look;
}

}  // namespace shim::inspect
