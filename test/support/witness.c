/*
 * Stands where the launcher looks for the stand-alone plugin. Adds a line to the file `alone` of the run directory,
 * where somebody has put one there: the command, the container (`-` for what is not set), and for how many
 * milliseconds the launcher had run. Then becomes the plugin.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value == NULL || *value == '\0' ? "-" : value;
}

/* Since this process, which was the launcher, has begun: field 22 of proc(5)'s stat, in ticks since boot. */
static long age(void) {
  char text[1024] = "";
  struct timespec now;
  FILE *file = fopen("/proc/self/stat", "re");
  if (file == NULL || fgets(text, sizeof text, file) == NULL || clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0;
  fclose(file);
  const char *field = strrchr(text, ')');
  for (int i = 2; field != NULL && i < 22; i++) field = strchr(field + 1, ' ');
  if (field == NULL) return 0;
  return now.tv_sec * 1000 + now.tv_nsec / 1000000 - atol(field + 1) * 1000 / sysconf(_SC_CLK_TCK);
}

int main(int argc, char **argv) {
  char path[4096], line[4096];
  const char *dir = getenv("ISTHMUS_RUN_DIR");
  snprintf(path, sizeof path, "%s/alone", dir == NULL || *dir == '\0' ? "/run/isthmus" : dir);
  int file = argc == 1 ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
  if (file >= 0) {
    const char *command = variable("CNI_COMMAND"), *container = variable("CNI_CONTAINERID");
    int length = snprintf(line, sizeof line, "%.100s %.100s %ld\n", command, container, age());
    if (write(file, line, (size_t)length) != length) return 125;
  }
  execv(PLUGIN, argv);
  return 126;
}
