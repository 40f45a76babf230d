#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "call.h"

static const char *const supported[] = SUPPORTED;

static const char *skip_space(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
  return at;
}

static const char *skip_digits(const char *at, const char *end) {
  while (at < end && *at >= '0' && *at <= '9') at++;
  return at;
}

static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/* Skips the string at `at`. Returns NULL if `at` starts no string. `plain` is true if it is printable ASCII only. */
static const char *skip_string(const char *at, const char *end, bool *plain) {
  *plain = true;
  if (at == end || *at != '"') return NULL;
  for (at++; at < end; at++) {
    unsigned char c = (unsigned char)*at;
    if (c == '"') return at + 1;
    if (c < ' ') return NULL;
    if (c == '\\' || c > '~') *plain = false;
    if (c != '\\') continue;
    if (++at == end) return NULL;
    if (*at == 'u') {
      if (end - at < 5 || !is_hex(at[1]) || !is_hex(at[2]) || !is_hex(at[3]) || !is_hex(at[4])) return NULL;
      at += 4;
    } else if (*at == '\0' || strchr("\"\\/bfnrt", *at) == NULL) {
      return NULL;
    }
  }
  return NULL;
}

/* Skips the number at `at`. Returns NULL if `at` starts no number. */
static const char *skip_number(const char *at, const char *end) {
  const char *digits;
  if (at < end && *at == '-') at++;
  digits = at;
  at = skip_digits(at, end);
  if (at == digits || (*digits == '0' && at - digits > 1)) return NULL;
  if (at < end && *at == '.') {
    digits = at + 1;
    at = skip_digits(digits, end);
    if (at == digits) return NULL;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    digits = at;
    at = skip_digits(digits, end);
    if (at == digits) return NULL;
  }
  return at;
}

/* Skips the string, number or word at `at`. Returns NULL for anything else. */
static const char *skip_scalar(const char *at, const char *end) {
  static const struct words words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
  bool plain;
  if (at < end && *at == '"') return skip_string(at, end, &plain);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if ((size_t)(end - at) >= words[i].length && memcmp(at, words[i].at, words[i].length) == 0)
      return at + words[i].length;
  return skip_number(at, end);
}

/*
 * Skips `"key":` at `at`. Returns NULL for anything else. For a key of the outermost object, `asked` and `version` tell
 * cniVersion. Also NULL for a key that may be cniVersion in another spelling (different case, or escaped characters),
 * and for one whose value is not a plain string.
 */
static const char *skip_key(const char *at, const char *end, bool outermost, enum asked *asked, struct words *version) {
  static const char name[] = "cniVersion";
  bool plain;
  const char *key = at;
  at = skip_string(at, end, &plain);
  if (at == NULL) return NULL;
  key++;
  size_t length = (size_t)(at - 1 - key);
  at = skip_space(at, end);
  if (at == end || *at != ':') return NULL;
  at = skip_space(at + 1, end);
  if (!outermost) return at;
  if (!plain) return NULL;
  if (length != sizeof name - 1 || strncasecmp(key, name, length) != 0) return at;
  if (memcmp(key, name, length) != 0 || *asked == FOUND) return NULL;
  const char *after = skip_string(at, end, &plain);
  if (after == NULL || !plain || after - at == 2) return NULL;
  *asked = FOUND;
  *version = (struct words){at + 1, (size_t)(after - at) - 2};
  return at;
}

enum asked scan_version(const char *at, const char *end, struct words *version) {
  enum asked asked = ABSENT;
  /* One bit for each open level: 1 for an object, 0 for an array. */
  uint64_t objects = 0;
  unsigned depth = 0;
  bool ended = false;
  at = skip_space(at, end);
  if (at == end || *at != '{') return UNCLEAR;
  for (;;) {
    if (!ended) {
      if (at < end && (*at == '{' || *at == '[')) {
        if (depth++ == 64) return UNCLEAR;
        bool object = *at == '{';
        objects = objects << 1 | object;
        at = skip_space(at + 1, end);
        ended = at < end && *at == (object ? '}' : ']');
        if (!ended && object) at = skip_key(at, end, depth == 1, &asked, version);
        if (at == NULL) return UNCLEAR;
        if (!ended) continue;
      } else {
        at = skip_scalar(at, end);
        if (at == NULL) return UNCLEAR;
      }
    }
    at = skip_space(at, end);
    bool object = objects & 1;
    if (at < end && *at == (object ? '}' : ']')) {
      objects >>= 1;
      at++;
      if (--depth == 0) return skip_space(at, end) == end ? asked : UNCLEAR;
      ended = true;
      continue;
    }
    if (at == end || *at != ',') return UNCLEAR;
    at = skip_space(at + 1, end);
    ended = false;
    if (object) at = skip_key(at, end, depth == 1, &asked, version);
    if (at == NULL) return UNCLEAR;
  }
}

enum asked asked_version(struct words *version) {
  if (call.stdin_at == 0 || !call.stdin_ended) return UNCLEAR;
  return scan_version((const char *)call.bytes + call.stdin_at, (const char *)call.bytes + call.used, version);
}

const char *answer_version(void) {
  struct words version;
  enum asked asked = asked_version(&version);
  if (asked == ABSENT) return OLDEST;
  for (size_t i = 0; asked == FOUND && i < sizeof supported / sizeof *supported; i++)
    if (strlen(supported[i]) == version.length && memcmp(supported[i], version.at, version.length) == 0)
      return supported[i];
  return NEWEST;
}
