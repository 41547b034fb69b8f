#include "shim/cli/commands.hpp"

namespace shim {

void add_commands(CommandSpec& root) {
  add_generate(root);
  add_install(root);
  add_uninstall(root);
  add_validate(root);
  add_hold(root);
}

}  // namespace shim
