/* The colours of palette bytes: a base colour per material and one ramp of light. */
#include "kernels/palette.h"

/* Colours at full white light, by eye on rendered pictures. */
static const uint8_t base_colour[P2_MATERIALS][3] = {
    [P2_MATERIAL_SKY] = {0, 0, 0}, /* see sky_ramp */
    [P2_MATERIAL_GRASS] = {116, 178, 70},    [P2_MATERIAL_DIRT] = {150, 108, 70},
    [P2_MATERIAL_STONE] = {158, 158, 160},   [P2_MATERIAL_SAND] = {232, 214, 158},
    [P2_MATERIAL_WATER] = {64, 132, 196},    [P2_MATERIAL_WOOD] = {122, 88, 54},
    [P2_MATERIAL_LEAVES] = {66, 138, 52},    [P2_MATERIAL_PLANKS] = {204, 166, 112},
    [P2_MATERIAL_ROOF] = {188, 84, 62},      [P2_MATERIAL_GLASS] = {190, 222, 232},
    [P2_MATERIAL_LANTERN] = {255, 226, 140}, [P2_MATERIAL_CLOUD] = {250, 252, 255},
    [P2_MATERIAL_ORE] = {212, 178, 90},      [P2_MATERIAL_HAZE] = {0, 0, 0}, /* see haze_ramp */
    [P2_MATERIAL_GLOW] = {0, 0, 0},                                          /* see glow_ramp */
};

/* Light of each level per colour, in 1/256: moonlight is blue, lantern light warm, daylight white.
 * Steps grow with the level because eyes compare ratios. */
static const uint16_t light_ramp[16][3] = {
    {14, 18, 36},    {22, 28, 52},    {33, 40, 68},    {46, 54, 83},
    {62, 69, 96},    {80, 86, 110},   {100, 104, 122}, {121, 122, 134},
    {143, 140, 144}, {164, 159, 156}, {184, 178, 170}, {202, 195, 184},
    {219, 212, 200}, {234, 228, 216}, {247, 242, 232}, {256, 254, 248},
};

/* Sky from a moonless night to haze at a noon horizon. */
static const uint8_t sky_ramp[16][3] = {
    {8, 10, 24},     {12, 15, 34},    {17, 21, 45},    {23, 29, 58},
    {31, 40, 76},    {41, 54, 96},    {52, 72, 120},   {63, 92, 146},
    {74, 114, 172},  {86, 136, 196},  {100, 154, 212}, {118, 170, 222},
    {138, 186, 230}, {160, 201, 237}, {184, 215, 242}, {206, 228, 246},
};

/* Far land: it nearly disappears in the sky above it. */
static const uint8_t haze_ramp[16][3] = {
    {11, 13, 28},    {15, 18, 36},    {21, 25, 46},    {29, 35, 58},
    {38, 46, 70},    {49, 59, 84},    {62, 74, 98},    {76, 89, 112},
    {90, 105, 127},  {103, 120, 141}, {115, 134, 154}, {126, 147, 166},
    {136, 158, 177}, {146, 169, 187}, {155, 179, 197}, {164, 188, 206},
};

/* Sky around a low sun: from dusky violet over red to pale yellow. */
static const uint8_t glow_ramp[16][3] = {
    {26, 32, 64},   {32, 37, 72},    {44, 44, 84},    {60, 52, 94},
    {80, 60, 100},  {102, 69, 102},  {126, 79, 100},  {150, 90, 96},
    {174, 103, 90}, {196, 118, 84},  {214, 134, 80},  {228, 151, 80},
    {239, 169, 88}, {246, 187, 102}, {251, 206, 124}, {254, 224, 152},
};

static void lit_colour(unsigned material, unsigned level, uint8_t rgb[3])
{
    for (unsigned i = 0; i < 3; i++) {
        unsigned value = ((unsigned)base_colour[material][i] * light_ramp[level][i] + 128u) >> 8;
        rgb[i] = (uint8_t)(value < 255u ? value : 255u);
    }
}

void p2_palette_table(uint8_t rgb[P2_PALETTE_SIZE][3])
{
    for (unsigned byte = 0; byte < P2_PALETTE_SIZE; byte++) {
        unsigned material = byte >> 4, level = byte & 15u;
        const uint8_t *ramp = NULL;
        if (material == P2_MATERIAL_SKY) {
            ramp = sky_ramp[level];
        } else if (material == P2_MATERIAL_HAZE) {
            ramp = haze_ramp[level];
        } else if (material == P2_MATERIAL_GLOW) {
            ramp = glow_ramp[level];
        }
        if (ramp == NULL) {
            lit_colour(material, level, rgb[byte]);
            continue;
        }
        for (unsigned i = 0; i < 3; i++) {
            rgb[byte][i] = ramp[i];
        }
    }
}

bool p2_palette_is_lit(unsigned material)
{
    return material != P2_MATERIAL_SKY && material != P2_MATERIAL_GLOW &&
           material != P2_MATERIAL_LANTERN;
}

uint8_t p2_palette_add_light(uint8_t byte, int levels)
{
    if (!p2_palette_is_lit(p2_palette_material(byte))) {
        return byte;
    }
    int level = (int)p2_palette_level(byte) + levels;
    if (level < 0) {
        level = 0;
    }
    if (level > (int)P2_LEVEL_MAX) {
        level = (int)P2_LEVEL_MAX;
    }
    return p2_palette_byte(p2_palette_material(byte), (unsigned)level);
}
