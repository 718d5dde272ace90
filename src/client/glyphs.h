/* Text in a picture. Letters come from FreeType, the font from Fontconfig (any monospaced one): the
 * person's own language shows, whatever a game writes. Without a font nothing is drawn.
 * Thread: one. */
#ifndef P2_CLIENT_GLYPHS_H
#define P2_CLIENT_GLYPHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct p2_glyphs;

/* A picture to write into; borrowed for a call. */
struct p2_canvas {
    uint8_t *rgb; /* [height][width][3] */
    uint32_t width, height;
};

/* `pixels`: height of a line. NULL when there is no font or no memory. */
struct p2_glyphs *p2_glyphs_open(uint32_t pixels);
void p2_glyphs_close(struct p2_glyphs *glyphs); /* accepts NULL */

/* Writes clean UTF-8 with its first letter's upper left corner at (x, y), on a dimmed ground, cut off
 * at the picture's edges; the width in pixels. `glyphs` may be NULL: 0. */
uint32_t p2_glyphs_draw(struct p2_glyphs *glyphs, const struct p2_canvas *canvas, int32_t x,
                        int32_t y, const uint8_t rgb[3], const char *text);

/* The width it would have. */
uint32_t p2_glyphs_width(struct p2_glyphs *glyphs, const char *text);

/* Distance between two lines in pixels. */
uint32_t p2_glyphs_line(const struct p2_glyphs *glyphs);

#endif
