#pragma once
/// What every command of the operator's tool is made of: its options, declared without the parsing
/// library in sight, and what it does.
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace shim {

/// How the tool ends.
enum class ExitCode : int { fine = 0, found_something = 1, usage_or_io = 2 };

/// What ends a command with ExitCode::usage_or_io. what() names the option or the file, what is
/// wrong with it, and the remedy: "--subnet: 10.1.2.3/24 has host bits; write 10.1.2.0/24".
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws UsageError "<option>: "<value>" <problem>".
[[noreturn]] void refuse_option(const std::string& option, const std::string& value,
                                const std::string& problem);

/// The same for a path that is given and does not begin at the root. `why`: what would become of
/// it, up to the remedy.
void require_absolute(const std::string& option, const std::string& path,
                      const std::string& why = "");

/// The command that the arguments asked for.
struct ChosenCommand {
  std::string name;  ///< " generate flannel"
  std::function<ExitCode()> action;
};

/// One command, or a command with commands of its own.
class CommandSpec {
 public:
  /// Both must outlive the parsing, after which `chosen` is set.
  CommandSpec(CLI::App& app, ChosenCommand& chosen) : app_(&app), chosen_(&chosen) {}

  /// A command below this one. `what` is one line for people.
  CommandSpec command(const std::string& name, const std::string& what);

  /// Leaves the command out of the help: people do not run it. `earlier_name` is what files of
  /// earlier versions call it; it does the same.
  void hide(const std::string& earlier_name);

  // The targets keep their defaults where the option is not given; they must outlive the parsing.
  void text(const std::string& name, std::string& target, const std::string& what);
  /// The same, where an empty text is something else than none.
  void text(const std::string& name, std::optional<std::string>& target, const std::string& what);
  void number(const std::string& name, unsigned& target, const std::string& what);
  void flag(const std::string& name, bool& target, const std::string& what);
  /// An option that may be given several times.
  void list(const std::string& name, std::vector<std::string>& target, const std::string& what);
  /// What is given without an option's name; `name` as in "DIR".
  void argument(const std::string& name, std::string& target, const std::string& what);
  /// The same, where it may be missing: the target keeps its default then.
  void optional_argument(const std::string& name, std::string& target, const std::string& what);
  /// One or more of them.
  void arguments(const std::string& name, std::vector<std::string>& target,
                 const std::string& what);

  /// A line that the help ends with: a call that people make.
  void example(const std::string& line);

  /// What is done when this command is the one that was asked for.
  /// Errors: may throw UsageError and std::system_error.
  void runs(std::function<ExitCode()> action);

 private:
  CLI::App* app_;
  ChosenCommand* chosen_;
};

}  // namespace shim
