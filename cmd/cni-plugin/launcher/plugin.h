/* Reads stdin, and runs the stand-alone plugin as if stdin had never been read. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stdbool.h>

/*
 * Appends all of stdin to the bytes used. False: reading failed, or stdin is larger than a request may be. Ends the
 * process with an error if stdin is incomplete at the call's deadline.
 */
bool read_stdin(void);

/* Becomes the stand-alone plugin: the one beside this file, or the installed one. */
_Noreturn void run_plugin(void);

#endif
