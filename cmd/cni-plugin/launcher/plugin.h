/* stdin, and the stand-alone plugin, which is to find it as if it had never been read. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stdbool.h>

/*
 * All of stdin is at the end of the bytes used. False: it cannot be read, or is larger than a request may be. Fails
 * where it has not come by the call's deadline.
 */
bool read_stdin(void);

/* Ends as the stand-alone plugin, the one beside this file or the one installed. */
_Noreturn void run_plugin(void);

#endif
