#include "shim/cli/command_line.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <sstream>

#include "shim/cli/command.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cni/plugin.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

constexpr const char* kDescription =
    "CNI IPAM plugin that keeps pod addresses across reboots.\n"
    "Container runtimes run it with CNI_COMMAND set; put it into a CNI_PATH folder and write\n"
    "\"ipam\": {\"type\": \"delegated-ipam\", \"delegate\": {\"type\": \"host-local\", ...}} into "
    "a conflist.\n"
    "With arguments it is the operator's tool.";

/// " generate flannel"
std::string name_of(const CLI::App* app) {
  const CLI::App* parent = app->get_parent();
  return parent == nullptr ? "" : name_of(parent) + " " + app->get_name();
}

/// The command that the words so far have named.
const CLI::App& innermost(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? app : innermost(*commands.front());
}

/// What to say of a word that stands in a command's place; empty when there is none. The library
/// itself says only that a command is required.
std::string misspelt_command(const CLI::App& app) {
  const auto words = app.remaining(true);
  const auto& place = innermost(app);
  std::string names;
  const auto is_shown = [](const CLI::App* command) { return !command->get_group().empty(); };
  for (const CLI::App* command : place.get_subcommands(is_shown))
    names += (names.empty() ? "" : ", ") + command->get_name();
  if (words.empty() || names.empty()) return {};
  const std::string kind = words.front().starts_with('-') ? "option" : "command";
  return "delegated-ipam" + name_of(&place) + ": " + go_quoted(words.front()) + " is no " + kind +
         "; the commands are " + names + "\n";
}

/// Tells what the library has to say: the help or the version, or what is wrong.
ExitCode end_parsing(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream answer;
  std::ostringstream problem;
  const bool is_fine = app.exit(error, answer, problem) == 0;
  write_stdout(answer.str());
  write_stderr(problem.str());
  return is_fine ? ExitCode::fine : ExitCode::usage_or_io;
}

ExitCode run(const ChosenCommand& chosen) {
  try {
    return chosen.action();
  } catch (const std::exception& error) {
    write_stderr("delegated-ipam" + chosen.name + ": " + printable_line(error.what()) + "\n");
    return ExitCode::usage_or_io;
  }
}

}  // namespace

void refuse_option(const std::string& option, const std::string& value,
                   const std::string& problem) {
  throw UsageError(option + ": " + go_quoted(value) + " " + problem);
}

void require_absolute(const std::string& option, const std::string& path, const std::string& why) {
  if (!path.empty() && !path.starts_with('/'))
    refuse_option(option, path, "is no absolute path; " + why + "write one from /");
}

CommandSpec CommandSpec::command(const std::string& name, const std::string& what) {
  CLI::App* command = app_->add_subcommand(name, what);
  app_->require_subcommand(1);
  return {*command, *chosen_};
}

void CommandSpec::hide(const std::string& earlier_name) { app_->group("")->alias(earlier_name); }

void CommandSpec::text(const std::string& name, std::string& target, const std::string& what) {
  app_->add_option_function<std::string>(
          name, [&target](const std::string& value) { target = value; }, what)
      ->type_name("");
}

void CommandSpec::text(const std::string& name, std::optional<std::string>& target,
                       const std::string& what) {
  app_->add_option_function<std::string>(
          name, [&target](const std::string& value) { target = value; }, what)
      ->type_name("");
}

void CommandSpec::number(const std::string& name, unsigned& target, const std::string& what) {
  app_->add_option(name, target, what)->type_name("N");
}

void CommandSpec::flag(const std::string& name, bool& target, const std::string& what) {
  app_->add_flag_function(
      name, [&target](std::int64_t) { target = true; }, what);
}

void CommandSpec::list(const std::string& name, std::vector<std::string>& target,
                       const std::string& what) {
  // One value for each time that the option is given, so that none swallows what comes after it.
  app_->add_option_function<std::vector<std::string>>(
          name, [&target](const std::vector<std::string>& values) { target = values; }, what)
      ->type_name("")
      ->allow_extra_args(false);
}

void CommandSpec::argument(const std::string& name, std::string& target, const std::string& what) {
  optional_argument(name, target, what);
  app_->get_option(name)->required();
}

void CommandSpec::optional_argument(const std::string& name, std::string& target,
                                    const std::string& what) {
  text(name, target, what);
}

void CommandSpec::arguments(const std::string& name, std::vector<std::string>& target,
                            const std::string& what) {
  app_->add_option_function<std::vector<std::string>>(
          name, [&target](const std::vector<std::string>& values) { target = values; }, what)
      ->type_name("")
      ->required();
}

void CommandSpec::example(const std::string& line) {
  const std::string before = app_->get_footer();
  app_->footer((before.empty() ? "Examples:" : before) + "\n  " + line);
}

void CommandSpec::runs(std::function<ExitCode()> action) {
  app_->callback([app = app_, chosen = chosen_, action = std::move(action)] {
    *chosen = {name_of(app), action};
  });
}

int run_command_line(int argc, char** argv) {
  if (argc < 2) {
    write_stderr(about_text());
    return static_cast<int>(ExitCode::fine);
  }
  CLI::App app(kDescription, "delegated-ipam");
  app.set_version_flag("--version", about_text());
  app.failure_message([&app](const CLI::App* place, const CLI::Error& error) {
    const std::string misspelt = misspelt_command(app);
    PrintableStream shown;
    return shown.next(misspelt.empty() ? CLI::FailureMessage::simple(place, error) : misspelt) +
           shown.finish();
  });
  ChosenCommand chosen;
  CommandSpec root(app, chosen);
  for (const auto add : {&add_status, &add_list, &add_show, &add_report, &add_plan, &add_check,
                         &add_gc, &add_release, &add_pin, &add_export, &add_import, &add_generate,
                         &add_validate, &add_install, &add_uninstall, &add_pause})
    add(root);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    chosen = {"", [&] { return end_parsing(app, error); }};
    return static_cast<int>(run(chosen));
  }
  return static_cast<int>(run(chosen));
}

}  // namespace shim
