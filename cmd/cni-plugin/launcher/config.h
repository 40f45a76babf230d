/* Finds the cniVersion of a configuration. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stddef.h>

enum asked { UNCLEAR, ABSENT, FOUND };

struct words {
  const char *at;
  size_t length;
};

/*
 * FOUND: the text is a JSON object with `version` as its cniVersion, a string of printable ASCII. ABSENT: an object
 * without cniVersion. UNCLEAR: anything else, including an object that only a full parser can judge (one of 65 levels,
 * say).
 */
enum asked scan_version(const char *at, const char *end, struct words *version);

/* The same for stdin; UNCLEAR unless it was read to its end. */
enum asked asked_version(struct words *version);

/* The version for an error answer, chosen as the plugin does. */
const char *answer_version(void);

#endif
