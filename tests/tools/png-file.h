/* Writes PNG files. The one owner of libpng's header. */
#ifndef P2_TESTS_TOOLS_PNG_FILE_H
#define P2_TESTS_TOOLS_PNG_FILE_H

#include <stdint.h>

/* Writes pixels[height][width], each an index into rgb[256][3], as a palette PNG. Returns 0, or -1
 * with a message on stderr. */
int p2_png_write(const char *path, const uint8_t *pixels, unsigned width, unsigned height,
                 uint8_t rgb[256][3]);

#endif
