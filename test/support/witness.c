/*
 * Stands where the launcher looks for the stand-alone plugin. Adds a line to the file `alone` of the run directory,
 * where somebody has put one there: the command and the container, or `-` for what is not set. Then becomes the plugin.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value == NULL || *value == '\0' ? "-" : value;
}

int main(int argc, char **argv) {
  char path[4096], line[4096];
  const char *dir = getenv("ISTHMUS_RUN_DIR");
  snprintf(path, sizeof path, "%s/alone", dir == NULL || *dir == '\0' ? "/run/isthmus" : dir);
  int file = argc == 1 ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
  if (file >= 0) {
    int length = snprintf(line, sizeof line, "%.100s %.100s\n", variable("CNI_COMMAND"), variable("CNI_CONTAINERID"));
    if (write(file, line, (size_t)length) != length) return 125;
  }
  execv(PLUGIN, argv);
  return 126;
}
