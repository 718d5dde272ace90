/* The only includer of FreeType and Fontconfig. */
#include "client/glyphs.h"

#include <fontconfig/fontconfig.h>
#include <ft2build.h>
#include FT_FREETYPE_H
#include <stdlib.h>
#include <string.h>

/* Letters kept rendered. Chosen: a page of text has fewer different ones. */
#define CACHE 512u

struct letter {
    uint32_t code; /* 0: unused */
    uint32_t width, rows;
    int32_t left, top, advance;
    uint8_t *cover; /* owned; [rows][width] */
};

struct p2_glyphs {
    FT_Library library;
    FT_Face face;
    uint32_t line, ascent;
    struct letter letters[CACHE];
};

/* The file of a monospaced font, or NULL; free. */
static char *find_font(int *ret_index)
{
    char *path = NULL;
    FcPattern *wanted = FcNameParse((const FcChar8 *)"monospace");
    if (wanted == NULL) {
        return NULL;
    }
    FcResult result = FcResultNoMatch;
    FcConfigSubstitute(NULL, wanted, FcMatchPattern);
    FcDefaultSubstitute(wanted);
    FcPattern *found = FcFontMatch(NULL, wanted, &result);
    FcChar8 *file = NULL;
    if (found != NULL && FcPatternGetString(found, FC_FILE, 0, &file) == FcResultMatch) {
        path = strdup((const char *)file);
        if (FcPatternGetInteger(found, FC_INDEX, 0, ret_index) != FcResultMatch) {
            *ret_index = 0;
        }
    }
    if (found != NULL) {
        FcPatternDestroy(found);
    }
    FcPatternDestroy(wanted);
    FcFini(); /* asked once; its caches are of no more use */
    return path;
}

struct p2_glyphs *p2_glyphs_open(uint32_t pixels)
{
    int index = 0;
    char *path = find_font(&index);
    struct p2_glyphs *glyphs = calloc(1, sizeof *glyphs);
    if (path == NULL || glyphs == NULL || FT_Init_FreeType(&glyphs->library) != 0) {
        free(glyphs);
        free(path);
        return NULL;
    }
    bool is_open = FT_New_Face(glyphs->library, path, index, &glyphs->face) == 0;
    free(path);
    if (!is_open || FT_Set_Pixel_Sizes(glyphs->face, 0, pixels) != 0) {
        p2_glyphs_close(glyphs);
        return NULL;
    }
    glyphs->line = (uint32_t)(glyphs->face->size->metrics.height >> 6);
    glyphs->ascent = (uint32_t)(glyphs->face->size->metrics.ascender >> 6);
    return glyphs;
}

void p2_glyphs_close(struct p2_glyphs *glyphs)
{
    if (glyphs != NULL) {
        for (size_t i = 0; i < CACHE; i++) {
            free(glyphs->letters[i].cover);
        }
        if (glyphs->face != NULL) {
            (void)FT_Done_Face(glyphs->face);
        }
        (void)FT_Done_FreeType(glyphs->library);
        free(glyphs);
    }
}

/* One code point of valid UTF-8 (the scene's reader and the options have checked it). */
static uint32_t next_code(const char **text)
{
    const unsigned char *at = (const unsigned char *)*text;
    unsigned extra = at[0] < 0x80 ? 0 : at[0] < 0xe0 ? 1 : at[0] < 0xf0 ? 2 : 3;
    uint32_t code = extra == 0 ? at[0] : at[0] & (0x3fu >> extra);
    for (unsigned i = 1; i <= extra; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            *text += i;
            return '?';
        }
        code = code << 6 | (at[i] & 0x3fu);
    }
    *text += extra + 1;
    return code;
}

static const struct letter *render(struct p2_glyphs *glyphs, uint32_t code)
{
    struct letter *letter = &glyphs->letters[code % CACHE];
    if (letter->code == code) {
        return letter;
    }
    free(letter->cover);
    memset(letter, 0, sizeof *letter);
    if (FT_Load_Char(glyphs->face, code, FT_LOAD_RENDER) != 0) {
        return letter;
    }
    const FT_GlyphSlot slot = glyphs->face->glyph;
    size_t size = (size_t)slot->bitmap.width * slot->bitmap.rows;
    letter->cover = malloc(size > 0 ? size : 1);
    if (letter->cover == NULL || slot->bitmap.pixel_mode != FT_PIXEL_MODE_GRAY) {
        return letter;
    }
    for (unsigned y = 0; y < slot->bitmap.rows; y++) {
        memcpy(letter->cover + (size_t)y * slot->bitmap.width,
               slot->bitmap.buffer + (ptrdiff_t)y * slot->bitmap.pitch, slot->bitmap.width);
    }
    letter->code = code;
    letter->width = slot->bitmap.width;
    letter->rows = slot->bitmap.rows;
    letter->left = slot->bitmap_left;
    letter->top = slot->bitmap_top;
    letter->advance = (int32_t)(slot->advance.x >> 6);
    return letter;
}

uint32_t p2_glyphs_width(struct p2_glyphs *glyphs, const char *text)
{
    uint32_t width = 0;
    while (glyphs != NULL && *text != '\0') {
        width += (uint32_t)render(glyphs, next_code(&text))->advance;
    }
    return width;
}

uint32_t p2_glyphs_line(const struct p2_glyphs *glyphs)
{
    return glyphs != NULL ? glyphs->line : 0;
}

static uint8_t *pixel(const struct p2_canvas *canvas, int32_t x, int32_t y)
{
    bool is_inside = x >= 0 && y >= 0 && x < (int32_t)canvas->width && y < (int32_t)canvas->height;
    return is_inside ? canvas->rgb + ((size_t)y * canvas->width + (size_t)x) * 3 : NULL;
}

static void dim(const struct p2_canvas *canvas, int32_t x, int32_t y, uint32_t width,
                uint32_t height)
{
    for (int32_t row = y; row < y + (int32_t)height; row++) {
        for (int32_t column = x; column < x + (int32_t)width; column++) {
            uint8_t *at = pixel(canvas, column, row);
            for (int c = 0; c < 3 && at != NULL; c++) {
                at[c] = (uint8_t)(at[c] / 2);
            }
        }
    }
}

static void stamp(const struct p2_canvas *canvas, const struct letter *letter, int32_t x, int32_t y,
                  const uint8_t rgb[3])
{
    for (uint32_t row = 0; row < letter->rows && letter->cover != NULL; row++) {
        for (uint32_t column = 0; column < letter->width; column++) {
            uint8_t *at = pixel(canvas, x + (int32_t)column, y + (int32_t)row);
            unsigned cover = letter->cover[(size_t)row * letter->width + column];
            for (int c = 0; c < 3 && at != NULL; c++) {
                at[c] = (uint8_t)((at[c] * (255 - cover) + rgb[c] * cover) / 255);
            }
        }
    }
}

uint32_t p2_glyphs_draw(struct p2_glyphs *glyphs, const struct p2_canvas *canvas, int32_t x,
                        int32_t y, const uint8_t rgb[3], const char *text)
{
    uint32_t width = p2_glyphs_width(glyphs, text);
    if (width == 0) {
        return 0;
    }
    dim(canvas, x - 1, y, width + 2, glyphs->line);
    int32_t pen = x;
    while (*text != '\0') {
        const struct letter *letter = render(glyphs, next_code(&text));
        stamp(canvas, letter, pen + letter->left, y + (int32_t)glyphs->ascent - letter->top, rgb);
        pen += letter->advance;
    }
    return width;
}
