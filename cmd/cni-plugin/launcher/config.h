/* What the launcher looks for in a configuration: its cniVersion. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stddef.h>

enum asked { UNCLEAR, ABSENT, FOUND };

struct words {
  const char *at;
  size_t length;
};

/*
 * FOUND: the text is a JSON object, and `version` its cniVersion, a string of printable ASCII. ABSENT: it is an object
 * without. UNCLEAR: anything else, also an object that only a real parser can judge (one of 65 levels, say).
 */
enum asked scan_version(const char *at, const char *end, struct words *version);

/* The same for stdin; UNCLEAR where it has not been read to its end. */
enum asked asked_version(struct words *version);

/* The version of an error's answer, as the plugin chooses it. */
const char *answer_version(void);

#endif
