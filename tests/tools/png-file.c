/* PNG files through libpng's simplified interface. */
#include "tests/tools/png-file.h"

#include <png.h>
#include <stdio.h>
#include <string.h>

int p2_png_write(const char *path, const uint8_t *pixels, unsigned width, unsigned height,
                 uint8_t rgb[256][3])
{
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = height;
    image.format = PNG_FORMAT_RGB_COLORMAP;
    image.colormap_entries = 256;
    if (png_image_write_to_file(&image, path, 0, pixels, (png_int_32)width, rgb) == 0) {
        (void)fprintf(stderr, "%s: %s\n", path, image.message);
        return -1;
    }
    return 0;
}
