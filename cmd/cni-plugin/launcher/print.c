#include "print.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "call.h"

#define MAX_SHOWN 256

static char line[1024];
static size_t length;
static bool failed;

bool flush(void) {
  failed = failed || !write_all(STDOUT_FILENO, line, length);
  length = 0;
  return !failed;
}

void print_bytes(const char *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (length == sizeof line) flush();
    line[length++] = bytes[i];
  }
}

void print(const char *text) { print_bytes(text, strlen(text)); }

/* True if the text is inside a JSON string. */
static void print_escaped(const char *text) {
  static const char hex[] = "0123456789abcdef";
  for (size_t shown = 0; *text != '\0'; text++) {
    if (shown++ == MAX_SHOWN) {
      print("...");
      return;
    }
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') print("\\");
    if (c < ' ') {
      print("\\u00");
      print_bytes(&hex[c >> 4], 1);
      print_bytes(&hex[c & 15], 1);
    } else {
      print_bytes(c > '~' ? "?" : text, 1);
    }
  }
}

_Noreturn void fail(const char *code, const char *version, const char *const words[], const char *hint) {
  signal(SIGPIPE, SIG_IGN);
  print("{\n    \"cniVersion\": \"");
  print(version);
  print("\",\n    \"code\": ");
  print(code);
  print(",\n    \"msg\": \"");
  for (; *words != NULL; words++) print_escaped(*words);
  print("\",\n    \"details\": \"");
  print(hint);
  print("\"\n}\n");
  flush();
  _exit(1);
}
