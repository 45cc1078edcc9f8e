/* commands.h: one function per command: argv[0] is the command's name; returns the exit status. */
#ifndef MIDCOMMIT_CLI_COMMANDS_H
#define MIDCOMMIT_CLI_COMMANDS_H

int mc_command_run(int argc, char **argv);
int mc_command_explain(int argc, char **argv);
int mc_command_replay(int argc, char **argv);
int mc_command_reduce(int argc, char **argv);
int mc_command_migrate(int argc, char **argv);
int mc_command_report(int argc, char **argv);
int mc_command_bench(int argc, char **argv);

#endif
