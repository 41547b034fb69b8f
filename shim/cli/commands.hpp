#pragma once
/// The commands of the operator's tool; each has a file of its own.
#include "shim/cli/command.hpp"

namespace shim {

void add_generate(CommandSpec& root);
void add_validate(CommandSpec& root);
void add_status(CommandSpec& root);
void add_list(CommandSpec& root);
void add_show(CommandSpec& root);
void add_report(CommandSpec& root);
void add_plan(CommandSpec& root);
void add_release(CommandSpec& root);
void add_pin(CommandSpec& root);
void add_gc(CommandSpec& root);
void add_export(CommandSpec& root);
void add_import(CommandSpec& root);
void add_check(CommandSpec& root);
void add_install(CommandSpec& root);
void add_uninstall(CommandSpec& root);
void add_pause(CommandSpec& root);

}  // namespace shim
